// Counts of durations in buckets whose width grows with the duration: each is 1 % wider than the
// one before it, and a quantile is given as its bucket's middle, so it is off by at most 0.5 %.

import { assert } from "../../base/assert.ts";

const GROWTH = Math.log(1.01);
/** Milliseconds. What is shorter or longer is counted as this. */
const SHORTEST = 0.001;
const LONGEST = 3_600_000;
const BUCKETS = Math.ceil(Math.log(LONGEST / SHORTEST) / GROWTH) + 1;

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #max = 0;

  get total(): number {
    return this.#total;
  }

  /** Exact. */
  get max(): number {
    return this.#max;
  }

  record(ms: number): void {
    const within = Math.min(Math.max(ms, SHORTEST), LONGEST);
    const bucket = Math.floor(Math.log(within / SHORTEST) / GROWTH);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    if (ms > this.#max) this.#max = ms;
  }

  /** The duration that a share of `quantile` does not exceed; 0 if nothing was recorded. */
  quantile(quantile: number): number {
    assert(quantile > 0 && quantile <= 1, "a quantile is above 0 and at most 1");
    const rank = Math.ceil(quantile * this.#total);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank && seen > 0) {
        return Math.min(this.#max, SHORTEST * Math.exp((bucket + 0.5) * GROWTH));
      }
    }
    return 0;
  }
}
