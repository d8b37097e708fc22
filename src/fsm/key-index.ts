// Numbers by key, a million of them, without an object for any and without a moment at which all are moved.
//
// An entry is a key's hash and a number, in two words of a typed array; the key itself lies where the
// number points to, and its owner says whether it is the one. So the engine's collector has nothing to
// follow here. A table that is full doubles and moves everything it holds, in one go: for a Map of half a
// million keys that held a turn of the event loop for 100 to 300 ms. The entries therefore lie in many small
// tables (parts), each of which grows by itself, in some 60 µs for a million keys in all.
//
// Open addressing with linear probing (Knuth, The Art of Computer Programming 3, 6.4). Nothing is ever
// removed: jobs are not.

import { must } from "../base/assert.ts";
import { finalMix } from "./state-hash.ts";

const PART_BITS = 8;
const FIRST_PLACES = 16;

/** Pairs of words: a hash, and a number plus one. Zero is a place that is free. */
interface Part {
  places: Uint32Array;
  filled: number;
}

export class KeyIndex {
  // A part is made when the first key comes to it: most farms are small.
  readonly #parts: (Part | undefined)[] = [];
  readonly #keyOf: (value: number) => string;

  /** `keyOf` gives the key of a number that was added. */
  constructor(keyOf: (value: number) => string) {
    this.#keyOf = keyOf;
  }

  /** The number of this key; null if it has none. */
  find(key: string): number | null {
    const hash = hashOf(key);
    const part = this.#parts[partOf(hash)];
    return part === undefined ? null : this.#find(part.places, hash, key);
  }

  /** Adds a number from 0 to 2^32 − 2; false if the key has one. */
  add(key: string, value: number): boolean {
    const hash = hashOf(key);
    const part = (this.#parts[partOf(hash)] ??= emptyPart());
    if (this.#find(part.places, hash, key) !== null) return false;
    if (4 * (part.filled + 1) > 3 * (part.places.length / 2)) grow(part);
    put(part.places, hash, value + 1);
    part.filled += 1;
    return true;
  }

  /** Keys are looked at only where the hash is right. */
  #find(places: Uint32Array, hash: number, key: string): number | null {
    const mask = places.length - 1;
    for (let at = (2 * hash) & mask; ; at = (at + 2) & mask) {
      const stored = must(places[at + 1], "a place");
      if (stored === 0) return null;
      if (places[at] === hash && this.#keyOf(stored - 1) === key) return stored - 1;
    }
  }
}

function partOf(hash: number): number {
  return hash >>> (32 - PART_BITS);
}

/** FNV-1a over UTF-16 units, and the finaliser of MurmurHash3: no bit of the key stays where it was. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return finalMix(hash) >>> 0;
}

function emptyPart(): Part {
  return { places: new Uint32Array(2 * FIRST_PLACES), filled: 0 };
}

/** Three quarters of the places are filled at most. */
function grow(part: Part): void {
  const { places } = part;
  part.places = new Uint32Array(2 * places.length);
  for (let at = 0; at < places.length; at += 2) {
    const stored = must(places[at + 1], "a place");
    if (stored !== 0) put(part.places, must(places[at], "a hash"), stored);
  }
}

function put(places: Uint32Array, hash: number, stored: number): void {
  const mask = places.length - 1;
  let at = (2 * hash) & mask;
  while (places[at + 1] !== 0) at = (at + 2) & mask;
  places[at] = hash;
  places[at + 1] = stored;
}
