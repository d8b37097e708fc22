import { expect, test } from "vitest";
import { LogWatch } from "./log-watch.ts";

const STALL_TICKS = 5;

test("a write that is found under way at too many ticks hangs, and is said to once", () => {
  const watch = new LogWatch(STALL_TICKS);
  const said = Array.from({ length: 20 }, () => watch.tick(1000));
  expect(said.indexOf(true)).toBe(STALL_TICKS);
  expect(said.filter(Boolean)).toHaveLength(1);
});

test("writes one after the other do not add up, nor do those with nothing between them", () => {
  const watch = new LogWatch(STALL_TICKS);
  for (let write = 1; write <= 10; write++) {
    for (let n = 0; n < STALL_TICKS; n++) expect(watch.tick(1000 * write)).toBe(false);
    if (write % 2 === 0) expect(watch.tick(null)).toBe(false);
  }
});
