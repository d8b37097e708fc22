import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../base/bytes.ts";
import { sha256Hex } from "../../base/hash.ts";
import { SNAPSHOT_SLICE_BYTES } from "../../base/limits.ts";
import { type SimDisk, immediateDisk } from "../../sim/disk.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import { FOUNDERS, RecordingLogger, madeOf } from "../../sim/storage-world.ts";
import { CorruptionError, ReceivedFileError, SnapshotSpaceError } from "../errors.ts";
import type { SnapshotMeta } from "./format.ts";
import { type SnapshotId, SnapshotStore, snapshotPath } from "./snapshot-store.ts";

const CLUSTER = "test-cluster";

function metaAt(index: number, term = 3): SnapshotMeta {
  return { clusterId: CLUSTER, index, term, confState: FOUNDERS, createdMs: 1_767_225_600_000 };
}

function blocksOf(count: number, bytes = 300): readonly Uint8Array[] {
  const random = new SimRandom(count);
  return Array.from({ length: count }, (_, i) => {
    const block = new Uint8Array(bytes + i);
    random.fill(block);
    return block;
  });
}

async function openStore(disk: SimDisk = newDisk(), clusterId = CLUSTER): Promise<SnapshotStore> {
  return SnapshotStore.open({ disk, logger: new RecordingLogger(), clusterId });
}

function newDisk(): SimDisk {
  return immediateDisk(new SimRandom(1));
}

async function load(store: SnapshotStore, { index, term }: SnapshotId): Promise<unknown> {
  const blocks: Uint8Array[] = [];
  const meta = await store.load(index, term, (block) => void blocks.push(block.slice()));
  return { meta, blocks };
}

/** The whole file as a peer would read it, in uneven pieces. */
async function stream(store: SnapshotStore, id: SnapshotId): Promise<Uint8Array> {
  const reader = await store.open(id.index, id.term);
  const bytes = new Uint8Array(reader.bytes);
  for (let at = 0; at < bytes.length;) {
    const piece = await reader.read(at, Math.min(777, bytes.length - at));
    bytes.set(piece, at);
    at += piece.length;
  }
  expect(sha256Hex(bytes)).toBe(reader.sha256);
  await reader.close();
  return bytes;
}

async function send(to: SnapshotStore, file: Uint8Array, id: SnapshotId): Promise<SnapshotMeta> {
  const sink = await to.receive({ ...id, bytes: file.length, sha256: sha256Hex(file) });
  for (let at = 0; at < file.length; at += 500) await sink.write(at, file.slice(at, at + 500));
  return sink.finish();
}

