// Every byte of a small log is damaged in turn. Whatever is done to it, the log either says exactly what
// it said before, or refuses with the place of the damage: it never says something else.

import { describe, expect, it } from "vitest";
import { must } from "../../base/assert.ts";
import type { SimDisk } from "../../sim/disk.ts";
import { isUnwrittenAt } from "../../sim/segment-sectors.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import {
  FOUNDERS,
  type StorageWorld,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
} from "../../sim/storage-world.ts";
import { CorruptionError } from "../errors.ts";
import { createLog } from "./create.ts";
import type { LogOptions } from "./log.ts";
import { openLog } from "./open.ts";

const SEGMENT_BYTES = 2048;
const SIZES = { segmentBytes: SEGMENT_BYTES, batchBytesMax: 1024 };

function options(world: StorageWorld): LogOptions {
  return { ...world.options, ...SIZES };
}

/** A log of several segments, with batches of one sector and of two, cleanly closed or not. */
async function writtenLog(isClosed: boolean): Promise<SimDisk> {
  const world = storageWorld(1);
  const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
  await createLog(options(world), { term: 1, vote: 0, commit: 1 }, founding);
  const { log } = await openLog(options(world));
  for (let i = 0; i < 6; i++) {
    const entries = encodeEntries(entriesFrom(2 + i, 2, [`{"n":${i}}`.padEnd(i * 130, " ")]));
    const hardState = { term: 2, vote: 1, commit: 1 + i };
    await log.append({ hardState, mark: null, entries });
  }
  if (!isClosed) return world.disk.crash(new SimRandom(1));
  await log.close();
  return world.disk;
}

interface Outcome {
  readonly says: string;
  readonly warnings: number;
}

async function read(disk: SimDisk): Promise<Outcome | CorruptionError> {
  const world = storageWorld(2, disk);
  try {
    const { log, recovered } = await openLog(options(world));
    const { entries, hardState, lastIndex, marks } = recovered;
    const list = decodeEntries(entries.blocks(2, 4096));
    await log.close();
    const says = JSON.stringify({ hardState, lastIndex, marks, list });
    return { says, warnings: world.logger.warnings.length };
  } catch (thrown) {
    if (thrown instanceof CorruptionError) return thrown;
    throw thrown;
  }
}

async function saysOf(disk: SimDisk): Promise<string> {
  const outcome = await read(disk.clone());
  if (outcome instanceof CorruptionError) throw outcome;
  expect(outcome.warnings).toBe(0);
  return outcome.says;
}

function logFiles(disk: SimDisk): readonly string[] {
  return disk.files.filter((path) => path.endsWith(".wal"));
}

function isUnused(disk: SimDisk, path: string, at: number): boolean {
  return isUnwrittenAt(disk.peek(path), at);
}

/** Damages each byte in turn; every damage to what was written must be refused, with its place. */
async function flipEachByte(disk: SimDisk, files: readonly string[]): Promise<void> {
  const says = await saysOf(disk);
  for (const path of files) {
    const size = disk.peek(path).length;
    for (let at = 0; at < size; at++) {
      // Every byte of what was written; of sectors that never were, some.
      if (at % 32 !== 0 && isUnused(disk, path, at)) continue;
      const damaged = disk.clone();
      damaged.flip(path, at, at % 3 === 0 ? 0xff : 1 << (at % 8));
      const outcome = await read(damaged);
      const where = `${path}, byte ${at}`;
      if (outcome instanceof CorruptionError) {
        expect(outcome.file, where).toBe(path);
        expect(outcome.offset, where).toBeLessThanOrEqual(at);
        expect(outcome.message, where).toContain(`${path}, byte ${outcome.offset}`);
      } else {
        expect(isUnused(disk, path, at), `${where}: damage was not noticed`).toBe(true);
        expect(outcome.says, where).toBe(says);
      }
    }
  }
}

