import { expect, test } from "vitest";
import { localTime } from "./calendar.ts";

test("the time of day has two digits for each part", () => {
  expect(localTime(0)).toMatch(/^\d\d:\d\d:00$/);
});
