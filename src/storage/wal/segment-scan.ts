// Reads one segment's bytes and tells how its batches end. This is the only judge of what is a torn
// write and what is damage (DESIGN.md, "Where the log ends").
//
// A batch is written only after the one before it was synced. So whatever valid stands behind a bad
// place proves that what was there had been synced and is now damaged. With nothing valid behind it, a
// bad place is a torn write only if some of its sectors were never written: if they still hold their fill.

import { SECTOR_BYTES } from "../../base/limits.ts";
import { type FillKey, fillEnd, isUnwritten } from "./fill.ts";
import {
  type BatchHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  batchExtent,
  decodeBatchHeader,
  openBatch,
  segmentSeed,
} from "./format.ts";

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

/** A segment's bytes, and what tells its batches and its unwritten sectors from anything else. */
interface SegmentImage {
  readonly bytes: Uint8Array;
  readonly fill: FillKey;
  readonly seed: number;
}

/** `segment` is the whole file; its header has been checked against the file's size and name. */
export function* scanSegment(
  segment: Uint8Array,
  header: SegmentHeader,
): Generator<Batch, ScannedSegment> {
  const image: SegmentImage = { bytes: segment, fill: header, seed: segmentSeed(header) };
  let next: Continuation = { number: header.firstBatch, chain: header.chain };
  let offset = SEGMENT_HEADER_BYTES;
  while (offset < segment.length) {
    const read = readBatch(image, offset, next);
    if (read.kind !== "batch") return { end: read, next };
    yield read.batch;
    next = { number: read.batch.number + 1, chain: read.batch.crc };
    offset += read.batch.extent;
  }
  return { end: { kind: "clean", offset }, next };
}

function readBatch(
  segment: SegmentImage,
  offset: number,
  next: Continuation,
): { readonly kind: "batch"; readonly batch: Batch } | SegmentEnd {
  const { bytes, fill, seed } = segment;
  if (isUnwritten(bytes, offset, fill)) return unwritten(segment, offset, next);
  const damaged = (what: string): SegmentEnd => ({ kind: "damaged", offset, what });
  const header = decodeBatchHeader(bytes, offset, seed);
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
  if (offset + extent > bytes.length) {
    return damaged(`batch ${header.number} would end behind its segment`);
  }
  const opened = openBatch(bytes, offset, header);
  if (opened === null) return unmatched(segment, offset, header);
  if (opened.padding.some((byte) => byte !== 0)) {
    return damaged(`batch ${header.number} is not padded with zeros`);
  }
  const { number, crc } = header;
  return { kind: "batch", batch: { number, offset, extent, crc, payload: opened.payload } };
}

/** The next batch's first sector was never written: the end of the log, or a batch without its header. */
function unwritten(segment: SegmentImage, offset: number, next: Continuation): SegmentEnd {
  const { bytes, fill } = segment;
  const stray = fillEnd(bytes, offset, fill);
  if (stray === bytes.length) return { kind: "clean", offset };
  const behind = findBatch(segment, stray);
  if (behind !== null) {
    const what = `batch ${next.number} is missing, and a valid batch stands at byte ${behind}`;
    return { kind: "damaged", offset, what };
  }
  return { kind: "torn", offset, through: writtenEnd(segment) };
}

/** The header is good and the rest does not match it. */
function unmatched(segment: SegmentImage, offset: number, header: BatchHeader): SegmentEnd {
  const { bytes, fill } = segment;
  const end = offset + batchExtent(header.payloadBytes);
  const damaged = (why: string): SegmentEnd => {
    const what = `batch ${header.number} does not match its checksum, ${why}`;
    return { kind: "damaged", offset, what };
  };
  const behind = findBatch(segment, end);
  if (behind !== null) return damaged(`and a valid batch stands behind it at byte ${behind}`);
  const stray = fillEnd(bytes, end, fill);
  if (stray < bytes.length) return damaged(`and something stands behind it at byte ${stray}`);
  for (let at = offset + SECTOR_BYTES; at < end; at += SECTOR_BYTES) {
    if (isUnwritten(bytes, at, fill)) return { kind: "torn", offset, through: end };
  }
  return damaged("though every sector of it was written");
}

/** The first sector at or behind `from` that holds a valid batch header; null if none does. */
function findBatch({ bytes, seed }: SegmentImage, from: number): number | null {
  for (let at = from; at < bytes.length; at += SECTOR_BYTES) {
    if (decodeBatchHeader(bytes, at, seed) !== null) return at;
  }
  return null;
}

/** The end of the last sector that was written. */
function writtenEnd({ bytes, fill }: SegmentImage): number {
  let end = bytes.length;
  while (end > 0 && isUnwritten(bytes, end - SECTOR_BYTES, fill)) end -= SECTOR_BYTES;
  return end;
}
