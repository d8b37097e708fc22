// The next segment, made ready while the current one fills: filled (fill.ts) and synced, so that a batch
// written into it changes no metadata, and so that what was never written is known for it. Its sequence
// and salt are fixed here, because the fill is made from them; the rest of its header comes later. It is
// never made out of an old segment: old records behind the tail would be taken for new ones.

import { SEGMENT_FILL_BYTES } from "../../base/limits.ts";
import { assert, must, toError } from "../../base/assert.ts";
import { type Disk, DiskError } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import type { Random } from "../../env/random.ts";
import { WAL_FOLDER } from "../names.ts";
import { type FillKey, writeFill } from "./fill.ts";

export const NEXT_SEGMENT_PATH = `${WAL_FOLDER}/next.tmp`;

type Made = { readonly ok: true } | { readonly ok: false; readonly error: Error };

export class NextSegment {
  readonly #disk: Disk;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #bytes: number;
  #prepared: { readonly key: FillKey; readonly making: Promise<Made> } | null = null;

  constructor(disk: Disk, random: Random, logger: Logger, bytes: number) {
    this.#disk = disk;
    this.#random = random;
    this.#logger = logger;
    this.#bytes = bytes;
  }

  /** Begins making the segment of this number in the background. */
  prepare(sequence: number): void {
    assert(this.#prepared === null, "the segment prepared last is not taken yet");
    const key: FillKey = { sequence, salt: this.#random.u32() };
    this.#prepared = { key, making: this.#make(key) };
  }

  /**
   * Resolves when the segment that was prepared is ready under NEXT_SEGMENT_PATH, with what its header
   * must say; from then on it is the caller's.
   */
  async take(): Promise<FillKey> {
    const { key, making } = must(this.#prepared, "a segment that was prepared");
    let made = await making;
    // A disk that was full while nobody needed the segment may have room by now. Nothing of the failed
    // attempt is used again; any other failure is final.
    if (!made.ok && isFull(made.error)) made = await this.#make(key);
    this.#prepared = null;
    if (!made.ok) throw made.error;
    return key;
  }

  /** Waits until nothing is under way; a file that was made is left for the next start to remove. */
  async settle(): Promise<void> {
    await this.#prepared?.making;
  }

  async #make(key: FillKey): Promise<Made> {
    try {
      await removeNextSegment(this.#disk);
      await writeFilled(this.#disk, NEXT_SEGMENT_PATH, this.#bytes, key);
      return { ok: true };
    } catch (thrown) {
      const error = toError(thrown);
      return isFull(error) ? await this.#giveUp(error) : { ok: false, error };
    }
  }

  /** The disk is full: at least the room that the attempt took is given back. */
  async #giveUp(error: Error): Promise<Made> {
    this.#logger.warn("no room for the next segment of the log", { reason: error.message });
    try {
      await removeNextSegment(this.#disk);
      return { ok: false, error };
    } catch (thrown) {
      return { ok: false, error: toError(thrown) };
    }
  }
}

function isFull(error: Error): boolean {
  return error instanceof DiskError && error.code === "ENOSPC";
}

/** Removes what a start before this one left behind. */
export async function removeNextSegment(disk: Disk): Promise<void> {
  if ((await disk.stat(NEXT_SEGMENT_PATH)) !== null) await disk.remove(NEXT_SEGMENT_PATH);
}

/** Makes a file of fill, synced. It is synced piece by piece so that other syncs get in between. */
export async function writeFilled(
  disk: Disk,
  path: string,
  bytes: number,
  key: FillKey,
): Promise<void> {
  const file = await disk.open(path, "create");
  try {
    const block = new Uint8Array(Math.min(bytes, SEGMENT_FILL_BYTES));
    for (let at = 0; at < bytes; at += block.length) {
      const piece = block.subarray(0, Math.min(block.length, bytes - at));
      writeFill(piece, at, key);
      await file.write(at, piece);
      await file.sync();
    }
  } finally {
    await file.close();
  }
}
