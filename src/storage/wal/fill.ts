// The fill: what a sector of a segment holds until a batch is written there. It is bound to its place, so
// nothing but the preparation of the file can have put it there: a sector that holds its fill was never
// written, and one that reads as zeros, or as the fill of another place, is damaged.
//
// DESIGN.md has the formula. Two sectors of a file differ in every word; two files, in their sequence, or
// in their salt if a folder was founded anew. The salt leaves the node nowhere, so that no client can put
// a sector into an entry that passes for one never written.

import { assert } from "../../base/assert.ts";
import { SECTOR_BYTES } from "../../base/limits.ts";

const WORD_BYTES = 4;
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** What the fill of a segment is made from. Its header says the same. */
export interface FillKey {
  readonly sequence: number;
  readonly salt: number;
}

/** Fills `bytes`, which are whole sectors and stand at `offset` of the segment. */
export function writeFill(bytes: Uint8Array, offset: number, key: FillKey): void {
  assert(offset % SECTOR_BYTES === 0, "the fill begins with a sector");
  assert(bytes.length % SECTOR_BYTES === 0, "the fill is whole sectors");
  const { salt, sequence } = key;
  const first = offset / WORD_BYTES;
  const words = bytes.length / WORD_BYTES;
  // A whole segment is filled every few seconds under load: the quicker way, where there is one.
  if (IS_LITTLE_ENDIAN && bytes.byteOffset % WORD_BYTES === 0) {
    const array = new Int32Array(bytes.buffer, bytes.byteOffset, words);
    for (let at = 0; at < words; at++) array[at] = fillWord(first + at, salt, sequence | 0);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < words; at++) {
    view.setInt32(at * WORD_BYTES, fillWord(first + at, salt, sequence | 0), true);
  }
}

/** Where the run of fill ends that begins at `from`: the first sector at or behind it without its fill. */
export function fillEnd(segment: Uint8Array, from: number, key: FillKey): number {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  let at = from;
  while (at < segment.length && isFilled(view, at, key)) at += SECTOR_BYTES;
  return at;
}

/** Whether the sector at `offset` was never written. */
export function isUnwritten(segment: Uint8Array, offset: number, key: FillKey): boolean {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  return isFilled(view, offset, key);
}

function isFilled(segment: DataView, offset: number, { salt, sequence }: FillKey): boolean {
  const first = offset / WORD_BYTES;
  for (let word = first; word < first + SECTOR_BYTES / WORD_BYTES; word++) {
    const found = segment.getInt32(word * WORD_BYTES, true);
    if (found !== fillWord(word, salt, sequence | 0)) return false;
  }
  return true;
}

/** The word at place `word` of the file, as a signed number: MurmurHash3's finalizer in counter mode. */
function fillWord(word: number, salt: number, sequence: number): number {
  let mixed = word ^ salt;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return ((mixed ^ (mixed >>> 16)) + sequence) | 0;
}
