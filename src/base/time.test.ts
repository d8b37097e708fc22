import fc from "fast-check";
import { expect, test } from "vitest";
import { WALL_MS_MAX } from "./limits.ts";
import { parseRfc3339, rfc3339 } from "./time.ts";

test("a moment is written as ECMAScript writes it, on any day, before 1970 and far from now as well", () => {
  const near = fc.integer({ min: -2 * 86_400_000, max: 2 * 86_400_000 });
  const any = fc.integer({ min: -8.64e15, max: 8.64e15 });
  fc.assert(
    fc.property(fc.array(fc.oneof(near, any), { minLength: 1 }), (moments) => {
      for (const ms of moments) expect(rfc3339(ms)).toBe(new Date(ms).toISOString());
    }),
    { seed: 3, numRuns: 500 },
  );
});

test("every moment that can be written is read back, up to the last one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: WALL_MS_MAX }), (ms) => {
      expect(parseRfc3339(rfc3339(ms))).toBe(ms);
    }),
    { seed: 19 },
  );
  expect(parseRfc3339(rfc3339(WALL_MS_MAX))).toBe(WALL_MS_MAX);
});

test("a date in any other form is none, also where JavaScript would guess", () => {
  const others = ["", "2026", "2026-11-22", "2026-11-22T14:30:00Z", "2026-02-30T00:00:00.000Z"];
  for (const text of [...others, "2026-11-22T14:30:00.000+01:00", "Nov 22 2026"]) {
    expect(parseRfc3339(text), text).toBeNull();
  }
});
