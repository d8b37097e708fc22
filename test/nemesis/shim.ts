// What stands between a node and its disk and wall clock: native/shim.c, told what to do through a file.

import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";

/** Where each number stands; the shim's `struct control` is the same. */
const SYNC_DELAY_MS = 0;
const HANG = 1;
const SYNC_ERRNO = 2;
const CLOCK_MS = 3;
const SLOWED = 4;
const HUNG = 5;
const FAILED = 6;
const NUMBERS = 7;

export class Shim {
  readonly #path: string;
  readonly env: Readonly<Record<string, string>>;

  constructor(library: string, path: string) {
    this.#path = path;
    writeFileSync(path, Buffer.alloc(NUMBERS * 8));
    this.env = { LD_PRELOAD: library, RAFT3D_SHIM: path };
  }

  /** Every sync takes so much longer. */
  slow(ms: number): void {
    this.#set(SYNC_DELAY_MS, ms);
  }

  /** Syncs do not come back. */
  hang(): void {
    this.#set(HANG, 1);
  }

  /** Syncs end with an error of the medium. */
  fail(): void {
    this.#set(SYNC_ERRNO, constants.errno.EIO);
  }

  /** The disk is well again; what hung comes back. */
  heal(): void {
    for (const at of [SYNC_DELAY_MS, HANG, SYNC_ERRNO]) this.#set(at, 0);
  }

  shiftClock(ms: number): void {
    this.#set(CLOCK_MS, ms);
  }

  /** Syncs that were touched so far. */
  counts(): { readonly slowed: number; readonly hung: number; readonly failed: number } {
    const bytes = readFileSync(this.#path);
    const at = (index: number): number => Number(bytes.readBigInt64LE(index * 8));
    return { slowed: at(SLOWED), hung: at(HUNG), failed: at(FAILED) };
  }

  #set(index: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    // In place: the node has the file mapped.
    const file = openSync(this.#path, "r+");
    try {
      writeSync(file, bytes, 0, 8, index * 8);
    } finally {
      closeSync(file);
    }
  }
}
