import { describe, expect, it } from "vitest";
import { RECONNECT_MAX_MS, RECONNECT_MIN_MS, RECONNECT_SETTLED_MS } from "../base/limits.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { Backoff } from "./backoff.ts";

/** The waits that a random source would give: always the longest, or always the shortest. */
function extreme(u32: (bound: number) => number): number[] {
  let ceilingMs = RECONNECT_MIN_MS;
  const backoff = new Backoff({ u32: () => u32(ceilingMs), fill: () => undefined });
  return Array.from({ length: 8 }, () => {
    const waitMs = backoff.nextMs();
    ceilingMs = Math.min(2 * ceilingMs, RECONNECT_MAX_MS);
    return waitMs;
  });
}

describe("the wait before the next attempt", () => {
  it("has a ceiling that doubles from 50 ms to 2 s and stays there", () => {
    expect(extreme((bound) => bound - 1)).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
  });

  it("may be anything below its ceiling, so that nodes do not come back at one moment", () => {
    expect(extreme(() => 0)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    const random = new SimRandom(1);
    const firsts = Array.from({ length: 1000 }, () => new Backoff(random).nextMs());
    expect(new Set(firsts).size).toBe(RECONNECT_MIN_MS);
  });

  it("starts from the beginning only after a connection that lasted", () => {
    const backoff = new Backoff({ u32: () => 0xffff_ffff, fill: () => undefined });
    for (let i = 0; i < 8; i += 1) backoff.nextMs();
    const longest = backoff.nextMs();
    backoff.ended(RECONNECT_SETTLED_MS - 1);
    expect(backoff.nextMs()).toBe(longest);
    backoff.ended(RECONNECT_SETTLED_MS);
    expect(backoff.nextMs()).toBeLessThanOrEqual(RECONNECT_MIN_MS);
  });
});
