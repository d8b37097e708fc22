import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../base/bytes.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { SimDisk } from "../sim/disk.ts";
import {
  FOUNDERS,
  type StorageWorld,
  type TestEntry,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
  madeOf,
} from "../sim/storage-world.ts";
import { nodeId } from "../base/brand.ts";
import { CorruptionError } from "./errors.ts";
import { type Recovered, createStorage, hasLog, recover, releaseIndex } from "./recovery.ts";
import { snapshotPath } from "./snapshots/snapshot-store.ts";

const FOUNDING = { index: 1, term: 1, confState: FOUNDERS };
const FOURTH = nodeId(4);

interface Started extends Recovered {
  readonly world: StorageWorld;
  readonly entries: readonly TestEntry[];
  /** What the snapshot's blocks said. */
  readonly restored: string;
}

async function start(disk?: SimDisk): Promise<Started> {
  const world = storageWorld(3, disk);
  if (!(await hasLog(world.disk))) await createStorage({ ...world.options, founding: FOUNDING });
  let restored = "";
  const recovered = await recover({
    ...world.options,
    restore: () => {
      restored = "";
      return (block) => void (restored += new TextDecoder().decode(block));
    },
  });
  return { ...recovered, world, entries: decodeEntries(recovered.entryBlocks), restored };
}

async function append(node: Started, first: number, count: number, term = 1): Promise<void> {
  const texts = Array.from({ length: count }, (_, i) => `entry ${first + i} `.padEnd(90, "."));
  const entries = encodeEntries(entriesFrom(first, term, texts));
  const hardState = { term, vote: 1, commit: first + count - 1 };
  await node.log.append({ hardState, mark: null, entries });
}

/** Takes a snapshot as a node does: file, mark, then what is old goes. */
async function snapshot(node: Started, index: number, term = 1): Promise<void> {
  const meta = { clusterId: "test-cluster", index, term, confState: FOUNDERS, createdMs: 5 };
  const blocks = [`state at ${index}, `, "and more"].map(encodeUtf8);
  await node.snapshots.write(meta, madeOf(blocks));
  const mark = { kind: "local", index, term, confState: FOUNDERS } as const;
  await node.log.append({ hardState: null, mark, entries: null });
  await node.snapshots.prune(2, node.log.marks);
  await node.log.release(releaseIndex(node.snapshots.list()));
}

async function install(node: Started, index: number, term: number): Promise<void> {
  const meta = { clusterId: "test-cluster", index, term, confState: FOUNDERS, createdMs: 5 };
  await node.snapshots.write(meta, madeOf([encodeUtf8(`installed at ${index}`)]));
  const mark = { kind: "installed", index, term, confState: FOUNDERS } as const;
  await node.log.append({ hardState: { term, vote: 0, commit: index }, mark, entries: null });
}

