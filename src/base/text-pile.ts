// Texts as bytes, one behind the other, outside the engine's heap: a collection of garbage sees one object
// where there are a thousand texts.
//
// A text comes back as it went in, whatever its units are. It takes a byte for each unit where all of them
// are of Latin-1, else two: the two forms in which the engine itself holds a text, so that writing and
// reading are copies. UTF-8 would lose half of a surrogate pair.

import { assert, must } from "./assert.ts";

const FIRST_BYTES = 4096;
// oxlint-disable-next-line no-control-regex -- every unit of one byte
const NARROW = /^[\0-\u00ff]*$/;

export class TextPile {
  readonly #capacity: number;
  /** Where each text ends; it begins where the one before it ends. */
  readonly #ends: Uint32Array;
  /** 1 for a text of two bytes a unit. */
  readonly #wide: Uint8Array;
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  /** Takes `capacity` texts, of together less than 2^32 bytes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#ends = new Uint32Array(capacity);
    this.#wide = new Uint8Array(capacity);
  }

  push(text: string): void {
    const at = this.#length;
    assert(at < this.#capacity, () => `a text beyond ${this.#capacity}`);
    const isNarrow = NARROW.test(text);
    const from = this.#startOf(at);
    const end = from + (isNarrow ? text.length : 2 * text.length);
    this.#makeRoom(from, end);
    this.#bytes.write(text, from, isNarrow ? "latin1" : "utf16le");
    this.#wide[at] = isNarrow ? 0 : 1;
    this.#ends[at] = end;
    this.#length += 1;
    if (this.#length === this.#capacity) this.#resize(end, end);
  }

  get(at: number): string {
    assert(at < this.#length, () => `text ${at} of ${this.#length}`);
    const encoding = this.#wide[at] === 0 ? "latin1" : "utf16le";
    return this.#bytes.toString(encoding, this.#startOf(at), must(this.#ends[at], "end of a text"));
  }

  #startOf(at: number): number {
    return at === 0 ? 0 : must(this.#ends[at - 1], "start of a text");
  }

  #makeRoom(filled: number, needed: number): void {
    if (needed > this.#bytes.length) {
      this.#resize(filled, Math.max(needed, 2 * this.#bytes.length));
    }
  }

  #resize(filled: number, length: number): void {
    const resized = Buffer.allocUnsafeSlow(length);
    this.#bytes.copy(resized, 0, 0, filled);
    this.#bytes = resized;
  }
}
