// What a node finds on its disk, changed in more ways than one byte: parts moved, doubled, cut out and
// swapped between files; and contents that no correct node writes under checksums that all hold. Whatever
// is found, reading ends with the state that was there, or with an error that names the file.

import { beforeAll, describe, expect, it } from "vitest";
import { must } from "../base/assert.ts";
import { ByteReader } from "../base/bytes.ts";
import { nodeId } from "../base/brand.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { replaceWhole } from "../env/disk.ts";
import { type SimDisk, immediateDisk } from "../sim/disk.ts";
import { Fuzz } from "../sim/fuzz.ts";
import { inPieces, mutated } from "../sim/mutation.ts";
import { SimRandom } from "../sim/sim-random.ts";
import {
  FOUNDERS,
  encodeEntries,
  entriesFrom,
  storageWorld,
  madeOf,
} from "../sim/storage-world.ts";
import {
  ClusterMismatchError,
  CorruptionError,
  NodeMismatchError,
  ReceivedFileError,
  UnknownFormatError,
} from "./errors.ts";
import { EventLog } from "./events/event-log.ts";
import { NodeFile } from "./node-file.ts";
import { createStorage, recover } from "./recovery.ts";
import { readSpan } from "./wal/entries.ts";
import { BatchBuilder } from "./wal/batch-builder.ts";
import { BATCH_HEADER_BYTES } from "./wal/format.ts";
import { readItems } from "./wal/items.ts";
import { Replay } from "./wal/replay.ts";

const REFUSALS = [CorruptionError, UnknownFormatError, ClusterMismatchError, NodeMismatchError];

function isRefusal(thrown: unknown): boolean {
  return REFUSALS.some((kind) => thrown instanceof kind);
}

const BLOCKS = ["first block", "second block", "third"].map((text) => Buffer.from(text.repeat(9)));

/** A log of several segments, two snapshots and node.json. */
async function writtenFolder(): Promise<SimDisk> {
  const world = storageWorld(1);
  const { disk, options, random } = world;
  await createStorage({ ...options, founding: { index: 1, term: 1, confState: FOUNDERS } });
  const { log, snapshots } = await recover(options);
  for (let index = 2; index <= 30; index++) {
    const entries = encodeEntries(entriesFrom(index, 2, [`{"n":${index}}`.padEnd(200)]));
    const hardState = { term: 2, vote: 1, commit: index - 1 };
    await log.append({ hardState, mark: null, entries });
    if (index % 10 !== 0) continue;
    const { clusterId } = options;
    const meta = { clusterId, index, term: 2, confState: FOUNDERS, createdMs: 1 };
    await snapshots.write(meta, madeOf(BLOCKS));
    const mark = { kind: "local", index, term: 2, confState: FOUNDERS } as const;
    await log.append({ hardState, mark, entries: null });
  }
  await log.close();
  await NodeFile.create(disk, random, { clusterId: options.clusterId, nodeId: options.nodeId });
  return disk;
}

/** What a start finds; throws what it throws. */
async function stateOf(disk: SimDisk): Promise<string> {
  const { options } = storageWorld(2, disk);
  const blocks: string[] = [];
  const restore = () => {
    blocks.length = 0;
    return (block: Uint8Array): void => void blocks.push(Buffer.from(block).toString());
  };
  const { entryBlocks, hardState, lastIndex, log, snapshot } = await recover({
    ...options,
    restore,
  });
  const entries = [...entryBlocks].map((block) => Buffer.from(block).toString("hex"));
  await log.close();
  const { clusterId, nodeId: id } = options;
  const file = await NodeFile.open(disk, { clusterId, nodeId: id });
  return JSON.stringify({ hardState, lastIndex, snapshot, blocks, entries, file: file?.facts });
}

let written: SimDisk;
beforeAll(async () => {
  written = await writtenFolder();
});

