import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("a quantile is within half a percent of the exact one, and the maximum is exact", () => {
  const duration = fc.oneof(
    fc.double({ min: 0.001, max: 1, noNaN: true }),
    fc.double({ min: 0.01, max: 10_000, noNaN: true }),
  );
  fc.assert(
    fc.property(
      fc.array(duration, { minLength: 1, maxLength: 400 }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      (durations, quantile) => {
        const histogram = new Histogram();
        for (const ms of durations) histogram.record(ms);
        const sorted = durations.toSorted((a, b) => a - b);
        const exact = sorted[Math.ceil(quantile * sorted.length) - 1]!;
        const relative = Math.abs(histogram.quantile(quantile) - exact) / exact;
        expect(relative).toBeLessThanOrEqual(0.005 + 1e-9);
        expect(histogram.max).toBe(sorted.at(-1));
        expect(histogram.total).toBe(durations.length);
      },
    ),
    { seed: 13 },
  );
});

test("without a record every quantile is 0, and what is too short or too long still counts", () => {
  const histogram = new Histogram();
  expect(histogram.quantile(0.99)).toBe(0);
  histogram.record(0);
  histogram.record(1e12);
  expect(histogram.total).toBe(2);
  expect(histogram.max).toBe(1e12);
  expect(histogram.quantile(0.5)).toBeLessThan(0.0011);
});
