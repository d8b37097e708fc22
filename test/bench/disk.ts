// How fast the disk is at what a write waits for: small writes, each durable before the next.

import { constants, openSync, closeSync, writeSync, statfsSync } from "node:fs";
import { join } from "node:path";

const BLOCK = Buffer.alloc(4096, 0x5a);
const TMPFS = 0x01_02_19_94;

/** Writes of 4 KiB a second, opened O_DSYNC, one behind the other over a file that is there already. */
export function syncsPerSecond(folder: string, seconds: number): number {
  const path = join(folder, "syncs");
  const blocks = 1024;
  const prepared = openSync(path, "w");
  for (let at = 0; at < blocks; at++) writeSync(prepared, BLOCK);
  closeSync(prepared);
  const file = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
  const end = performance.now() + seconds * 1000;
  let count = 0;
  try {
    for (; performance.now() < end; count++) {
      writeSync(file, BLOCK, 0, BLOCK.length, (count % blocks) * BLOCK.length);
    }
  } finally {
    closeSync(file);
  }
  return count / seconds;
}

/** A folder in memory would make every sync free. */
export function isInMemory(folder: string): boolean {
  return statfsSync(folder).type === TMPFS;
}
