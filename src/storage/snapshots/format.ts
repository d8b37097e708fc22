// A snapshot file: a header with its metadata as JSON, blocks each with a CRC, and a trailer with the
// counts and the SHA-256 of everything before it. DESIGN.md draws it byte by byte. What the blocks mean
// is the state machine's affair.

import { assert } from "../../base/assert.ts";
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from "../../base/bytes.ts";
import { crc32 } from "../../base/hash.ts";
import { SNAPSHOT_BLOCK_BYTES_MAX, SNAPSHOT_META_BYTES_MAX } from "../../base/limits.ts";
import { type ConfState, confStateFromJson, confStateToJson } from "../conf-state.ts";

export const SNAPSHOT_VERSION = 1;
const MAGIC = encodeUtf8("RAFT3DSN");
/** Magic, version, length of the metadata. */
export const HEADER_BYTES = MAGIC.length + 4 + 4;
export const CRC_BYTES = 4;
/** Length and CRC before a block's bytes. */
export const BLOCK_HEADER_BYTES = 4 + CRC_BYTES;
export const SHA_BYTES = 32;
/** A zero where a block's length would be, the number of blocks, the sum of their lengths. */
export const TRAILER_COUNTS_BYTES = 4 + 8 + 8;

/** What a snapshot is of. */
export interface SnapshotMeta {
  readonly clusterId: string;
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  /** Milliseconds since 1970 UTC, for people. */
  readonly createdMs: number;
}

export function encodeHeader(meta: SnapshotMeta): Uint8Array {
  const json = encodeUtf8(
    JSON.stringify({
      format: SNAPSHOT_VERSION,
      cluster_id: meta.clusterId,
      index: meta.index,
      term: meta.term,
      conf_state: confStateToJson(meta.confState),
      created_ms: meta.createdMs,
    }),
  );
  assert(json.length <= SNAPSHOT_META_BYTES_MAX, "a snapshot's metadata is too long");
  const writer = new ByteWriter().raw(MAGIC).u32(SNAPSHOT_VERSION).sized(json);
  return writer.u32(crc32(writer.view())).take();
}

/** Null where the bytes do not begin a snapshot; the version is checked by the caller. */
export function decodeHeaderStart(
  bytes: Uint8Array,
): { readonly version: number; readonly metaBytes: number } | null {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) return null;
  const reader = new ByteReader(bytes, MAGIC.length);
  return { version: reader.u32(), metaBytes: reader.u32() };
}

/** Null where it is no metadata. */
export function decodeMeta(json: Uint8Array): SnapshotMeta | null {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(json));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>; // an object, checked just now
  const { cluster_id: clusterId, index, term, created_ms: createdMs } = fields;
  const confState = confStateFromJson(fields["conf_state"]);
  if (typeof clusterId !== "string" || confState === null) return null;
  if (!isCount(index) || !isCount(term) || !isCount(createdMs)) return null;
  return { clusterId, index, term, confState, createdMs };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The number of a block goes into its CRC, so that a block in another's place does not pass. */
export function blockCrc(number: number, bytes: Uint8Array): number {
  return crc32(bytes, crc32(new ByteWriter(8).u64(number).view()));
}

export function writeBlock(writer: ByteWriter, number: number, bytes: Uint8Array): void {
  assert(bytes.length > 0, "an empty block would look like the end");
  assert(bytes.length <= SNAPSHOT_BLOCK_BYTES_MAX, "a block is too long");
  writer.u32(bytes.length).u32(blockCrc(number, bytes)).raw(bytes);
}

export function writeTrailerCounts(writer: ByteWriter, blocks: number, bytes: number): void {
  writer.u32(0).u64(blocks).u64(bytes);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Uint8Array {
  assert(/^([0-9a-f]{2})*$/.test(text), () => `not hexadecimal: ${text}`);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}
