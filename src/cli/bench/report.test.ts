import { describe, expect, test } from "vitest";
import { fakeSession } from "../testing/fakes.ts";
import type { Measurement } from "./load.ts";
import { jsonReport, median, report } from "./report.ts";

function round(perSecond: number, unexpected: Measurement["unexpected"] = {}): Measurement {
  const latencies = { p50: 1, p90: 2, p99: 3, p999: 4, max: perSecond / 10 };
  return { requests: perSecond, seconds: 1, perSecond, ...latencies, unexpected };
}

const CLUSTER = {
  name: "cluster",
  rounds: [round(900), round(100, { "503 no_leader": 2 }), round(1000, { "503 no_leader": 1 })],
};
const BARE = { name: "bare node:http", rounds: [round(1800), round(1900), round(1700)] };

describe("what was measured", () => {
  test("is told as medians, with the ratio to the bare server and everything unexpected", () => {
    const session = fakeSession();
    report(session, [CLUSTER, BARE]);
    expect(session.terminal.stdout()).toBe(
      [
        "",
        "                ANSWERS  PER SECOND  p50 ms   p90   p99  p99.9    max",
        "cluster           2,000         900    1.00  2.00  3.00   4.00  100.0",
        "bare node:http    5,400       1,800    1.00  2.00  3.00   4.00  190.0",
        "Medians of 3 rounds; max is over all of them.",
        "The cluster does 0.50 of the bare server.",
        "cluster: 3 times 503 no_leader",
        "",
      ].join("\n"),
    );
  });

  test("has the same figures for programs, and every round", () => {
    const session = fakeSession();
    jsonReport(session, "create-printers", 64, [CLUSTER, BARE]);
    expect(JSON.parse(session.terminal.stdout())).toMatchObject({
      operation: "create-printers",
      connections: 64,
      ratio: 0.5,
      series: [
        {
          name: "cluster",
          per_second: 900,
          max_ms: 100,
          unexpected: { "503 no_leader": 3 },
          rounds: [{ per_second: 900 }, { per_second: 100 }, { per_second: 1000 }],
        },
        { name: "bare node:http", per_second: 1800 },
      ],
    });
  });

  test("has no ratio without a baseline", () => {
    const session = fakeSession();
    report(session, [{ name: "cluster", rounds: [round(5)] }]);
    expect(session.terminal.stdout()).not.toContain("bare");
    expect(session.terminal.stdout()).not.toContain("Medians");
  });

  test("the median is the middle value, or the mean of the two in the middle", () => {
    expect(median([5])).toBe(5);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});
