// A torn write is told from damage by sectors that were never written: those are still zero from the
// preallocation. So no sector that was written may be zero, nor so nearly zero that one damaged word
// makes it so. A payload that has such a sector is stored XORed with a key under which it has none.
//
// A sector is bad under at most one key (the word that nearly all of it consists of), so among one key
// more than there are sectors a good one is certain to exist; almost always it is 0 and nothing is done.

import { assert } from "../../base/assert.ts";
import { SECTOR_BYTES } from "../../base/limits.ts";

const WORD_BYTES = 4;
const SECTOR_WORDS = SECTOR_BYTES / WORD_BYTES;
/** Words of every written sector that must not be zero. */
const SET_WORDS_MIN = 2;

/** The smallest key under which every sector of `bytes` (whole sectors) is plainly written. */
export function chooseMask(bytes: Uint8Array): number {
  assert(bytes.length % SECTOR_BYTES === 0, "a mask is chosen for whole sectors");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bad = new Set<number>();
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const word = dominantWord(view, at);
    if (word !== null) bad.add(word);
  }
  let key = 0;
  while (bad.has(key)) key += 1;
  return key;
}

/** The word that fills the sector but for fewer than SET_WORDS_MIN places; null if there is none. */
function dominantWord(view: DataView, at: number): number | null {
  const first = view.getUint32(at, true);
  const second = view.getUint32(at + WORD_BYTES, true);
  const third = view.getUint32(at + 2 * WORD_BYTES, true);
  // Such a word stands in at least two of any three places, which settles nearly every sector here.
  const word = first === second || first === third ? first : second === third ? second : null;
  if (word === null) return null;
  let others = 0;
  for (let i = 0; i < SECTOR_WORDS; i++) {
    if (view.getUint32(at + i * WORD_BYTES, true) === word) continue;
    others += 1;
    if (others === SET_WORDS_MIN) return null;
  }
  return word;
}

/** XORs `bytes` (whole words, the first of them at a sector's word boundary) with `key` in place. */
export function applyMask(bytes: Uint8Array, key: number): void {
  if (key === 0) return;
  assert(bytes.length % WORD_BYTES === 0, "a mask covers whole words");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += WORD_BYTES) {
    view.setUint32(at, (view.getUint32(at, true) ^ key) >>> 0, true);
  }
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  return firstSet(bytes, from, to) === to;
}

/** The place of the first byte that is not zero; `to` if there is none. */
export function firstSet(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] === 0) at += 1;
  return at;
}