function indexes(entries: readonly TestEntry[]): readonly number[] {
  return entries.map(({ index }) => index);
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

describe("recovery", () => {
  it("starts a new node from the empty farm and the founders", async () => {
    const node = await start();
    expect(node.snapshot).toEqual({ index: 1, term: 1, confState: FOUNDERS, meta: null });
    expect(node.base).toEqual({ index: 1, term: 1 });
    expect(node.lastIndex).toBe(1);
    expect(node.hardState).toEqual({ term: 1, vote: 0, commit: 1 });
    expect(node.entries).toEqual([]);
  });

  it("starts from the newest snapshot, with the entries behind it and those kept before it", async () => {
    const node = await start();
    await append(node, 2, 20);
    await snapshot(node, 15);
    await append(node, 22, 4, 2);
    await node.log.close();
    const again = await start(node.world.disk);
    expect(again.snapshot).toMatchObject({ index: 15, term: 1, confState: FOUNDERS });
    expect(again.snapshot.meta).toMatchObject({ index: 15, createdMs: 5 });
    expect(again.restored).toBe("state at 15, and more");
    // The first entry in the log became the base: its own predecessor's term is known to nobody.
    expect(again.base).toEqual({ index: 2, term: 1 });
    expect(indexes(again.entries)).toEqual(range(3, 25));
    expect(again.lastIndex).toBe(25);
    expect(again.hardState).toEqual({ term: 2, vote: 1, commit: 25 });
  });

  it("raises a commit index that lags behind the snapshot, which nobody synced on its own", async () => {
    const node = await start();
    const entries = encodeEntries(entriesFrom(2, 1, ["a", "b", "c"]));
    await node.log.append({ hardState: { term: 1, vote: 1, commit: 1 }, mark: null, entries });
    await snapshot(node, 4);
    await node.log.close();
    const again = await start(node.world.disk);
    expect(again.hardState.commit).toBe(4);
    expect(again.log.hardState.commit).toBe(4);
  });

  it("falls back, loudly, to the snapshot before a damaged one, and replays the entries between", async () => {
    const node = await start();
    await append(node, 2, 30);
    await snapshot(node, 10);
    await snapshot(node, 25);
    await node.log.close();
    const { disk } = node.world;
    disk.flip(snapshotPath({ index: 25, term: 1 }), 130, 1);
    const again = await start(disk);
    expect(again.snapshot.index).toBe(10);
    expect(again.restored).toBe("state at 10, and more");
    expect(indexes(again.entries)).toContain(11);
    expect(again.lastIndex).toBe(31);
    expect(again.world.logger.warnings).toMatchObject([
      { fields: { index: 25, file: snapshotPath({ index: 25, term: 1 }) } },
    ]);
    // When the node comes by that index again, the damaged file is not taken for the new one.
    expect(again.snapshots.has({ index: 25, term: 1 })).toBe(false);
    await snapshot(again, 25);
    await again.log.close();
    const third = await start(disk);
    expect(third.snapshot.index).toBe(25);
    expect(third.world.logger.warnings).toEqual([]);
  });

  it("falls back to the empty farm while the log still holds everything", async () => {
    const node = await start();
    await append(node, 2, 5);
    await snapshot(node, 5);
    await node.log.close();
    node.world.disk.truncate(snapshotPath({ index: 5, term: 1 }), 40);
    const again = await start(node.world.disk);
    expect(again.snapshot).toMatchObject({ index: 1, meta: null });
    expect(indexes(again.entries)).toEqual(range(2, 6));
  });

  it("refuses when an installed snapshot is damaged: nothing else leads up to it", async () => {
    const node = await start();
    await append(node, 2, 5);
    await snapshot(node, 5);
    await install(node, 50, 3);
    await append(node, 51, 2, 3);
    await node.log.close();
    const good = node.world.disk.clone();
    expect((await start(good)).base).toEqual({ index: 50, term: 3 });
    const path = snapshotPath({ index: 50, term: 3 });
    node.world.disk.flip(path, 20, 1);
    const refused = await start(node.world.disk).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CorruptionError);
    expect(refused).toMatchObject({ file: path });
  });

  it("refuses when the snapshot is gone and the entries before it were released", async () => {
    const node = await start();
    for (let i = 0; i < 6; i++) {
      await append(node, 2 + 20 * i, 20);
      await snapshot(node, 15 + 20 * i);
    }
    await node.log.close();
    const { disk } = node.world;
    expect(disk.files.filter((path) => path.endsWith(".snap"))).toHaveLength(2);
    for (const index of [95, 115]) await disk.remove(snapshotPath({ index, term: 1 }));
    await expect(start(disk)).rejects.toMatchObject({ name: "CorruptionError" });
  });

  it("keeps what the older kept snapshot needs when segments are released", async () => {
    const node = await start();
    for (let i = 0; i < 6; i++) {
      await append(node, 2 + 20 * i, 20);
      await snapshot(node, 15 + 20 * i);
      expect(releaseIndex(node.snapshots.list())).toBe(i === 0 ? 15 : 15 + 20 * (i - 1));
    }
    await node.log.close();
    const { disk } = node.world;
    expect(disk.files).not.toContain("wal/0000000000000001.wal");
    disk.flip(snapshotPath({ index: 115, term: 1 }), 0, 1);
    const again = await start(disk);
    expect(again.snapshot.index).toBe(95);
    expect(again.base.index).toBeLessThanOrEqual(95);
    expect(indexes(again.entries)).toEqual(range(again.base.index + 1, 121));
  });

  it("starts when everything but the newest segment was released", async () => {
    const node = await start();
    for (let i = 0; i < 6; i++) await append(node, 2 + 20 * i, 20);
    await snapshot(node, 121);
    // Hard states alone fill segments: nothing but the marks carried along says where the log stands.
    for (let term = 2; term < 30; term++) {
      await node.log.append({
        hardState: { term, vote: 0, commit: 121 },
        mark: null,
        entries: null,
      });
    }
    await node.log.release(121);
    expect(node.log.stats.segments).toBe(1);
    await node.log.close();
    const again = await start(node.world.disk);
    expect(again.snapshot.index).toBe(121);
    expect(again.base).toEqual({ index: 121, term: 1 });
    expect(again.lastIndex).toBe(121);
    expect(again.entries).toEqual([]);
    await append(again, 122, 3, 30);
    await again.log.close();
    expect(indexes((await start(node.world.disk)).entries)).toEqual([122, 123, 124]);
  });

  it("removes a snapshot file that the log does not vouch for", async () => {
    const node = await start();
    await append(node, 2, 5);
    const meta = {
      clusterId: "test-cluster",
      index: 4,
      term: 1,
      confState: FOUNDERS,
      createdMs: 5,
    };
    await node.snapshots.write(meta, madeOf([encodeUtf8("never marked")]));
    await node.log.close();
    const again = await start(node.world.disk);
    expect(again.snapshot.index).toBe(1);
    expect(node.world.disk.files.filter((path) => path.endsWith(".snap"))).toEqual([]);
  });

  it("lets an error of the state machine through instead of trying an older snapshot", async () => {
    const node = await start();
    await append(node, 2, 5);
    await snapshot(node, 5);
    await node.log.close();
    const { options } = storageWorld(3, node.world.disk);
    const restore = (): (() => void) => () => {
      throw new Error("a block of a newer version");
    };
    await expect(recover({ ...options, restore })).rejects.toThrow("newer version");
  });

  it("refuses the log of another cluster, and of another node", async () => {
    const node = await start();
    await node.log.close();
    const { options } = storageWorld(3, node.world.disk);
    await expect(recover({ ...options, clusterId: "other" })).rejects.toMatchObject({
      name: "ClusterMismatchError",
      expected: "other",
      found: "test-cluster",
    });
    await expect(recover({ ...options, nodeId: FOURTH })).rejects.toMatchObject({
      name: "NodeMismatchError",
      expected: 4,
      found: 1,
    });
  });

  it("makes all of a new storage or nothing, wherever the power fails", async () => {
    const whole = storageWorld(3);
    await createStorage({ ...whole.options, founding: FOUNDING });
    for (let operation = 1; operation <= whole.disk.operations; operation++) {
      const world = storageWorld(3);
      world.disk.stopAt(operation);
      const create = createStorage({ ...world.options, founding: FOUNDING });
      await Promise.race([create, world.disk.stopped]);
      for (let chance = 0; chance < 8; chance++) {
        const node = await start(world.disk.crash(new SimRandom(chance)));
        expect(node.snapshot.confState).toEqual(FOUNDERS);
        expect(node.lastIndex).toBe(1);
      }
    }
  });
});
