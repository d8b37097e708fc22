import { expect, test } from "vitest";
import { SNAPSHOT_REST_MS_MAX } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import { restsBetweenSlices } from "./slices.ts";

test("between two slices there is a rest as long as the slice was, within bounds; the rest is no part of the next", async () => {
  let nowMs = 1000;
  const rests: number[] = [];
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => 0,
    after: (delayMs, run) => {
      rests.push(delayMs);
      nowMs += delayMs;
      queueMicrotask(run);
      return { cancel: () => undefined };
    },
    defer: () => {
      throw new Error("a turn is no rest");
    },
  };
  const rest = restsBetweenSlices(clock);
  for (const took of [7, 0, 3, SNAPSHOT_REST_MS_MAX + 400, 2]) {
    nowMs += took;
    await rest();
  }
  expect(rests).toEqual([7, 1, 3, SNAPSHOT_REST_MS_MAX, 2]);
});
