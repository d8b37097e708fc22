import { expect, test } from "vitest";
import { Durations } from "./durations.ts";

test("durations fall into the buckets that end at or above them, each series by itself", () => {
  const durations = new Durations();
  for (const seconds of [0, 0.0005, 0.0006, 10, 11]) durations.count("/a", "GET", 200, seconds);
  durations.count("/a", "GET", 404, 0.02);
  durations.count("/a", "POST", 200, 0.02);
  const page = durations.text();
  const value = (name: string, labels: string): number => {
    const line = page.split("\n").find((one) => one.includes(`_${name}{`) && one.includes(labels));
    return Number(line?.split(" ").at(-1));
  };
  const ok = 'route="/a",method="GET",status="200"';
  expect(value("bucket", `le="0.0005",${ok}`)).toBe(2);
  expect(value("bucket", `le="0.001",${ok}`)).toBe(3);
  expect(value("bucket", `le="5",${ok}`)).toBe(3);
  expect(value("bucket", `le="10",${ok}`)).toBe(4);
  expect(value("bucket", `le="+Inf",${ok}`)).toBe(5);
  expect(value("count", ok)).toBe(5);
  expect(value("sum", ok)).toBeCloseTo(21.0011);
  expect(value("count", 'method="GET",status="404"')).toBe(1);
  expect(value("count", 'method="POST",status="200"')).toBe(1);
  expect(page).toContain("# TYPE raft3d_http_request_duration_seconds histogram");
});
