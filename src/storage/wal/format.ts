// The two headers of the log: a segment's and a batch's. DESIGN.md draws them byte by byte.
//
// A batch's header CRC starts from a seed made of the segment's salt, its sequence number and the
// batch's offset. So a batch is valid in its own place only: what a disk put in the wrong place, or an
// older file of the same name, never passes. The salt is random and leaves the node nowhere, so that no
// client can put bytes into an entry that would pass for a batch.

import { assert } from "../../base/assert.ts";
import { type NodeId, isNodeId } from "../../base/brand.ts";
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from "../../base/bytes.ts";
import { crc32 } from "../../base/hash.ts";
import { CLUSTER_ID_BYTES_MAX, SECTOR_BYTES } from "../../base/limits.ts";

export const WAL_VERSION = 2;
export const SEGMENT_HEADER_BYTES = SECTOR_BYTES;
export const BATCH_HEADER_BYTES = 28;

const SEGMENT_MAGIC = encodeUtf8("RAFT3DWL");
const SEGMENT_CRC_AT = SEGMENT_HEADER_BYTES - 4;
const BATCH_MAGIC = 0x42443352; // "R3DB"
const BATCH_CRC_AT = BATCH_HEADER_BYTES - 4;

export interface SegmentHeader {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly sequence: number;
  readonly segmentBytes: number;
  /** Number of the first batch here, written or not. */
  readonly firstBatch: number;
  /** Header CRC of the batch before that one; 0 for the first batch of a log. */
  readonly chain: number;
  readonly salt: number;
}

export type DecodedSegmentHeader =
  | { readonly kind: "header"; readonly header: SegmentHeader }
  | { readonly kind: "unknown-version"; readonly version: number }
  | { readonly kind: "bad"; readonly what: string };

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const clusterId = encodeUtf8(header.clusterId);
  assert(clusterId.length <= CLUSTER_ID_BYTES_MAX, "the cluster id is too long");
  const writer = new ByteWriter(SEGMENT_HEADER_BYTES).raw(SEGMENT_MAGIC);
  writer.u32(WAL_VERSION).u32(header.salt).u64(header.sequence).u64(header.segmentBytes);
  writer.u64(header.firstBatch).u32(header.chain).u32(header.nodeId).sized(clusterId);
  writer.zeros(SEGMENT_CRC_AT - writer.length);
  return writer.u32(crc32(writer.view())).take();
}

/** Every version keeps the magic, the version and the CRC of the sector where they are. */
export function decodeSegmentHeader(bytes: Uint8Array): DecodedSegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) return bad("the segment's header is cut off");
  const sector = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  if (crc32(sector.subarray(0, SEGMENT_CRC_AT)) !== new ByteReader(sector, SEGMENT_CRC_AT).u32()) {
    return bad("the segment's header does not match its checksum");
  }
  if (SEGMENT_MAGIC.some((byte, at) => sector[at] !== byte)) return bad("this is no log segment");
  const reader = new ByteReader(sector, SEGMENT_MAGIC.length);
  const version = reader.u32();
  if (version !== WAL_VERSION) return { kind: "unknown-version", version };
  const salt = reader.u32();
  const [sequence, segmentBytes, firstBatch] = [reader.u64(), reader.u64(), reader.u64()];
  const [chain, nodeId] = [reader.u32(), reader.u32()];
  if (!isNodeId(nodeId)) return bad("the segment's header holds no node id");
  const clusterId = decodeUtf8(reader.sized());
  const header = { clusterId, nodeId, sequence, segmentBytes, firstBatch, chain, salt };
  return { kind: "header", header };
}

function bad(what: string): DecodedSegmentHeader {
  return { kind: "bad", what };
}

/** What the header CRCs of one segment's batches have in common. */
export function segmentSeed(header: SegmentHeader): number {
  return crc32(new ByteWriter(12).u32(header.salt).u64(header.sequence).view());
}

// Used again for every batch: each holds for one call only.
const seedWriter = new ByteWriter(8);
const headerWriter = new ByteWriter(BATCH_HEADER_BYTES);

function batchSeed(seed: number, offset: number): number {
  return crc32(seedWriter.reset().u64(offset).view(), seed);
}

export interface BatchHeader {
  readonly payloadBytes: number;
  readonly number: number;
  readonly chain: number;
  readonly payloadCrc: number;
  /** The CRC over all of the above, and so over everything before this batch: the next one's chain. */
  readonly crc: number;
}

/** Bytes a batch takes on the disk. */
export function batchExtent(payloadBytes: number): number {
  return Math.ceil((BATCH_HEADER_BYTES + payloadBytes) / SECTOR_BYTES) * SECTOR_BYTES;
}

export interface BatchPlace {
  readonly number: number;
  readonly chain: number;
  readonly seed: number;
  readonly offset: number;
}

/**
 * Makes a batch of `bytes`: room for the header, the payload, zeros to the end of the sector. Returns
 * its header CRC.
 */
export function sealBatch(bytes: Uint8Array, payloadBytes: number, place: BatchPlace): number {
  assert(payloadBytes > 0, "an empty batch");
  assert(bytes.length === batchExtent(payloadBytes), "a batch is whole sectors");
  assert(place.offset % SECTOR_BYTES === 0, "a batch begins with a sector");
  const body = bytes.subarray(BATCH_HEADER_BYTES);
  const writer = headerWriter.reset().u32(BATCH_MAGIC).u32(payloadBytes);
  writer.u64(place.number).u32(place.chain).u32(crc32(body));
  const crc = crc32(writer.view(), batchSeed(place.seed, place.offset));
  bytes.set(writer.u32(crc).view());
  return crc;
}

/** The header at `offset` of a whole segment's bytes; null where there is no valid one. */
export function decodeBatchHeader(
  segment: Uint8Array,
  offset: number,
  seed: number,
): BatchHeader | null {
  const bytes = segment.subarray(offset, offset + BATCH_HEADER_BYTES);
  if (bytes.length < BATCH_HEADER_BYTES) return null;
  const reader = new ByteReader(bytes);
  if (reader.u32() !== BATCH_MAGIC) return null;
  const crc = crc32(bytes.subarray(0, BATCH_CRC_AT), batchSeed(seed, offset));
  if (crc !== new ByteReader(bytes, BATCH_CRC_AT).u32()) return null;
  return {
    payloadBytes: reader.u32(),
    number: reader.u64(),
    chain: reader.u32(),
    payloadCrc: reader.u32(),
    crc,
  };
}

/** What stands behind a batch's header; null where it does not match its CRC. */
export function openBatch(
  segment: Uint8Array,
  offset: number,
  header: BatchHeader,
): { readonly payload: Uint8Array; readonly padding: Uint8Array } | null {
  const end = offset + batchExtent(header.payloadBytes);
  assert(end <= segment.length, "the batch ends outside its segment");
  const stored = segment.subarray(offset + BATCH_HEADER_BYTES, end);
  if (crc32(stored) !== header.payloadCrc) return null;
  return {
    payload: stored.subarray(0, header.payloadBytes),
    padding: stored.subarray(header.payloadBytes),
  };
}
