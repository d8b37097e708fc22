// Log, snapshots and event log together, as a node uses them, against power failures: cut off at each
// disk operation in turn, then started again. The state must come back as it was, and the event log must
// have every event once, but for what a snapshot from the leader jumped over.

import { describe, expect, it } from "vitest";
import { must } from "../base/assert.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { sha256Hex } from "../base/hash.ts";
import type { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import {
  FOUNDERS,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
  madeOf,
} from "../sim/storage-world.ts";
import { EventLog } from "./events/event-log.ts";
import { type Recovered, createStorage, hasLog, recover, releaseIndex } from "./recovery.ts";
import { SnapshotStore } from "./snapshots/snapshot-store.ts";

const INDEX_MAX = 400;
const META = { clusterId: "test-cluster", term: 1, confState: FOUNDERS, createdMs: 0 };

/** The one history of this cluster: what each index holds, and the state after it. */
const TEXTS = Array.from({ length: INDEX_MAX + 1 }, (_, i) =>
  `entry ${i} `.padEnd(60 + (i % 90), "."),
);
const STATES: readonly string[] = TEXTS.reduce<string[]>((states, text, i) => {
  states.push(i < 2 ? "empty" : sha256Hex(must(states[i - 1], "state") + text, 16));
  return states;
}, []);

function eventText(index: number): string {
  return JSON.stringify({ index, term: 1, type: "test", state: STATES[index] });
}

function hasEvent(index: number): boolean {
  return index >= 2 && index % 5 !== 0;
}

/** What may be missing from the events, and what was promised. */
interface Promises {
  acknowledged: number;
  submitted: number;
  /** Ranges that a snapshot jumped over, each from behind the last event synced before it. */
  readonly jumped: { readonly from: number; readonly to: number }[];
  eventsSynced: number;
}

/** One life of a node, from its start to wherever it is stopped. */
class Life {
  readonly #promises: Promises;
  readonly #random: SimRandom;
  readonly #recovered: Recovered;
  readonly #events: EventLog;
  #applied: number;

  private constructor(promises: Promises, seed: number, recovered: Recovered, events: EventLog) {
    this.#promises = promises;
    this.#random = new SimRandom(seed);
    this.#recovered = recovered;
    this.#events = events;
    this.#applied = recovered.snapshot.index;
  }

  get events(): EventLog {
    return this.#events;
  }

  get lastIndex(): number {
    return this.#recovered.log.lastIndex;
  }

  /** Starts, checks what was found against the history, and replays. */
  static async begin(disk: SimDisk, promises: Promises, seed: number): Promise<Life> {
    const { options } = storageWorld(seed, disk);
    if (!(await hasLog(disk))) {
      expect(promises.acknowledged, "the storage of an acknowledged write is gone").toBe(1);
      await createStorage({ ...options, founding: { index: 1, term: 1, confState: FOUNDERS } });
    }
    let state = "empty";
    const recovered = await recover({
      ...options,
      restore: () => (block) => void (state = decodeUtf8(block)),
    });
    const { base, lastIndex, snapshot } = recovered;
    if (snapshot.meta !== null) expect(state).toBe(STATES[snapshot.index]);
    expect(lastIndex).toBeGreaterThanOrEqual(promises.acknowledged);
    expect(lastIndex).toBeLessThanOrEqual(promises.submitted);
    expect(base.index).toBeLessThanOrEqual(snapshot.index);
    const entries = decodeEntries(recovered.entryBlocks);
    expect(entries.map(({ index }) => index)).toEqual(range(base.index + 1, lastIndex));
    for (const { index, text } of entries) expect(text).toBe(TEXTS[index]);
    const events = await EventLog.open({
      disk,
      logger: options.logger,
      replayFrom: snapshot.index,
      onFailure: (error) => {
        throw error;
      },
      segmentBytes: 1024,
      tailBytes: 300,
    });
    const life = new Life(promises, seed, recovered, events);
    life.#apply(lastIndex);
    return life;
  }

  #apply(to: number): void {
    const indexes = range(this.#applied + 1, to).filter(hasEvent);
    this.#events.append(
      indexes.map((index) => ({ index, text: eventText(index) })),
      to,
    );
    this.#applied = to;
  }

  async work(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const roll = this.#random.below(10);
      if (roll === 0) await this.#install();
      else if (roll <= 2) await this.#snapshot();
      else await this.#append();
      if (this.#random.chance(0.2)) await this.#recovered.log.markSynced();
    }
  }

  async #append(): Promise<void> {
    const first = this.lastIndex + 1;
    const texts = TEXTS.slice(first, first + this.#random.between(1, 6));
    const last = first + texts.length - 1;
    this.#promises.submitted = Math.max(this.#promises.submitted, last);
    const entries = encodeEntries(entriesFrom(first, 1, texts));
    const hardState = { term: 1, vote: 1, commit: last };
    await this.#recovered.log.append({ hardState, mark: null, entries });
    this.#promises.acknowledged = Math.max(this.#promises.acknowledged, last);
    this.#apply(last);
  }

  async #snapshot(): Promise<void> {
    const { log, snapshots } = this.#recovered;
    const index = this.#applied;
    if (index === 1) return;
    await this.#events.syncThrough(index);
    this.#promises.eventsSynced = Math.max(this.#promises.eventsSynced, index);
    const blocks = [encodeUtf8(must(STATES[index], "state"))];
    await snapshots.write({ ...META, index }, madeOf(blocks));
    const mark = { kind: "local", index, term: 1, confState: FOUNDERS } as const;
    await log.append({ hardState: null, mark, entries: null });
    await this.#letGo();
  }

  /** A snapshot comes from the leader, as a file. */
  async #install(): Promise<void> {
    const { log, snapshots } = this.#recovered;
    const index = this.lastIndex + this.#random.between(1, 12);
    const file = await snapshotFile(index);
    const sha256 = sha256Hex(file);
    const sink = await snapshots.receive({ index, term: 1, bytes: file.length, sha256 });
    for (let at = 0; at < file.length; at += 100) await sink.write(at, file.slice(at, at + 100));
    await sink.finish();
    this.#promises.jumped.push({ from: this.#promises.eventsSynced + 1, to: index });
    await this.#events.jump(index);
    const mark = { kind: "installed", index, term: 1, confState: FOUNDERS } as const;
    this.#promises.submitted = Math.max(this.#promises.submitted, index);
    await log.append({ hardState: { term: 1, vote: 1, commit: index }, mark, entries: null });
    this.#promises.acknowledged = Math.max(this.#promises.acknowledged, index);
    this.#applied = index;
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    const { log, snapshots } = this.#recovered;
    await snapshots.prune(2, log.marks);
    await log.release(releaseIndex(snapshots.list()));
  }

  /** Every event is there once, but for the gaps, and these lie where a snapshot jumped. */
  async checkEvents(): Promise<void> {
    const gaps = this.#events.gaps();
    const wasJumped = (index: number): boolean =>
      this.#promises.jumped.some(({ from, to }) => index >= from && index <= to);
    const lost = gaps.flatMap(({ from, to }) => range(from, to)).filter((i) => !wasJumped(i));
    expect(lost, "events are missing that nothing jumped over").toEqual([]);
    const isMissing = (index: number): boolean =>
      gaps.some(({ from, to }) => index >= from && index <= to);
    const found: number[] = [];
    for (let after = 1; after < this.#events.through;) {
      const page = await this.#events.read(after, 20, 2000);
      if (page.kind === "missing") {
        after = must(
          gaps.find(({ from }) => from === after + 1),
          "a gap here",
        ).to;
        continue;
      }
      if (page.kind === "gone") throw new Error("nothing was dropped");
      for (const { index, line } of page.events) {
        found.push(index);
        expect(line.startsWith(eventText(index).slice(0, -1))).toBe(true);
      }
      after = page.through;
    }
    const expected = range(2, this.#events.through).filter((i) => hasEvent(i) && !isMissing(i));
    expect(found).toEqual(expected);
  }
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/** The bytes of a snapshot as another node has them. */
async function snapshotFile(index: number): Promise<Uint8Array> {
  const { options } = storageWorld(99);
  const store = await SnapshotStore.open(options);
  await store.write({ ...META, index }, madeOf([encodeUtf8(must(STATES[index], "state"))]));
  const reader = await store.open(index, 1);
  return reader.read(0, reader.bytes);
}

async function live(
  disk: SimDisk,
  promises: Promises,
  seed: number,
  rounds: number,
): Promise<void> {
  const life = await Life.begin(disk, promises, seed);
  await life.checkEvents();
  await life.work(rounds);
}

async function liveUntil(
  operation: number,
  seed: number,
): Promise<{ readonly disk: SimDisk; readonly promises: Promises }> {
  const { disk } = storageWorld(seed);
  const promises: Promises = { acknowledged: 1, submitted: 1, jumped: [], eventsSynced: 1 };
  disk.stopAt(operation);
  await Promise.race([live(disk, promises, seed, 22), disk.stopped]);
  return { disk, promises };
}

describe("a node's storage and power failures", () => {
  it.each([1, 3])(
    "cut off at any operation (seed %i), the node comes back with its state and its events",
    async (seed) => {
      const { disk: whole, promises: all } = await liveUntil(Number.POSITIVE_INFINITY, seed);
      expect(all.jumped.length, "the run should install a snapshot").toBeGreaterThan(0);
      // Every operation of the first run, and others than those in the second.
      for (let operation = 1; operation <= whole.operations; operation += seed) {
        const { disk, promises } = await liveUntil(operation, seed);
        for (const how of ["crash", "kill"] as const) {
          const mine = structuredClone(promises);
          const second = disk[how](new SimRandom(operation));
          // A second life, cut off somewhere as well, and a third that must still be whole.
          second.stopAt(second.operations + 10 + ((operation * 7) % 200));
          await Promise.race([live(second, mine, operation, 6), second.stopped]);
          const third = second.crash(new SimRandom(operation));
          const life = await Life.begin(third, mine, 1);
          await life.checkEvents();
        }
      }
    },
  );
});
