// Hashes that let nodes compare their states by sixteen digits.
//
// `StateHash` is the hash of a multiset: the sum of the hashes of its members, in two lanes modulo
// 2^32. A sum needs no order, so a row is taken out and put in again in time that does not depend
// on how many rows there are, and any two ways to the same rows give the same sum. `Hasher` makes
// the members, and the chain of machine.ts: in it, the order of everything counts.
//
// Why not a CRC: it is linear over GF(2), that is crc(a) ^ crc(b) depends on a ^ b alone. Rows
// differ in few places, and the same differences at two rows (two jobs that swap their weights, two
// printers renamed alike) would cancel or leave nearly the same sum. Each member therefore goes
// through the mixing of MurmurHash3 (multiplications and rotations, then its finaliser), after
// which one changed bit changes every bit of both lanes with a chance of about one half. None of
// this stops a forger; it finds bugs and broken memory, with a chance of 2^-64 to miss one.

import { assert } from "../base/assert.ts";
import { hex32 } from "../base/bytes.ts";

/**
 * 64 bits in two signed 32-bit halves: small integers for the engine, and so never allocated apart.
 */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

// The multipliers and increments of MurmurHash3's two first lanes.
const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const ADD_HIGH = 0x561ccd1b;
const ADD_LOW = 0x0bcaa747;
const TWO_32 = 0x1_0000_0000;

/**
 * Takes in values one after the other; equal sequences, and only those, are meant to give equal
 * hashes.
 */
export class Hasher {
  #high: number;
  #low: number;

  constructor(from: Hash64) {
    this.#high = from.high | 0;
    this.#low = from.low | 0;
  }

  /** An integer up to 2^53 on either side of zero: one step for each 32 bits. */
  integer(value: number): this {
    assert(Number.isSafeInteger(value), () => `only integers are hashed, not ${value}`);
    this.#word(value | 0);
    this.#word(Math.floor(value / TWO_32));
    return this;
  }

  /**
   * A text by its UTF-16 units, two in a step, after its length: no text runs into what follows it.
   */
  text(value: string): this {
    const { length } = value;
    this.#word(length);
    for (let at = 0; at < length; at += 2) {
      // Past the end `charCodeAt` is NaN, which the shift takes as 0.
      this.#word(value.charCodeAt(at) | (value.charCodeAt(at + 1) << 16));
    }
    return this;
  }

  /** The hash of all that was taken in. The hasher may go on afterwards. */
  finish(): Hash64 {
    const high = finalMix((this.#high + this.#low) | 0);
    const low = finalMix((this.#low + high) | 0);
    return { high: (high + low) | 0, low };
  }

  #word(word: number): void {
    const mixed = Math.imul(word, C1);
    const high = this.#high ^ Math.imul((mixed << 15) | (mixed >>> 17), C2);
    this.#high = (Math.imul(((high << 19) | (high >>> 13)) + this.#low, 5) + ADD_HIGH) | 0;
    const other = Math.imul(word, C2);
    const low = this.#low ^ Math.imul((other << 16) | (other >>> 16), C1);
    this.#low = (Math.imul(((low << 17) | (low >>> 15)) + this.#high, 5) + ADD_LOW) | 0;
  }
}

/** The finaliser of MurmurHash3: one changed bit changes each of the 32 with a chance of about a half. */
export function finalMix(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function hashHex(hash: Hash64): string {
  return hex32(hash.high) + hex32(hash.low);
}

/** Reads what `hashHex` wrote; null if that is not what it is. */
export function parseHashHex(text: string): Hash64 | null {
  if (!/^[0-9a-f]{16}$/.test(text)) return null;
  return {
    high: Number.parseInt(text.slice(0, 8), 16) | 0,
    low: Number.parseInt(text.slice(8), 16) | 0,
  };
}

/** The hash of a multiset. Empty at first: sixteen zeros. */
export class StateHash implements Hash64 {
  #high = 0;
  #low = 0;

  get high(): number {
    return this.#high;
  }

  get low(): number {
    return this.#low;
  }

  add(member: Hash64): void {
    this.#high = (this.#high + member.high) | 0;
    this.#low = (this.#low + member.low) | 0;
  }

  /** Undoes one `add` of an equal member. */
  remove(member: Hash64): void {
    this.#high = (this.#high - member.high) | 0;
    this.#low = (this.#low - member.low) | 0;
  }

  hex(): string {
    return hashHex(this);
  }
}
