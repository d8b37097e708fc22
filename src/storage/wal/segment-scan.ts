// Reads one segment's bytes and tells how its batches end. This is the only judge of what is a torn
// write and what is damage (DESIGN.md, "Where the log ends").
//
// A batch is written only after the one before it was synced. So whatever valid stands behind a bad
// place proves that what was there had been synced and is now damaged. With nothing valid behind it, a
// bad place is a torn write only if sectors that were never written explain all of it.

import { SECTOR_BYTES } from "../../base/limits.ts";
import {
  type BatchHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  batchExtent,
  decodeBatchHeader,
  openBatch,
  segmentSeed,
} from "./format.ts";
import { firstSet, isZero } from "./mask.ts";

export interface Batch {
  readonly number: number;
  readonly offset: number;
  /** Bytes on the disk, whole sectors. */
  readonly extent: number;
  /** The header CRC: the next batch's chain. */
  readonly crc: number;
  readonly payload: Uint8Array;
}

export type SegmentEnd =
  /** Every batch is good, and behind the last one, from `offset` on, nothing was ever written. */
  | { readonly kind: "clean"; readonly offset: number }
  /** As far as this segment can tell, the bytes from `offset` to `through` are of a write cut short. */
  | { readonly kind: "torn"; readonly offset: number; readonly through: number }
  | { readonly kind: "damaged"; readonly offset: number; readonly what: string };

/** Where a segment's batches must continue: the next number, and the CRC of the batch before. */
export interface Continuation {
  readonly number: number;
  readonly chain: number;
}

/** How a segment ends, and how the next one must go on. */
export interface ScannedSegment {
  readonly end: SegmentEnd;
  readonly next: Continuation;
}

/** `segment` is the whole file; its header has been checked against the file's size and name. */
export function* scanSegment(
  segment: Uint8Array,
  header: SegmentHeader,
): Generator<Batch, ScannedSegment> {
  const seed = segmentSeed(header);
  let next: Continuation = { number: header.firstBatch, chain: header.chain };
  let offset = SEGMENT_HEADER_BYTES;
  while (offset < segment.length) {
    const read = readBatch(segment, offset, seed, next);
    if (read.kind !== "batch") return { end: read, next };
    yield read.batch;
    next = { number: read.batch.number + 1, chain: read.batch.crc };
    offset += read.batch.extent;
  }
  return { end: { kind: "clean", offset }, next };
}

function readBatch(
  segment: Uint8Array,
  offset: number,
  seed: number,
  next: Continuation,
): { readonly kind: "batch"; readonly batch: Batch } | SegmentEnd {
  if (isZero(segment, offset, offset + SECTOR_BYTES)) return unwritten(segment, offset, seed, next);
  const damaged = (what: string): SegmentEnd => ({ kind: "damaged", offset, what });
  const header = decodeBatchHeader(segment, offset, seed);
  // A sector is written whole or not at all, and this one was: its header cannot be half of one.
  if (header === null) return damaged(`the header of batch ${next.number} is damaged`);
  if (header.number !== next.number) {
    return damaged(`batch ${header.number} stands where batch ${next.number} should`);
  }
  if (header.chain !== next.chain) {
    return damaged(`batch ${header.number} does not follow from the batch before it`);
  }
  if (header.payloadBytes === 0) return damaged(`batch ${header.number} is empty`);
  const extent = batchExtent(header.payloadBytes);
  if (offset + extent > segment.length) {
    return damaged(`batch ${header.number} would end behind its segment`);
  }
  const opened = openBatch(segment, offset, header);
  if (opened === null) return unmatched(segment, offset, seed, header);
  if (!isZero(opened.padding, 0, opened.padding.length)) {
    return damaged(`batch ${header.number} is not padded with zeros`);
  }
  const { number, crc } = header;
  return { kind: "batch", batch: { number, offset, extent, crc, payload: opened.payload } };
}

/** The first sector of the next batch is zero: the end of the log, or a batch whose header is missing. */
function unwritten(
  segment: Uint8Array,
  offset: number,
  seed: number,
  next: Continuation,
): SegmentEnd {
  if (firstSet(segment, offset, segment.length) === segment.length)
    return { kind: "clean", offset };
  const behind = findBatch(segment, offset + SECTOR_BYTES, seed);
  if (behind !== null) {
    const what = `batch ${next.number} is missing, and a valid batch stands at byte ${behind}`;
    return { kind: "damaged", offset, what };
  }
  return { kind: "torn", offset, through: writtenEnd(segment) };
}

/** The header is good and the rest does not match it. */
function unmatched(
  segment: Uint8Array,
  offset: number,
  seed: number,
  header: BatchHeader,
): SegmentEnd {
  const end = offset + batchExtent(header.payloadBytes);
  const damaged = (why: string): SegmentEnd => {
    const what = `batch ${header.number} does not match its checksum, ${why}`;
    return { kind: "damaged", offset, what };
  };
  const behind = findBatch(segment, end, seed);
  if (behind !== null) return damaged(`and a valid batch stands behind it at byte ${behind}`);
  const stray = firstSet(segment, end, segment.length);
  if (stray < segment.length) return damaged(`and something stands behind it at byte ${stray}`);
  for (let at = offset + SECTOR_BYTES; at < end; at += SECTOR_BYTES) {
    if (isZero(segment, at, at + SECTOR_BYTES)) return { kind: "torn", offset, through: end };
  }
  return damaged("though every sector of it was written");
}

/** The first sector at or behind `from` that holds a valid batch header; null if none does. */
function findBatch(segment: Uint8Array, from: number, seed: number): number | null {
  for (let at = from; at < segment.length; at += SECTOR_BYTES) {
    if (decodeBatchHeader(segment, at, seed) !== null) return at;
  }
  return null;
}

/** The end of the last sector that is not zero. */
function writtenEnd(segment: Uint8Array): number {
  let end = segment.length;
  while (end > 0 && isZero(segment, end - SECTOR_BYTES, end)) end -= SECTOR_BYTES;
  return end;
}
