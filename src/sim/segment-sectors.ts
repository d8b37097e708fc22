// The sectors of a log segment, for tests and tools that look at a disk from outside: which were never
// written, and what those hold.

import { assert } from "../base/assert.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { type FillKey, isUnwritten, writeFill } from "../storage/wal/fill.ts";
import { decodeSegmentHeader } from "../storage/wal/format.ts";

/** `segment` is the content of a segment file whose header is good. */
function keyOf(segment: Uint8Array): FillKey {
  const decoded = decodeSegmentHeader(segment);
  assert(decoded.kind === "header", "a segment with a good header");
  return decoded.header;
}

/** Whether the sector that holds byte `at` of a segment was never written. */
export function isUnwrittenAt(segment: Uint8Array, at: number): boolean {
  return isUnwritten(segment, at - (at % SECTOR_BYTES), keyOf(segment));
}

/** Where the last sector ends that was written. */
export function writtenEndOf(segment: Uint8Array): number {
  let end = segment.length;
  while (isUnwrittenAt(segment, end - SECTOR_BYTES)) end -= SECTOR_BYTES;
  return end;
}

/** What `count` sectors of a segment, from `offset` on, held before they were written. */
export function unwrittenSectors(segment: Uint8Array, offset: number, count = 1): Uint8Array {
  const fill = new Uint8Array(count * SECTOR_BYTES);
  writeFill(fill, offset, keyOf(segment));
  return fill;
}
