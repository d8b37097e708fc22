// The next segment, made ready while the current one fills: filled with zeros and synced, so that a
// batch written into it changes no metadata, and so that what was never written reads as zeros. It is
// never made out of an old segment: old records behind the tail would be taken for new ones.

import { ZERO_FILL_BYTES } from "../../base/limits.ts";
import { toError } from "../../base/assert.ts";
import { type Disk, DiskError } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { WAL_FOLDER } from "../names.ts";

export const NEXT_SEGMENT_PATH = `${WAL_FOLDER}/next.tmp`;

type Made = { readonly ok: true } | { readonly ok: false; readonly error: Error };

export class NextSegment {
  readonly #disk: Disk;
  readonly #logger: Logger;
  readonly #bytes: number;
  #making: Promise<Made> | null = null;

  constructor(disk: Disk, logger: Logger, bytes: number) {
    this.#disk = disk;
    this.#logger = logger;
    this.#bytes = bytes;
  }

  /** Begins making it in the background. */
  prepare(): void {
    this.#making ??= this.#make();
  }

  /** Resolves when the file is ready under NEXT_SEGMENT_PATH; from then on it is the caller's. */
  async take(): Promise<void> {
    this.prepare();
    let made = await this.#making;
    // A disk that was full while nobody needed the segment may have room by now. Nothing of the failed
    // attempt is used again; any other failure is final.
    if (made?.ok === false && isFull(made.error)) made = await this.#make();
    this.#making = null;
    if (made?.ok === false) throw made.error;
  }

  /** Waits until nothing is under way; a file that was made is left for the next start to remove. */
  async settle(): Promise<void> {
    await this.#making;
  }

  async #make(): Promise<Made> {
    try {
      await removeNextSegment(this.#disk);
      await writeZeros(this.#disk, NEXT_SEGMENT_PATH, this.#bytes);
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

/** Makes a file of zeros, synced. It is synced piece by piece so that other syncs get in between. */
export async function writeZeros(disk: Disk, path: string, bytes: number): Promise<void> {
  const file = await disk.open(path, "create");
  try {
    const zeros = new Uint8Array(Math.min(bytes, ZERO_FILL_BYTES));
    for (let at = 0; at < bytes; at += zeros.length) {
      await file.write(at, zeros.subarray(0, Math.min(zeros.length, bytes - at)));
      await file.sync();
    }
  } finally {
    await file.close();
  }
}
