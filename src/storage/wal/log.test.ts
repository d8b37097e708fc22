import { describe, expect, it } from "vitest";
import { must } from "../../base/assert.ts";
import { MARKS_CARRIED_MAX } from "../../base/limits.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import {
  FOUNDERS,
  SMALL_BATCH_BYTES,
  type StorageWorld,
  type TestEntry,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
} from "../../sim/storage-world.ts";
import type { LogRecord } from "./admission.ts";
import { BATCH_FRAME_BYTES } from "./batch-builder.ts";
import { createLog, hasLog } from "./create.ts";
import type { SnapshotMark } from "./items.ts";
import type { Log } from "./log.ts";
import { type RecoveredLog, openLog } from "./open.ts";

const START = { term: 1, vote: 0, commit: 1 };
const FOUNDING: SnapshotMark = { kind: "founding", index: 1, term: 1, confState: FOUNDERS };

interface OpenedLog extends StorageWorld {
  readonly log: Log;
}

async function foundedLog(seed = 1): Promise<OpenedLog> {
  const world = storageWorld(seed);
  await createLog(world.options, START, FOUNDING);
  const { log } = await openLog(world.options);
  return { ...world, log };
}

async function reopened(
  world: StorageWorld,
): Promise<RecoveredLog & { readonly log: Log; readonly list: readonly TestEntry[] }> {
  const { log, recovered } = await openLog(storageWorld(2, world.disk).options);
  const first = recovered.entries.firstIndex;
  const list = first === null ? [] : decodeEntries(recovered.entries.blocks(first, 1000));
  return { ...recovered, log, list };
}

function record(entries: readonly TestEntry[], more: Partial<LogRecord> = {}): LogRecord {
  return { hardState: null, mark: null, entries: encodeEntries(entries), ...more };
}

function localMark(index: number, term = 1): SnapshotMark {
  return { kind: "local", index, term, confState: FOUNDERS };
}

