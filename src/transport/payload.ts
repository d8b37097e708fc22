// What is inside the binary frames (handshakes are JSON: hello.ts). Decoders are given payloads
// whose checksum and length bounds hold, from a peer that may still be wrong: they answer null for
// what makes no sense, and never throw.

import { assert } from "../base/assert.ts";
import { logIndex, term, type LogIndex, type Term } from "../base/brand.ts";
import { ByteWriter, decodeUtf8, encodeUtf8 } from "../base/bytes.ts";

const SHA256_BYTES = 32;
const SHA256_HEX = /^[0-9a-f]{64}$/;
const TWO_32 = 0x1_0000_0000;
/**
 * A refusal or failure says at most this much (UTF-16 units), so that it fits its frame in any
 * script.
 */
export const MESSAGE_CHARS_MAX = 1000;

/** An unsigned 64-bit number; null if it is past 2^53 and so not exact here. */
function readU64(bytes: Uint8Array, at: number): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
  return Number.isSafeInteger(value) ? value : null;
}

export function encodeU64(value: number): Uint8Array {
  return new ByteWriter(8).u64(value).take();
}

export function decodeU64(payload: Uint8Array): number | null {
  return readU64(payload, 0);
}

export function encodePing(number: number): Uint8Array {
  return new ByteWriter(4).u32(number).take();
}

export function decodePing(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0, true);
}

export interface SnapshotBegin {
  readonly index: LogIndex;
  readonly term: Term;
  readonly bytes: number;
  readonly sha256: string;
  readonly message: Uint8Array;
}

/** u64 index, u64 term, u64 bytes, 32 bytes of SHA-256, the raft message. */
export function encodeSnapshotBegin(begin: SnapshotBegin): Uint8Array {
  const writer = new ByteWriter(64 + begin.message.length);
  writer.u64(begin.index).u64(begin.term).u64(begin.bytes);
  return writer.raw(fromHex(begin.sha256)).raw(begin.message).take();
}

export function decodeSnapshotBegin(payload: Uint8Array): SnapshotBegin | null {
  const index = readU64(payload, 0);
  const itsTerm = readU64(payload, 8);
  const bytes = readU64(payload, 16);
  if (index === null || itsTerm === null || bytes === null) return null;
  return {
    index: logIndex(index),
    term: term(itsTerm),
    bytes,
    sha256: toHex(payload.subarray(24, 24 + SHA256_BYTES)),
    message: payload.subarray(24 + SHA256_BYTES),
  };
}

export interface SnapshotChunk {
  readonly at: number;
  readonly data: Uint8Array;
}

/** u64 offset, the data. */
export function decodeSnapshotChunk(payload: Uint8Array): SnapshotChunk | null {
  const at = readU64(payload, 0);
  return at === null ? null : { at, data: payload.subarray(8) };
}

export interface EventsRange {
  readonly after: number;
  readonly through: number;
}

/** u64 after, u64 through. */
export function encodeEventsRange(range: EventsRange): Uint8Array {
  return new ByteWriter(16).u64(range.after).u64(range.through).take();
}

export function decodeEventsRange(payload: Uint8Array): EventsRange | null {
  const after = readU64(payload, 0);
  const through = readU64(payload, 8);
  return after === null || through === null ? null : { after, through };
}

export function encodeFailure(message: string): Uint8Array {
  return encodeUtf8(message === "" ? "no reason given" : message.slice(0, MESSAGE_CHARS_MAX));
}

export function decodeFailure(payload: Uint8Array): string {
  try {
    return decodeUtf8(payload);
  } catch {
    return "a failure that cannot be read";
  }
}

function fromHex(text: string): Uint8Array {
  assert(SHA256_HEX.test(text), () => `not a SHA-256: ${text}`);
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
