// The disk that a benchmark writes to: a folder on it that goes with the benchmark, and how fast it is at what a
// write waits for, small writes, each durable before the next.

import { constants, closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { isInMemory } from "../../src/env/node/process.ts";

const BLOCK = Buffer.alloc(4096, 0x5a);

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

/** A new folder, which is removed when this process ends, by itself or by a signal. */
export function dataFolder(where: string): string {
  const base = resolve(where);
  if (isInMemory(base)) {
    throw new Error(`${base} is in memory: --folder must name one on a disk`);
  }
  const folder = mkdtempSync(join(base, "bench-data-"));
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => process.exit(1));
  }
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 9 }));
  return folder;
}