describe("the log", () => {
  it("gives back after a restart what was appended, in order", async () => {
    const world = await foundedLog();
    const first = entriesFrom(2, 1, ["a", "b", "c"]);
    const second = entriesFrom(5, 2, ["d"]);
    await world.log.append(record(first));
    const hardState = { term: 2, vote: 3, commit: 4 };
    await world.log.append(record(second, { hardState }));
    await world.log.close();
    const found = await reopened(world);
    expect(found.hardState).toEqual(hardState);
    expect(found.lastIndex).toBe(5);
    expect(found.list).toEqual([...first, ...second]);
    expect(found.marks).toEqual([FOUNDING]);
    expect(found.torn).toBeNull();
    expect(world.logger.warnings).toEqual([]);
  });

  it("writes what is appended during a write as one batch behind it", async () => {
    const world = await foundedLog();
    const { batches } = world.log.stats;
    const done: number[] = [];
    const appends = [2, 3, 4, 5, 6].map((index) =>
      world.log.append(record(entriesFrom(index, 1, ["x"]))).then(() => done.push(index)),
    );
    await Promise.all(appends);
    expect(world.log.stats.batches - batches).toBe(2);
    expect(done).toEqual([2, 3, 4, 5, 6]);
  });

  it("starts the write in the turn of the append, and knows since when it is under way", async () => {
    const world = await foundedLog();
    const resume = world.disk.hang({ operation: "write", path: /wal$/ });
    await world.clock.advance(70);
    const { operations } = world.disk;
    const appended = world.log.append(record(entriesFrom(2, 1, ["x"])));
    expect(world.disk.operations).toBe(operations + 1);
    expect(world.log.writingSinceMs).toBe(70);
    await world.clock.advance(40);
    resume();
    await appended;
    expect(world.log.writingSinceMs).toBeNull();
    expect(world.log.stats.writeMs).toBe(40);
  });

  it("copies what it is given before append returns", async () => {
    const world = await foundedLog();
    const first = encodeEntries(entriesFrom(2, 1, ["first"]));
    const second = encodeEntries(entriesFrom(3, 1, ["second"]));
    const appends = [first, second].map((entries) =>
      world.log.append({ hardState: null, mark: null, entries }),
    );
    first.fill(0xee);
    second.fill(0xee);
    await Promise.all(appends);
    await world.log.close();
    expect((await reopened(world)).list.map(({ text }) => text)).toEqual(["first", "second"]);
  });

  it("replaces entries by later ones of the same index and drops what stood behind them", async () => {
    const world = await foundedLog();
    await world.log.append(record(entriesFrom(2, 1, ["a", "b", "c", "d"])));
    const hardState = { term: 2, vote: 0, commit: 2 };
    await world.log.append(record(entriesFrom(3, 2, ["B"]), { hardState }));
    expect(world.log.lastIndex).toBe(3);
    await world.log.close();
    const found = await reopened(world);
    expect(found.list).toEqual([...entriesFrom(2, 1, ["a"]), ...entriesFrom(3, 2, ["B"])]);
    expect(found.lastIndex).toBe(3);
  });

  it("goes on behind an installed snapshot as if nothing had been before", async () => {
    const world = await foundedLog();
    await world.log.append(record(entriesFrom(2, 1, ["a", "b"])));
    const mark = { kind: "installed", index: 90, term: 4, confState: FOUNDERS } as const;
    const hardState = { term: 4, vote: 0, commit: 90 };
    await world.log.append(record(entriesFrom(91, 4, ["c"]), { mark, hardState }));
    await world.log.close();
    const found = await reopened(world);
    expect(found.list).toEqual(entriesFrom(91, 4, ["c"]));
    expect(found.marks).toEqual([FOUNDING, mark]);
    expect(found.lastIndex).toBe(91);
  });

  it("splits what is too long for one batch, and never commits what is not there yet", async () => {
    const world = await foundedLog();
    const entries = entriesFrom(
      2,
      1,
      Array.from({ length: 12 }, () => "long ".repeat(100)),
    );
    const hardState = { term: 2, vote: 2, commit: 13 };
    const { batches } = world.log.stats;
    await world.log.append(record(entries, { hardState }));
    expect(world.log.stats.batches - batches).toBeGreaterThan(3);
    const whole = await reopened({ ...world, disk: world.disk.clone() });
    expect(whole.list).toEqual(entries);
    expect(whole.hardState).toEqual(hardState);

    // Cut off behind each of its batches.
    const seen = new Set<number>();
    for (let operation = 1; operation < 40; operation++) {
      const cut = await foundedLog();
      cut.disk.stopAt(cut.disk.operations + operation);
      await Promise.race([cut.log.append(record(entries, { hardState })), cut.disk.stopped]);
      const found = await reopened({ ...cut, disk: cut.disk.crash(new SimRandom(operation)) });
      expect(found.hardState.commit).toBeLessThanOrEqual(found.lastIndex);
      expect(found.list).toEqual(entries.slice(0, found.list.length));
      seen.add(found.list.length);
    }
    expect(seen.size).toBeGreaterThan(3);
  });

  it("lets an entry fill a batch to the last byte, and refuses one that is longer", async () => {
    const world = await foundedLog();
    const overhead = BATCH_FRAME_BYTES + 1 + 4 + 21;
    const longest = "x".repeat(SMALL_BATCH_BYTES - overhead);
    await world.log.append(record(entriesFrom(2, 1, [longest])));
    expect(() => world.log.append(record(entriesFrom(3, 1, [`${longest}x`])))).toThrow("no batch");
    await world.log.close();
    expect((await reopened(world)).list).toEqual(entriesFrom(2, 1, [longest]));
  });

  it("stores data that is nothing but zeros, or any other byte, in any length", async () => {
    const world = await foundedLog();
    const texts = [0, 1, 2, 255].flatMap((byte) =>
      [1, 420, 450, 512, 1024, 1500].map((length) =>
        String.fromCharCode(byte % 128).repeat(length),
      ),
    );
    const entries = entriesFrom(2, 1, texts);
    for (const entry of entries) await world.log.append(record([entry]));
    await world.log.close();
    expect((await reopened(world)).list).toEqual(entries);
  });

  it("takes a higher commit index along with the next batch, without a write of its own", async () => {
    const world = await foundedLog();
    await world.log.append(record(entriesFrom(2, 1, ["a", "b"])));
    const { batches } = world.log.stats;
    world.log.remember({ ...START, commit: 3 });
    expect(world.log.stats.batches).toBe(batches);
    await world.log.append(record(entriesFrom(4, 1, ["c"])));
    await world.log.close();
    expect((await reopened(world)).hardState.commit).toBe(3);
  });

  it("releases segments that a snapshot covers, and keeps its word about what is left", async () => {
    const world = await foundedLog();
    for (let index = 2; index < 60; index++) {
      await world.log.append(record(entriesFrom(index, 1, ["x".repeat(200)])));
    }
    await world.log.append(record([], { mark: localMark(30) }));
    const before = world.log.stats.segments;
    await world.log.release(30);
    expect(world.log.stats.segments).toBeLessThan(before);
    expect(world.disk.files.filter((path) => path.endsWith(".wal"))).toHaveLength(
      world.log.stats.segments,
    );
    await world.log.close();
    const found = await reopened(world);
    expect(found.list[0]?.index).toBeLessThanOrEqual(31);
    expect(found.list.at(-1)?.index).toBe(59);
    expect(found.marks.at(-1)).toEqual(localMark(30));
  });

  it("keeps the segment before one that holds no synced batch yet", async () => {
    const world = await foundedLog();
    for (let index = 2; world.log.stats.segments < 2; index++) {
      await world.log.append(record(entriesFrom(index, 1, ["x".repeat(200)])));
    }
    const newest = world.log.lastIndex;
    await world.log.append(record([], { mark: localMark(newest) }));
    // The next segment gets its name, and then the disk hangs before the first batch in it is written.
    let hang = (): void => undefined;
    const syncFolder = world.disk.syncFolder.bind(world.disk);
    world.disk.syncFolder = async (folder) => {
      world.disk.syncFolder = syncFolder;
      await syncFolder(folder);
      hang = world.disk.hang({ operation: "write", path: /next\.tmp$/ });
    };
    const appends: Promise<void>[] = [];
    for (let term = 2; world.log.stats.segments < 3; term++) {
      appends.push(world.log.append(record([], { hardState: { term, vote: 0, commit: 1 } })));
      await world.clock.advance(0);
    }
    await world.log.release(newest);
    expect(world.log.stats.segments).toBe(2);
    const found = await reopened({ ...world, disk: world.disk.clone().crash(new SimRandom(1)) });
    expect(found.lastIndex).toBeGreaterThanOrEqual(newest);
    expect(found.marks.at(-1)).toEqual(localMark(newest));
    hang();
    await Promise.all(appends);
    await world.log.release(newest);
    expect(world.log.stats.segments).toBe(1);
    await world.log.close();
    expect((await reopened(world)).lastIndex).toBe(newest);
  });

  it("never releases beyond the newest snapshot it vouches for, nor the segment in use", async () => {
    const world = await foundedLog();
    for (let index = 2; index < 60; index++) {
      await world.log.append(record(entriesFrom(index, 1, ["x".repeat(200)])));
    }
    const { segments } = world.log.stats;
    await world.log.release(59);
    expect(world.log.stats.segments).toBe(segments);
    await world.log.append(record([], { mark: localMark(59) }));
    await world.log.release(59);
    expect(world.log.stats.segments).toBe(1);
    await world.log.close();
    expect((await reopened(world)).lastIndex).toBe(59);
  });

  it("carries the newest marks along, so that the segments they were written in can go", async () => {
    const world = await foundedLog();
    for (let index = 2; index < 120; index++) {
      const mark = index > 3 && index % 5 === 0 ? localMark(index - 1) : null;
      await world.log.append(record(entriesFrom(index, 1, ["x".repeat(150)]), { mark }));
    }
    expect(world.log.marks.length).toBeGreaterThan(2 * MARKS_CARRIED_MAX);
    await world.log.release(114);
    expect(world.log.marks).toEqual([localMark(114)]);
    await world.log.close();
    const found = await reopened(world);
    expect(found.list[0]?.index).toBeGreaterThan(100);
    expect(found.marks.slice(-2)).toEqual([localMark(109), localMark(114)]);
    expect(found.marks.length).toBeLessThan(2 * MARKS_CARRIED_MAX);
  });

  // Also where the place is taken already: a file system that copies on write needs room for it again.
  it.each(["EIO", "ENOSPC"] as const)(
    "refuses everything after a write that failed with %s, and tries nothing again",
    async (code) => {
      const world = await foundedLog();
      await world.log.append(record(entriesFrom(2, 1, ["a"])));
      world.disk.failNext({ operation: "write", path: /wal$/ }, code);
      const appends = [3, 4, 5].map((index) =>
        world.log.append(record(entriesFrom(index, 1, ["b"]))),
      );
      const results = await Promise.allSettled(appends);
      expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(world.log.failure).toMatchObject({ name: "DiskError", code });
      const { operations } = world.disk;
      await expect(world.log.append(record(entriesFrom(6, 1, ["c"])))).rejects.toBe(
        world.log.failure,
      );
      await expect(world.log.release(1)).rejects.toBe(world.log.failure);
      await expect(world.log.markSynced()).rejects.toBe(world.log.failure);
      await world.log.close();
      expect(world.disk.operations).toBe(operations);
      // What was acknowledged is there; of the rest, at most what was under way.
      const found = await reopened({ ...world, disk: world.disk.crash(new SimRandom(1)) });
      expect(found.list.map(({ index }) => index)).toEqual(found.lastIndex === 2 ? [2] : [2, 3]);
    },
  );

  it("fails likewise when the next segment, a folder or the sync record cannot be written", async () => {
    const targets = [
      { operation: "write", path: /next\.tmp$/ },
      { operation: "sync", path: /next\.tmp$/ },
      { operation: "rename", path: /next\.tmp$/ },
      { operation: "sync-folder", path: /wal/ },
      { operation: "write", path: /synced$/ },
    ] as const;
    for (const target of targets) {
      const world = await foundedLog();
      await world.log.append(record(entriesFrom(2, 1, ["a"])));
      world.disk.failNext(target, "EIO");
      let refused: unknown = null;
      for (let index = 3; index < 80 && refused === null; index++) {
        const append = world.log.append(record(entriesFrom(index, 1, ["x".repeat(200)])));
        refused = await append.then(
          () => null,
          (error: unknown) => error,
        );
      }
      expect(refused, target.path.source).toMatchObject({ name: "DiskError", code: "EIO" });
      expect(world.log.failure).toBe(refused);
    }
  });

  it("waits for room for its next segment until it needs it, and fails only then", async () => {
    const world = await foundedLog();
    // The segment after the current one is there already; from now on the disk is full.
    await world.clock.advance(1);
    const used = world.disk.files.reduce((sum, path) => sum + world.disk.peek(path).length, 0);
    world.disk.setCapacity(used);
    const segments = world.log.stats.segments;
    let index = 2;
    const append = (): Promise<void> => {
      const entries = entriesFrom(index++, 1, ["x".repeat(200)]);
      return world.log.append(record(entries));
    };
    while (world.log.stats.segments === segments) await append();
    await world.clock.advance(1);
    expect(world.log.failure).toBeNull();
    expect(world.logger.warnings.map(({ message }) => message)).toContain(
      "no room for the next segment of the log",
    );
    // Room again: it goes on as if nothing had been.
    world.disk.setCapacity(1_000_000);
    while (world.log.stats.segments === segments + 1) await append();
    await world.clock.advance(1);
    world.disk.setCapacity(0);
    const failure = await (async () => {
      for (;;) await append();
    })().catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "DiskError", code: "ENOSPC" });
    const found = await reopened({ ...world, disk: world.disk.crash(new SimRandom(1)) }).catch(
      (error: unknown) => error,
    );
    expect(found).toMatchObject({ lastIndex: index - 2 });
  });

  it("asserts what raft must not do", async () => {
    const world = await foundedLog();
    await world.log.append(record(entriesFrom(2, 1, ["a", "b", "c"])));
    await world.log.append(record([], { hardState: { term: 3, vote: 1, commit: 3 } }));
    const refused = (bad: LogRecord): string => {
      try {
        void world.log.append(bad);
        return "accepted";
      } catch (thrown) {
        return String(thrown);
      }
    };
    expect(refused(record(entriesFrom(6, 3, ["gap"])))).toContain("a gap");
    expect(refused(record(entriesFrom(3, 3, ["committed"])))).toContain("is settled");
    expect(refused(record([], { hardState: { term: 2, vote: 1, commit: 3 } }))).toContain("term");
    expect(refused(record([], { hardState: { term: 3, vote: 1, commit: 2 } }))).toContain("commit");
    expect(refused(record([], { hardState: { term: 3, vote: 1, commit: 9 } }))).toContain(
      "entry 9",
    );
    expect(refused(record([], { mark: localMark(9) }))).toContain("no entry 9");
    const stale = { kind: "installed", index: 3, term: 1, confState: FOUNDERS } as const;
    expect(refused(record([], { mark: stale }))).toContain("committed");
    const torn = must(encodeEntries(entriesFrom(5, 3, ["torn"])).subarray(0, -1), "block");
    expect(refused({ hardState: null, mark: null, entries: torn })).toContain("Error");
  });

  it("is there or not, is founded once, and is there for good once it is founded", async () => {
    const world = storageWorld(1);
    expect(await hasLog(world.disk)).toBe(false);
    await createLog(world.options, START, FOUNDING);
    for (let chance = 0; chance < 10; chance++) {
      const after = world.disk.clone().crash(new SimRandom(chance));
      expect(await hasLog(after)).toBe(true);
      expect((await reopened({ ...world, disk: after })).marks).toEqual([FOUNDING]);
    }
    await expect(createLog(world.options, START, FOUNDING)).rejects.toThrow("a log already");
  });
});
