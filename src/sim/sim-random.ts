// The one source of chance in a simulated world: sfc32 (Chris Doty-Humphrey's PractRand generator), fast,
// with a period long enough for any run, and the same on every machine.

import { assert } from "../base/assert.ts";
import type { Random } from "../env/random.ts";

const WARM_UP_ROUNDS = 15;

export class SimRandom implements Random {
  #a: number;
  #b: number;
  #c = 0x243f_6a88;
  #counter = 1;

  /** Seeds below 2^53; both halves count. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed) && seed >= 0, () => `bad seed ${seed}`);
    this.#a = seed >>> 0;
    this.#b = (Math.floor(seed / 0x1_0000_0000) ^ 0x9e37_79b9) >>> 0;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.u32();
  }

  u32(): number {
    const out = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) >>> 0;
    return out;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32() >>> 24;
  }

  /** A generator of its own, so that what one part draws does not shift what another does. */
  fork(): SimRandom {
    return new SimRandom(this.u32() * 0x20_0000 + (this.u32() >>> 11));
  }

  /** 0 to bound − 1. */
  below(bound: number): number {
    assert(bound > 0, () => `below ${bound}`);
    return this.u32() % bound;
  }

  /** low to high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** 0 up to, not including, 1. */
  unit(): number {
    return this.u32() / 0x1_0000_0000;
  }

  chance(ratio: number): boolean {
    return this.unit() < ratio;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    assert(picked !== undefined, "pick from nothing");
    return picked;
  }

  shuffled<T>(from: readonly T[]): T[] {
    return from
      .map((value) => ({ value, order: this.u32() }))
      .toSorted((x, y) => x.order - y.order)
      .map(({ value }) => value);
  }
}