describe("a damaged log", () => {
  it("refuses a flipped byte anywhere in what was written, and loses nothing to one elsewhere", async () => {
    const disk = await writtenLog(true);
    expect(logFiles(disk).length).toBeGreaterThan(2);
    await flipEachByte(disk, logFiles(disk));
  });

  it("refuses it in the last batch too when nothing says that batch was synced", async () => {
    const disk = await writtenLog(false);
    await flipEachByte(disk, logFiles(disk).slice(-1));
  });

  it("refuses a segment cut off at any byte", async () => {
    const disk = await writtenLog(true);
    for (const path of logFiles(disk)) {
      // The last segment at every byte; the size is judged alike in all of them.
      const step = path === logFiles(disk).at(-1) ? 1 : 97;
      for (let size = 0; size < SEGMENT_BYTES; size += step) {
        const damaged = disk.clone();
        damaged.truncate(path, size);
        const outcome = await read(damaged);
        expect(outcome, `${path} cut to ${size}`).toBeInstanceOf(CorruptionError);
        if (outcome instanceof CorruptionError) expect(outcome.file).toBe(path);
      }
    }
  });

  it("refuses when the last segment is gone, from its first answer on", async () => {
    const world = storageWorld(1);
    const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
    await createLog(options(world), { term: 1, vote: 0, commit: 1 }, founding);
    const { log } = await openLog(options(world));
    // The sync record is the slowest of all writes: an answer must not overtake it.
    const release = world.disk.hang({ operation: "write", path: /synced$/ });
    const append = (index: number): Promise<void> => {
      const entries = encodeEntries(entriesFrom(index, 2, ["x".repeat(600)]));
      return log.append({ hardState: { term: 2, vote: 1, commit: 1 }, mark: null, entries });
    };
    await append(2);
    expect(logFiles(world.disk)).toHaveLength(1);
    let isAnswered = false;
    const last = append(3).then(() => (isAnswered = true));
    await new Promise((go) => setTimeout(go, 20));
    expect(logFiles(world.disk)).toHaveLength(2);
    expect(isAnswered).toBe(false);
    release();
    await last;
    const found = world.disk.crash(new SimRandom(1));
    found.lose(must(logFiles(found).at(-1), "last segment"));
    // Also where a slot of the sync record has rotted, whichever.
    const [first, second] = [found.clone(), found.clone()];
    first.flip("wal/synced", 100, 1);
    second.flip("wal/synced", 4096 + 100, 1);
    for (const disk of [found, first, second]) {
      expect(await read(disk)).toMatchObject({ name: "CorruptionError" });
    }
  });

  it("refuses when any one of its files is missing", async () => {
    const disk = await writtenLog(true);
    // Without the first segment the log still says what a later snapshot needs: that case is recovery's.
    for (const path of [...logFiles(disk).slice(1), "wal/synced"]) {
      const damaged = disk.clone();
      await damaged.remove(path);
      expect(await read(damaged), path).toBeInstanceOf(CorruptionError);
    }
  });

  it("goes on with one good slot of the sync record, and says that the other is bad", async () => {
    const disk = await writtenLog(true);
    const says = await saysOf(disk);
    const size = disk.peek("wal/synced").length;
    for (let at = 0; at < size; at++) {
      const isSlot = at < 512 || at >= 4096;
      if (at % (isSlot ? 3 : 512) !== 0) continue;
      const damaged = disk.clone();
      damaged.flip("wal/synced", at, 0x10);
      expect(await read(damaged), `byte ${at}`).toEqual({ says, warnings: isSlot ? 1 : 0 });
      // The next write has mended the bad slot.
      expect(await read(damaged), `byte ${at}`).toEqual({ says, warnings: 0 });
    }
  });

  it("refuses a sync record whose slots are both bad, or that is cut short of them", async () => {
    const disk = await writtenLog(true);
    const both = disk.clone();
    both.flip("wal/synced", 100, 1);
    both.flip("wal/synced", 4096, 1);
    expect(await read(both)).toMatchObject({ name: "CorruptionError", file: "wal/synced" });
    for (const size of [0, 1, 511]) {
      const cut = disk.clone();
      cut.truncate("wal/synced", size);
      expect(await read(cut)).toMatchObject({ name: "CorruptionError", file: "wal/synced" });
    }
  });
});
