// The frames of the protocol between nodes: their layout, their kinds and the bounds of each (bytes
// in DESIGN.md). Encoding asserts what decoding checks. The decoder takes whatever a network may
// deliver: it never throws, allocates nothing for a frame before the frame's length has been found
// allowed, and hands out no frame whose checksum does not hold.

import { assert } from "../base/assert.ts";
import { roomFor, viewOf } from "../base/bytes.ts";
import { crc32 } from "../base/hash.ts";
import { FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX, SNAPSHOT_CHUNK_BYTES } from "../base/limits.ts";

/**
 * u32 payload length, u8 code, three zero bytes, u32 CRC-32 of those eight bytes and the payload.
 */
export const FRAME_HEADER_BYTES = 12;
/** Where in the header the checksum stands; it covers what is before and behind it. */
const CRC_AT = 8;

const FAILURE_TEXT_BYTES_MAX = 4096;

interface Shape {
  readonly code: number;
  /** The bounds of the payload's length. */
  readonly min: number;
  readonly max: number;
}

/**
 * Codes are never used again for something else, so that old and new nodes never misread each
 * other.
 */
const SHAPES = {
  hello: { code: 1, min: 2, max: HANDSHAKE_BYTES_MAX },
  welcome: { code: 2, min: 2, max: HANDSHAKE_BYTES_MAX },
  refuse: { code: 3, min: 2, max: HANDSHAKE_BYTES_MAX },
  ping: { code: 4, min: 4, max: 4 },
  pong: { code: 5, min: 4, max: 4 },
  message: { code: 6, min: 1, max: FRAME_BYTES_MAX },
  "snapshot-begin": { code: 7, min: 57, max: FRAME_BYTES_MAX },
  "snapshot-chunk": { code: 8, min: 9, max: 8 + SNAPSHOT_CHUNK_BYTES },
  "snapshot-end": { code: 9, min: 0, max: 0 },
  "snapshot-progress": { code: 10, min: 8, max: 8 },
  "snapshot-done": { code: 11, min: 0, max: 0 },
  failed: { code: 12, min: 1, max: FAILURE_TEXT_BYTES_MAX },
  "events-request": { code: 13, min: 16, max: 16 },
  "events-block": { code: 14, min: 1, max: FRAME_BYTES_MAX },
  "events-more": { code: 15, min: 0, max: 0 },
  "events-end": { code: 16, min: 0, max: 0 },
} as const satisfies Record<string, Shape>;

export type FrameKind = keyof typeof SHAPES;

// Object.keys forgets the type of a literal's keys.
const KINDS = Object.keys(SHAPES) as FrameKind[];
const KIND_BY_CODE: ReadonlyMap<number, FrameKind> = new Map(
  KINDS.map((kind) => [SHAPES[kind].code, kind]),
);
assert(KIND_BY_CODE.size === KINDS.length, "two kinds of frame share a code");

export interface Frame {
  readonly kind: FrameKind;
  /** May share memory with the bytes it came in. */
  readonly payload: Uint8Array;
}

/** One frame as bytes of its own; `parts` together are the payload. */
export function encodeFrame(kind: FrameKind, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = roomFor(FRAME_HEADER_BYTES + length);
  let at = FRAME_HEADER_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  seal(kind, frame, viewOf(frame), 0, length);
  return frame;
}

/** Writes the header of the frame at `at`, whose payload is already in place behind it. */
function seal(
  kind: FrameKind,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
): void {
  const shape = SHAPES[kind];
  assert(
    length >= shape.min && length <= shape.max,
    () => `a ${kind} frame cannot have ${length} bytes`,
  );
  view.setUint32(at, length, true);
  view.setUint32(at + 4, shape.code, true); // The code, and three zero bytes.
  view.setUint32(at + CRC_AT, checksum(bytes, at, length), true);
}

function checksum(bytes: Uint8Array, at: number, length: number): number {
  const payloadAt = at + FRAME_HEADER_BYTES;
  const head = crc32(bytes.subarray(at, at + CRC_AT));
  return crc32(bytes.subarray(payloadAt, payloadAt + length), head);
}

const GATHER_BYTES_MIN = 1024;

/**
 * Gathers frames behind each other, to be sent in one write. Payloads are copied when they are
 * appended, and never again: the bytes are handed over and a new buffer is begun.
 */
export class FrameGatherer {
  #bytes: Uint8Array = new Uint8Array(0);
  #view = viewOf(this.#bytes);
  #length = 0;
  #nextCapacity = GATHER_BYTES_MIN;

  get length(): number {
    return this.#length;
  }