describe("the snapshot store", () => {
  it("gives back the blocks and the metadata it was given, also after a restart", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    const blocks = blocksOf(13);
    await store.write(metaAt(20), madeOf(blocks));
    expect(await load(store, metaAt(20))).toEqual({ meta: metaAt(20), blocks });
    const again = await openStore(disk.crash(new SimRandom(3)));
    expect(again.list()).toMatchObject([{ index: 20, term: 3 }]);
    expect(await load(again, metaAt(20))).toEqual({ meta: metaAt(20), blocks });
  });

  it("holds an empty state, which has no blocks", async () => {
    const store = await openStore();
    await store.write(metaAt(2), madeOf([]));
    expect(await load(store, metaAt(2))).toEqual({ meta: metaAt(2), blocks: [] });
  });

  it("lets others have their turn after every few blocks", async () => {
    const store = await openStore();
    let made = 0;
    let pauses = 0;
    function* counted(): Generator<Uint8Array> {
      for (const block of blocksOf(11, SNAPSHOT_SLICE_BYTES / 2)) {
        made += 1;
        yield block;
      }
    }
    const pause = (): Promise<void> => {
      pauses += 1;
      expect(made).toBe(2 * pauses);
      return Promise.resolve();
    };
    await store.write(metaAt(9), madeOf(counted(), pause));
    expect(pauses).toBe(5);
  });

  it("finds damage to any byte, and says in which file and where", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(20), madeOf(blocksOf(3, 60)));
    const path = snapshotPath(metaAt(20));
    const size = disk.peek(path).length;
    for (let at = 0; at < size; at++) {
      const damaged = disk.clone();
      damaged.flip(path, at, 1 << (at % 8));
      const outcome = await load(await openStore(damaged), metaAt(20)).catch((e: unknown) => e);
      expect(outcome, `byte ${at}`).toBeInstanceOf(CorruptionError);
      if (!(outcome instanceof CorruptionError)) continue;
      expect(outcome.file).toBe(path);
      // Damage to a length shows where the next piece should begin, so behind it.
      expect(outcome.offset, `byte ${at}`).toBeLessThanOrEqual(size);
    }
  });

  it("gives no damaged block away, not even before it has come to the end", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    const blocks = blocksOf(6);
    await store.write(metaAt(20), madeOf(blocks));
    const path = snapshotPath(metaAt(20));
    for (let at = 300; at < disk.peek(path).length; at += 97) {
      const damaged = disk.clone();
      damaged.flip(path, at, 8);
      const taken: Uint8Array[] = [];
      const again = await openStore(damaged);
      const load = again.load(20, 3, (block) => void taken.push(block.slice()));
      await expect(load).rejects.toBeInstanceOf(CorruptionError);
      expect(taken).toEqual(blocks.slice(0, taken.length));
    }
  });

  it("finds a file cut off at any byte, and one with something behind its end", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(20), madeOf(blocksOf(3, 60)));
    const path = snapshotPath(metaAt(20));
    const size = disk.peek(path).length;
    for (let left = 0; left < size; left++) {
      const damaged = disk.clone();
      damaged.truncate(path, left);
      const outcome = await load(await openStore(damaged), metaAt(20)).catch((e: unknown) => e);
      expect(outcome, `cut to ${left}`).toMatchObject({ name: "CorruptionError", file: path });
    }
    const longer = disk.clone();
    const file = await longer.open(path, "write");
    await file.write(size, encodeUtf8("x"));
    await expect(load(await openStore(longer), metaAt(20))).rejects.toMatchObject({
      name: "CorruptionError",
      offset: size,
    });
  });

  it("refuses a file that was renamed, and one of another cluster", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(20), madeOf(blocksOf(2)));
    await disk.rename(snapshotPath(metaAt(20)), snapshotPath({ index: 21, term: 3 }));
    const renamed = await openStore(disk);
    await expect(renamed.load(21, 3, () => undefined)).rejects.toMatchObject({
      name: "CorruptionError",
    });
    await disk.rename(snapshotPath({ index: 21, term: 3 }), snapshotPath(metaAt(20)));
    const foreign = await openStore(disk, "other-cluster");
    await expect(foreign.load(20, 3, () => undefined)).rejects.toMatchObject({
      name: "ClusterMismatchError",
    });
  });

  it("keeps the newest that the log vouches for and what is newer, and removes the rest", async () => {
    const store = await openStore();
    for (const index of [10, 20, 30, 40, 50]) {
      await store.write(metaAt(index), madeOf(blocksOf(1)));
    }
    // 50 is on its way: its mark is not in the log yet. 30 was never marked.
    const marks = [10, 20, 40].map((index) => metaAt(index));
    await store.prune(2, marks);
    expect(store.list().map(({ index }) => index)).toEqual([20, 30, 40, 50]);
    await store.removeStrays(marks);
    expect(store.list().map(({ index }) => index)).toEqual([20, 40]);
    await store.prune(2, marks.slice(2));
    expect(store.list().map(({ index }) => index)).toEqual([20, 40]);
    await store.discard(20, 3);
    expect(store.list().map(({ index }) => index)).toEqual([40]);
  });

  it("keeps a file that is being sent until its reader is closed", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    for (const index of [10, 20]) {
      await store.write(metaAt(index), madeOf(blocksOf(4)));
    }
    const reader = await store.open(10, 3);
    const second = await store.open(10, 3);
    await store.prune(1, [metaAt(10), metaAt(20)]);
    expect(store.list().map(({ index }) => index)).toEqual([20]);
    expect(disk.files).toContain(snapshotPath(metaAt(10)));
    expect((await reader.read(0, 8)).length).toBe(8);
    await reader.close();
    await reader.close();
    expect(disk.files).toContain(snapshotPath(metaAt(10)));
    await second.close();
    expect(disk.files).toEqual([snapshotPath(metaAt(20))]);
  });

  it("does not send a file that its own disk has spoilt", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(10), madeOf(blocksOf(4)));
    disk.flip(snapshotPath(metaAt(10)), 700, 2);
    await expect(store.open(10, 3)).rejects.toBeInstanceOf(CorruptionError);
    await expect(store.open(11, 3)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("checks a file again before it is sent once more, if the last transfer gave a reason to doubt it", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(10), madeOf(blocksOf(4)));
    await (await store.open(10, 3)).close();
    disk.flip(snapshotPath(metaAt(10)), 700, 2);
    await (await store.open(10, 3)).close(); // believed: it was good a moment ago
    store.doubt(10);
    await expect(store.open(10, 3)).rejects.toBeInstanceOf(CorruptionError);
    store.retire({ index: 10, term: 3 });
    expect(store.has({ index: 10, term: 3 })).toBe(false);
    await store.write(metaAt(10), madeOf(blocksOf(4)));
    await (await store.open(10, 3)).close();
  });

  it("lets go of one that could not be read only when the log vouches for a newer one", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    const blocks = blocksOf(4);
    await store.write(metaAt(10), madeOf(blocks));
    disk.failNext({ operation: "open", path: /^snapshots/ }, "EIO");
    await expect(store.open(10, 3)).rejects.toMatchObject({ code: "EIO" });
    store.retire(metaAt(10));
    // The power fails before there is another one: this one was good all the time.
    const after = await openStore(disk.clone().crash(new SimRandom(7)));
    expect(await load(after, metaAt(10))).toEqual({ meta: metaAt(10), blocks });
    await store.write(metaAt(20), madeOf(blocksOf(2)));
    await store.prune(2, [metaAt(10)]);
    expect(disk.files).toContain(snapshotPath(metaAt(10)));
    await store.prune(2, [metaAt(10), metaAt(20)]);
    expect(disk.files).toEqual([`${snapshotPath(metaAt(10))}.damaged`, snapshotPath(metaAt(20))]);
  });

  it("gives a received file its name only when all of it is what was announced", async () => {
    const sender = await openStore();
    const blocks = blocksOf(9);
    await sender.write(metaAt(33), madeOf(blocks));
    const file = await stream(sender, metaAt(33));
    const disk = newDisk();
    const store = await openStore(disk);
    expect(await send(store, file, { index: 33, term: 3 })).toEqual(metaAt(33));
    expect(await load(store, metaAt(33))).toEqual({ meta: metaAt(33), blocks });
    const after = await openStore(disk.crash(new SimRandom(5)));
    expect(await load(after, metaAt(33))).toEqual({ meta: metaAt(33), blocks });
  });

  it("leaves nothing of a received file that is damaged, foreign, of another index, short or long", async () => {
    const sender = await openStore();
    await sender.write(metaAt(33), madeOf(blocksOf(2, 100)));
    const file = await stream(sender, metaAt(33));
    const disk = newDisk();
    const store = await openStore(disk);
    const bad = async (bytes: Uint8Array, id: SnapshotId, to = store): Promise<void> => {
      const sink = await to.receive({ ...id, bytes: bytes.length, sha256: sha256Hex(bytes) });
      await sink.write(0, bytes);
      await expect(sink.finish()).rejects.toBeInstanceOf(ReceivedFileError);
      await sink.abort();
      expect(disk.files).toEqual([]);
      expect(to.list()).toEqual([]);
    };
    for (let at = 0; at < file.length; at += 7) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 32;
      await bad(damaged, { index: 33, term: 3 });
    }
    await bad(file, { index: 34, term: 3 });
    await bad(file, { index: 33, term: 4 });
    await bad(file, { index: 33, term: 3 }, await openStore(disk, "other"));

    const offer = { index: 33, term: 3, bytes: file.length, sha256: sha256Hex(file) };
    const short = await store.receive(offer);
    await short.write(0, file.slice(0, 100));
    await expect(short.write(101, file.slice(101))).rejects.toBeInstanceOf(ReceivedFileError);
    await expect(short.finish()).rejects.toBeInstanceOf(ReceivedFileError);
    await short.abort();
    const long = await store.receive({ ...offer, bytes: 50 });
    await expect(long.write(0, file)).rejects.toBeInstanceOf(ReceivedFileError);
    await long.abort();
    const other = await store.receive({ ...offer, sha256: "0".repeat(64) });
    await other.write(0, file);
    await expect(other.finish()).rejects.toThrow("SHA-256");
    await other.abort();
    await other.abort();
    expect(disk.files).toEqual([]);
  });

  it("gives the room back when the disk is full, and says so in a way one can wait for", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(10), madeOf(blocksOf(2)));
    const used = disk.peek(snapshotPath(metaAt(10))).length;
    disk.setCapacity(used + 2000);
    const write = store.write(metaAt(20), madeOf(blocksOf(30)));
    await expect(write).rejects.toBeInstanceOf(SnapshotSpaceError);
    expect(disk.files).toEqual([snapshotPath(metaAt(10))]);
    const sink = await store.receive({ index: 30, term: 3, bytes: 5000, sha256: "0".repeat(64) });
    await expect(sink.write(0, new Uint8Array(5000))).rejects.toBeInstanceOf(SnapshotSpaceError);
    await sink.abort();
    expect(disk.files).toEqual([snapshotPath(metaAt(10))]);
    disk.setCapacity(1_000_000);
    await store.write(metaAt(20), madeOf(blocksOf(30)));
    expect(store.list().map(({ index }) => index)).toEqual([10, 20]);
  });

  it.each(["EIO", "ENOSPC"] as const)(
    "treats a sync that failed with %s as a failed disk",
    async (code) => {
      const disk = newDisk();
      const store = await openStore(disk);
      disk.failNext({ operation: "sync", path: /snapshots/ }, code);
      const write = store.write(metaAt(10), madeOf(blocksOf(2)));
      await expect(write).rejects.toMatchObject({ name: "DiskError", code });
      expect(store.list()).toEqual([]);
    },
  );

  it("passes an error of its source on and leaves nothing behind", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    function* broken(): Generator<Uint8Array> {
      yield* blocksOf(5);
      throw new Error("the state cannot be written");
    }
    await expect(store.write(metaAt(10), madeOf(broken()))).rejects.toThrow("cannot be written");
    expect(store.list()).toEqual([]);
    expect(disk.files).toEqual([]);
  });

  it("clears away what an earlier process never finished", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    const sink = await store.receive({ index: 1, term: 1, bytes: 900, sha256: "0".repeat(64) });
    await sink.write(0, new Uint8Array(500));
    const killed = disk.kill(new SimRandom(1));
    expect(killed.files).toHaveLength(1);
    expect((await openStore(killed)).list()).toEqual([]);
    expect(killed.files).toEqual([]);
  });

  it("takes no second file for a snapshot that it has", async () => {
    const disk = newDisk();
    const store = await openStore(disk);
    await store.write(metaAt(10), madeOf(blocksOf(2)));
    const { operations } = disk;
    await store.write(metaAt(10), madeOf(blocksOf(2)));
    expect(disk.operations).toBe(operations);
  });
});
