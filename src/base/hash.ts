// Checksums and digests. The only file outside src/env that imports from Node: both functions are pure.

import { createHash } from "node:crypto";
import { crc32 as zlibCrc32 } from "node:zlib";

/** CRC-32 (IEEE 802.3, as in zlib), continued from `seed`. Detects damage; authenticates nothing. */
export function crc32(bytes: Uint8Array | string, seed = 0): number {
  return zlibCrc32(bytes, seed);
}

/** The first `hexDigits` digits of a SHA-256, for names and fingerprints. */
export function sha256Hex(text: string | Uint8Array, hexDigits = 64): string {
  return createHash("sha256").update(text).digest("hex").slice(0, hexDigits);
}

/** SHA-256 over a stream of pieces. */
export class Sha256 {
  readonly #hash = createHash("sha256");

  update(bytes: Uint8Array | string): this {
    this.#hash.update(bytes);
    return this;
  }

  hex(): string {
    return this.#hash.digest("hex");
  }

  /** Of the pieces so far; more may follow. */
  hexSoFar(): string {
    return this.#hash.copy().digest("hex");
  }
}
