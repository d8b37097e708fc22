import { describe, expect, it } from "vitest";
import { SNAPSHOT_CHUNK_BYTES } from "../../base/limits.ts";
import { type SimDisk, immediateDisk } from "../../sim/disk.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import { FOUNDERS, RecordingLogger } from "../../sim/storage-world.ts";
import { SnapshotStore, snapshotPath } from "./snapshot-store.ts";
import type { SnapshotPart } from "./snapshot-writer.ts";

const TERM = 3;
const random = new SimRandom(7);

/** A piece of state: an object, its blocks, and how often they were made. */
class Piece {
  made = 0;
  readonly blocks: readonly Uint8Array[];

  constructor(sizes: readonly number[]) {
    this.blocks = sizes.map((size) => {
      const block = new Uint8Array(size);
      random.fill(block);
      return block;
    });
  }

  *make(): Generator<Uint8Array, undefined> {
    for (const block of this.blocks) {
      this.made += 1;
      yield block;
    }
  }
}

interface World {
  readonly disk: SimDisk;
  readonly logger: RecordingLogger;
  readonly store: SnapshotStore;
}

async function newWorld(): Promise<World> {
  const disk = immediateDisk(new SimRandom(1));
  const logger = new RecordingLogger();
  return { disk, logger, store: await SnapshotStore.open({ disk, logger, clusterId: "test" }) };
}

/** Takes a snapshot of these pieces; those in `loose` are nobody's. Gives back how many blocks were made. */
async function take(
  { store }: World,
  index: number,
  pieces: readonly Piece[],
  loose: readonly Piece[] = [],
): Promise<number> {
  const before = pieces.reduce((sum, piece) => sum + piece.made, 0);
  const parts: readonly SnapshotPart[] = pieces.map((piece) => ({
    of: loose.includes(piece) ? null : piece,
    blocks: () => piece.make(),
  }));
  const meta = { clusterId: "test", index, term: TERM, confState: FOUNDERS, createdMs: 1 };
  await store.write(meta, { parts, pause: () => Promise.resolve() });
  return pieces.reduce((sum, piece) => sum + piece.made, 0) - before;
}

async function expectHolds(
  { disk, store }: World,
  index: number,
  pieces: readonly Piece[],
): Promise<void> {
  const read: Uint8Array[] = [];
  await store.load(index, TERM, (block) => void read.push(block.slice()));
  expect(read).toEqual(pieces.flatMap((piece) => piece.blocks));
  // Also after a power cut, by a process that has written nothing.
  const options = { disk: disk.clone(), logger: new RecordingLogger(), clusterId: "test" };
  const again = await SnapshotStore.open(options);
  await again.load(index, TERM, () => undefined);
}

const path = (index: number): string => snapshotPath({ index, term: TERM });

describe("a snapshot", () => {
  it("copies what has not changed since the one before, wherever that lies by now", async () => {
    const world = await newWorld();
    const [a, b, c] = [new Piece([100, 200]), new Piece([300]), new Piece([50, 60, 70])];
    expect(await take(world, 10, [a, b, c])).toBe(6);
    const [grown, changed] = [new Piece([10, 10]), new Piece([301])];
    expect(await take(world, 20, [grown, a, changed, c])).toBe(3);
    await expectHolds(world, 20, [grown, a, changed, c]);
    expect(await take(world, 30, [a, changed, c, grown])).toBe(0);
    await expectHolds(world, 30, [a, changed, c, grown]);
    expect(world.logger.lines).toEqual([]);
  });

  it("copies parts that are too long for one read", async () => {
    const world = await newWorld();
    const long = new Piece([SNAPSHOT_CHUNK_BYTES - 8, 100, 100_000, 100_000, 100_000, 5]);
    await take(world, 10, [new Piece([7]), long]);
    expect(await take(world, 20, [long])).toBe(0);
    await expectHolds(world, 20, [long]);
  });

  it("makes what stands for nothing each time", async () => {
    const world = await newWorld();
    const [a, b] = [new Piece([100]), new Piece([200])];
    expect(await take(world, 10, [a, b], [a])).toBe(2);
    expect(await take(world, 20, [a, b], [a])).toBe(1);
    await expectHolds(world, 20, [a, b]);
  });

  it("copies no byte that the disk has changed, and has every block of the state all the same", async () => {
    const first = await newWorld();
    const pieces = [new Piece([30, 40]), new Piece([50]), new Piece([20, 20])];
    await take(first, 10, pieces);
    const size = first.disk.peek(path(10)).length;
    let found = 0;
    for (let at = 0; at < size; at += 1) {
      const world = await newWorld();
      await take(world, 10, pieces);
      world.disk.flip(path(10), at, 1 << (at % 8));
      await take(world, 20, pieces);
      await expectHolds(world, 20, pieces);
      found += world.logger.lines.length;
    }
    // All but the header and what comes behind the blocks, with one line for each.
    const blocks = pieces.flatMap((piece) => piece.blocks);
    expect(found).toBe(blocks.reduce((sum, { length }) => sum + 8 + length, 0));
  });

  it("says what is wrong with the one before, and looks through that anew before it is sent", async () => {
    const world = await newWorld();
    const pieces = [new Piece([30, 40]), new Piece([50])];
    await take(world, 10, pieces);
    await (await world.store.open(10, TERM)).close();
    world.disk.flip(path(10), world.disk.peek(path(10)).length - 100, 1);
    await take(world, 20, pieces);
    expect(world.logger.lines).toMatchObject([{ level: "warn", fields: { file: path(10) } }]);
    await expect(world.store.open(10, TERM)).rejects.toMatchObject({ name: "CorruptionError" });
    expect(await take(world, 30, pieces)).toBe(0);
    await expectHolds(world, 30, pieces);
  });

  it.each([
    [
      "cannot be read",
      (disk: SimDisk) => disk.failNext({ operation: "read", path: /snap/ }, "EIO"),
    ],
    [
      "cannot be opened",
      (disk: SimDisk) => disk.failNext({ operation: "open", path: /snap$/ }, "EIO"),
    ],
    ["has become shorter", (disk: SimDisk) => disk.truncate(path(10), 150)],
  ])("is whole where the one before %s", async (_what, spoil) => {
    const world = await newWorld();
    const pieces = [new Piece([30, 40]), new Piece([50, 60])];
    await take(world, 10, pieces);
    spoil(world.disk);
    await take(world, 20, pieces);
    await expectHolds(world, 20, pieces);
    expect(world.logger.lines).toHaveLength(1);
    expect(await take(world, 30, pieces)).toBe(0);
  });

  it("keeps the one before for as long as it copies from it, whatever is pruned, and no longer", async () => {
    const world = await newWorld();
    const pieces = [new Piece([30, 40]), new Piece([50])];
    await take(world, 10, pieces);
    const goOn = world.disk.hang({ operation: "read", path: /snap$/ });
    const taking = take(world, 20, pieces);
    const received = { index: 15, term: TERM };
    await world.store.prune(1, [received]); // not there: nothing goes
    await world.store.discard(10, TERM);
    expect(world.disk.files).toContain(path(10));
    goOn();
    expect(await taking).toBe(0);
    await expectHolds(world, 20, pieces);
    expect(world.disk.files).toEqual([path(20)]);
  });

  it("is made as ever where the one before is out of use", async () => {
    const world = await newWorld();
    const pieces = [new Piece([30, 40])];
    await take(world, 10, pieces);
    world.store.retire({ index: 10, term: TERM });
    expect(await take(world, 20, pieces)).toBe(2);
    await expectHolds(world, 20, pieces);
  });
});