describe("files that were changed in any way", () => {
  it("are refused by name, or lead to a state that was there before", async () => {
    const fuzz = new Fuzz("files of a folder", { runs: 400 });
    const whole = await stateOf(written.clone());
    const { lastIndex } = JSON.parse(whole) as { lastIndex: number };
    const paths = written.files.filter((path) => path !== "wal/next.tmp");
    const tally = { same: 0, refused: 0, "an older snapshot": 0 };
    await fuzz.run(
      (random) => {
        const path = random.pick(paths);
        const alike = paths.map((one) => written.peek(one));
        // Whole sectors too: what lies on their borders passes more checks than what does not.
        const unit = random.pick([1, 1, SECTOR_BYTES]);
        const bytes =
          unit === 1
            ? mutated([written.peek(path), ...(random.chance(0.2) ? alike : [])], random)
            : withSectorsMoved(written.peek(path), random.pick(alike), random);
        return { path, bytes, show: { path, length: bytes.length, unit } };
      },
      async ({ bytes, path }) => {
        const disk = written.clone();
        await replaceWhole(disk, path, bytes);
        let state: string;
        try {
          state = await stateOf(disk);
        } catch (thrown) {
          if (!isRefusal(thrown)) throw thrown;
          expect(String(thrown)).toMatch(/\/(?:wal|snapshots|node\.json)/);
          tally.refused += 1;
          return;
        }
        if (state === whole) tally.same += 1;
        else {
          // The older of two snapshots with all entries behind it is the same state, told longer.
          const found = JSON.parse(state) as { lastIndex: number; file: unknown };
          expect(path.startsWith("snapshots/"), path).toBe(true);
          expect(found.lastIndex).toBe(lastIndex);
          tally["an older snapshot"] += 1;
        }
      },
    );
    fuzz.note(JSON.stringify(tally));
    expect(tally.refused).toBeGreaterThan(50);
    expect(tally.same).toBeGreaterThan(10);
    expect(tally["an older snapshot"]).toBeGreaterThan(5);
  });
});

/** A sector of one file in the place of a sector of another, or of its own. */
function withSectorsMoved(bytes: Uint8Array, other: Uint8Array, random: SimRandom): Uint8Array {
  const changed = bytes.slice();
  const sectorIn = (of: Uint8Array): number =>
    SECTOR_BYTES * random.below(Math.max(1, Math.floor(of.length / SECTOR_BYTES)));
  const from = sectorIn(other);
  const at = sectorIn(changed);
  const moved = other.slice(from, from + Math.min(SECTOR_BYTES, changed.length - at));
  changed.set(moved, at);
  return changed;
}

describe("a batch whose checksum holds and whose content nobody wrote", () => {
  it("is refused or read, and never breaks the reader or what was settled", async () => {
    const fuzz = new Fuzz("batches of the log", { runs: 5000 });
    const corpus = payloads();
    const said = { taken: 0, refused: 0 };
    await fuzz.run(
      (random) => {
        const before = random.below(corpus.length);
        const bytes = mutated(corpus, random);
        return { before, bytes, show: { before, bytes } };
      },
      ({ before, bytes }) => {
        const items = readItems(bytes);
        if (typeof items === "string") expect(items.length).toBeGreaterThan(5);
        const replay = new Replay();
        for (const payload of corpus.slice(0, before)) expect(replay.apply(payload)).toBeNull();
        const { lastIndex } = replay;
        const commit = replay.hardState?.commit ?? 0;
        const wrong = replay.apply(bytes);
        said[wrong === null ? "taken" : "refused"] += 1;
        if (wrong !== null) return;
        // What was committed stays, whatever else a batch may change.
        expect(replay.lastIndex).toBeGreaterThanOrEqual(Math.min(lastIndex, commit));
        const first = replay.entries.firstIndex;
        if (first === null) return;
        for (const block of replay.entries.blocks(first, 4096)) {
          expect(readSpan(new ByteReader(block), block).entries.length).toBeGreaterThan(0);
        }
      },
    );
    fuzz.note(JSON.stringify(said));
    expect(said.taken).toBeGreaterThan(100);
    expect(said.refused).toBeGreaterThan(1000);
  });
});