  append(kind: FrameKind, payload: Uint8Array): void {
    const at = this.#length;
    this.#reserve(at + FRAME_HEADER_BYTES + payload.length);
    this.#bytes.set(payload, at + FRAME_HEADER_BYTES);
    seal(kind, this.#bytes, this.#view, at, payload.length);
    this.#length = at + FRAME_HEADER_BYTES + payload.length;
  }

  /** What was gathered; the gatherer is empty afterwards and keeps nothing of it. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    // The next turn will probably send about as much as this one did.
    this.#nextCapacity = Math.max(GATHER_BYTES_MIN, this.#length);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#view = viewOf(this.#bytes);
    this.#length = 0;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const bigger = roomFor(Math.max(length, 2 * this.#bytes.length, this.#nextCapacity));
    bigger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bigger;
    this.#view = viewOf(bigger);
  }
}

/** The frames that became complete, in order; and, behind them, what ended the stream of frames. */
export interface Decoded {
  readonly frames: readonly Frame[];
  readonly error: string | null;
}

interface Header {
  readonly kind: FrameKind;
  readonly length: number;
  readonly crc: number;
}

/**
 * Takes a stream of bytes apart. After an error it is finished: where the next frame would begin is
 * not known any more. A payload is copied only if its frame came in more than one piece.
 */
export class FrameDecoder {
  #payloadBytesMax: number;
  /** The beginning of a frame whose end has not come; of no use beyond #partialLength. */
  #partial: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES);
  #partialLength = 0;
  #error: string | null = null;

  constructor(payloadLimit = FRAME_BYTES_MAX) {
    this.#payloadBytesMax = payloadLimit;
  }

  /** Allows the longest frames from here on. */
  widen(): void {
    this.#payloadBytesMax = FRAME_BYTES_MAX;
  }

  push(chunk: Uint8Array): Decoded {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length && this.#error === null) {
      at =
        this.#partialLength > 0
          ? this.#continue(chunk, at, frames)
          : this.#begin(chunk, at, frames);
    }
    return { frames, error: this.#error };
  }

  /** Takes a frame that begins at `at`; returns where the one after it begins. */
  #begin(chunk: Uint8Array, at: number, frames: Frame[]): number {
    const left = chunk.length - at;
    if (left < FRAME_HEADER_BYTES) return this.#keep(chunk, at, FRAME_HEADER_BYTES);
    const header = this.#readHeader(chunk, at);
    if (header === null) return chunk.length;
    const total = FRAME_HEADER_BYTES + header.length;
    if (left < total) return this.#keep(chunk, at, total);
    this.#finish(chunk, at, header, frames);
    return at + total;
  }

  /** Keeps the beginning of a frame of `total` bytes, as far as that is known. */
  #keep(chunk: Uint8Array, at: number, total: number): number {
    this.#partial = roomFor(total);
    this.#partial.set(chunk.subarray(at));
    this.#partialLength = chunk.length - at;
    return chunk.length;
  }

  /** Adds to the frame that was begun in an earlier chunk. */
  #continue(chunk: Uint8Array, at: number, frames: Frame[]): number {
    const wanted = this.#partial.length - this.#partialLength;
    const piece = chunk.subarray(at, at + wanted);
    this.#partial.set(piece, this.#partialLength);
    this.#partialLength += piece.length;
    if (piece.length < wanted) return chunk.length;

    const header = this.#readHeader(this.#partial, 0);
    if (header === null) return chunk.length;
    const total = FRAME_HEADER_BYTES + header.length;
    if (this.#partial.length < total) {
      // Only the header was there until now: make room for the rest.
      const whole = roomFor(total);
      whole.set(this.#partial);
      this.#partial = whole;
    } else {
      this.#partialLength = 0;
      this.#finish(this.#partial, 0, header, frames);
    }
    return at + piece.length;
  }

  /** Null, with the error noted, if it cannot be a header. */
  #readHeader(bytes: Uint8Array, at: number): Header | null {
    const view = viewOf(bytes.subarray(at, at + FRAME_HEADER_BYTES));
    const length = view.getUint32(0, true);
    const code = view.getUint32(4, true);
    const kind = KIND_BY_CODE.get(code);
    // Three zero bytes behind the code: with anything else in them the number is no code.
    if (kind === undefined) {
      this.#error = `no such frame: ${code}`;
      return null;
    }
    const shape = SHAPES[kind];
    if (length < shape.min || length > Math.min(shape.max, this.#payloadBytesMax)) {
      this.#error = `a ${kind} frame of ${length} bytes`;
      return null;
    }
    return { kind, length, crc: view.getUint32(CRC_AT, true) };
  }

  #finish(bytes: Uint8Array, at: number, header: Header, frames: Frame[]): void {
    if (checksum(bytes, at, header.length) !== header.crc) {
      this.#error = `a ${header.kind} frame with a wrong checksum`;
      return;
    }
    const payloadAt = at + FRAME_HEADER_BYTES;
    frames.push({
      kind: header.kind,
      payload: bytes.subarray(payloadAt, payloadAt + header.length),
    });
  }
}
