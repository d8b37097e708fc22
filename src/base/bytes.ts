// Little-endian readers and writers for the formats of Raft3D: the core's boundary, the log, frames.

import { assert } from "./assert.ts";

const TWO_32 = 0x1_0000_0000;
const UTF8 = new TextEncoder();
const UTF8_STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Memory for `length` bytes, to be overwritten whole: there is something in it. Small pieces lie together in
 * blocks, because making an ArrayBuffer for each costs more than filling it, here and when garbage is
 * collected. So a piece that is kept for long keeps its neighbours (8 KiB) in memory.
 */
export function roomFor(length: number): Uint8Array {
  return plain(Buffer.allocUnsafe(length));
}

export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = roomFor(bytes.length);
  copy.set(bytes);
  return copy;
}

export function encodeUtf8(text: string): Uint8Array {
  return plain(Buffer.from(text, "utf8"));
}

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

/** The low 32 bits as eight digits. By a table: `toString(16)` is a call into the engine for each number. */
export function hex32(value: number): string {
  const first = `${HEX_OF_BYTE[value >>> 24]}${HEX_OF_BYTE[(value >>> 16) & 0xff]}`;
  return `${first}${HEX_OF_BYTE[(value >>> 8) & 0xff]}${HEX_OF_BYTE[value & 0xff]}`;
}

function plain(piece: Buffer): Uint8Array {
  return new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Writes the text into bytes that are there already, and gives how many it took. Three for each UTF-16
 * unit are enough.
 */
export function encodeUtf8Into(text: string, bytes: Uint8Array): number {
  const { read, written } = UTF8.encodeInto(text, bytes);
  assert(read === text.length, () => `${text.length} units of text in ${bytes.length} bytes`);
  return written;
}

/** Throws a TypeError where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return UTF8_STRICT.decode(bytes);
}

/** Thrown by ByteReader when the input ends before its content; decoders turn it into a result. */
export class ShortInputError extends Error {
  override readonly name = "ShortInputError";
}

/** Reads values off the front of a byte array; never past its end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#at = at;
    this.#end = bytes.length;
  }

  /** Goes to `at`, and lets nothing be read from `end` on. */
  seek(at: number, end: number): this {
    assert(at <= end && end <= this.#bytes.length, () => `no bytes ${at} to ${end}`);
    this.#at = at;
    this.#end = end;
    return this;
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  #take(length: number): number {
    if (this.left < length) throw new ShortInputError(`need ${length} bytes at ${this.#at}`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** An unsigned 64-bit number that must be a safe integer. */
  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
    assert(Number.isSafeInteger(value), () => `number past 2^53 at offset ${at}`);
    return value;
  }

  /** A view of the next `length` bytes: it shares the input's memory. */
  view(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  copy(length: number): Uint8Array {
    return copyOf(this.view(length));
  }

  /** A copy of bytes written with their length before them (u32). */
  sizedCopy(): Uint8Array {
    return this.copy(this.u32());
  }

  /** A view of bytes written with their length before them (u32). */
  sized(): Uint8Array {
    return this.view(this.u32());
  }

  text(): string {
    return decodeUtf8(this.sized());
  }
}

/** Appends values to a buffer that grows by doubling and may be reused with `reset`. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = roomFor(capacity);
    this.#view = viewOf(this.#bytes);
  }

  get length(): number {
    return this.#length;
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  // Replaces the buffer and its view: take the offset first, then touch them.
  #grow(by: number): number {
    const at = this.#length;
    const needed = at + by;
    if (needed > this.#bytes.length) {
      const bigger = roomFor(Math.max(needed, this.#bytes.length * 2));
      bigger.set(this.#bytes.subarray(0, at));
      this.#bytes = bigger;
      this.#view = viewOf(bigger);
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, () => `not an unsigned number: ${value}`);
    const at = this.#grow(8);
    this.#view.setUint32(at, value % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_32), true);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  sized(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  text(value: string): this {
    return this.sized(encodeUtf8(value));
  }

  zeros(count: number): this {
    const at = this.#grow(count);
    this.#bytes.fill(0, at, at + count);
    return this;
  }

  /** Overwrites four bytes already written. */
  setU32(at: number, value: number): this {
    assert(at + 4 <= this.#length, "overwrite past the end");
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** A view of what was written: valid until the next write or reset. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return copyOf(this.view());
  }
}