/** The payloads of batches that follow each other. */
function payloads(): readonly Uint8Array[] {
  const place = { number: 1, chain: 0, seed: 0, offset: SECTOR_BYTES };
  const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
  const first = new BatchBuilder({ term: 1, vote: 0, commit: 1 });
  first.addMark(founding, false);
  const builders = [first];
  for (let index = 2; index <= 6; index++) {
    const builder = new BatchBuilder({ term: 2, vote: 1, commit: index - 1 });
    const block = encodeEntries(entriesFrom(index, 2, [`{"n":${index}}`, "more"]));
    builder.addEntries(block, index + 1);
    builders.push(builder);
  }
  return builders.map((builder) => payloadOf(builder.seal(place).bytes));
}

function payloadOf(batch: Uint8Array): Uint8Array {
  const length = new ByteReader(batch, 4).u32();
  return batch.slice(BATCH_HEADER_BYTES, BATCH_HEADER_BYTES + length);
}

describe("events from a peer, changed in any way and cut in any pieces", () => {
  it("are filled in whole and right, or refused", async () => {
    const fuzz = new Fuzz("blocks of events", { runs: 300 });
    const give = await eventLog(immediateDisk(new SimRandom(1)), 1);
    const all = Array.from({ length: 20 }, (_, i) => 2 + i);
    give.append(
      all.map((index) => ({ index, text: `{"index":${index},"type":"t"}` })),
      21,
    );
    const served: Uint8Array[] = [];
    for await (const block of must(give.serve(1, 21), "the peer's events")) served.push(block);
    const stream = Uint8Array.from(Buffer.concat(served));
    const right = await eventsIn(give);
    expect(right).toHaveLength(20);
    await give.close();
    const said = { filled: 0, refused: 0 };
    await fuzz.run(
      (random) => {
        const bytes = random.chance(0.1) ? stream : mutated([stream], random);
        return { pieces: inPieces(bytes, random), show: { bytes } };
      },
      async ({ pieces }) => {
        const take = await eventLog(immediateDisk(new SimRandom(2)), 21);
        const blocks = async function* (): AsyncGenerator<Uint8Array> {
          yield* pieces;
        };
        try {
          await take.fill(take.gaps()[0]!, blocks());
          said.filled += 1;
        } catch (thrown) {
          if (!(thrown instanceof ReceivedFileError)) throw thrown;
          said.refused += 1;
          if (Buffer.compare(Buffer.concat(pieces), stream) === 0) throw thrown;
        }
        // What was finished before the bad part is kept, and right.
        const found = await eventsIn(take);
        expect(found).toEqual(right.slice(0, found.length));
        if (take.gaps().length === 0) expect(found).toEqual(right);
        await take.close();
      },
    );
    fuzz.note(JSON.stringify(said));
    expect(said.filled).toBeGreaterThan(10);
    expect(said.refused).toBeGreaterThan(100);
  });
});

function eventLog(disk: SimDisk, replayFrom: number): Promise<EventLog> {
  const { logger } = storageWorld(1, disk);
  const onFailure = (error: Error): void => {
    throw error;
  };
  return EventLog.open({ disk, logger, replayFrom, onFailure, tailBytes: 0 });
}

async function eventsIn(log: EventLog): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let after = 1; after < log.through;) {
    const page = await log.read(after, 100, 100_000);
    if (page.kind !== "page") break;
    lines.push(...page.events.map(({ line }) => line));
    after = page.through;
  }
  return lines;
}

describe("node.json, changed in any way", () => {
  it("is refused, or says what it said", async () => {
    const fuzz = new Fuzz("node.json", { runs: 1000 });
    const who = { clusterId: "test-cluster", nodeId: nodeId(1) };
    const said = (await NodeFile.open(written.clone(), who))?.facts;
    const bytes = written.peek("node.json");
    await fuzz.run(
      (random) => {
        const changed = mutated([bytes], random);
        return { changed, show: { changed } };
      },
      async ({ changed }) => {
        const disk = immediateDisk(new SimRandom(1));
        await replaceWhole(disk, "node.json", changed);
        try {
          expect((await NodeFile.open(disk, who))?.facts).toEqual(said);
        } catch (thrown) {
          if (!isRefusal(thrown)) throw thrown;
        }
      },
    );
  });
});
