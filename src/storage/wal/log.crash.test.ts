// The log against power failures: a workload is cut off at each of its disk operations in turn, the disk
// keeps any part of what was not synced, and what recovery finds is compared with what was promised.

import { describe, expect, it } from "vitest";
import { SECTOR_BYTES } from "../../base/limits.ts";
import type { SimDisk } from "../../sim/disk.ts";
import { unwrittenSectors, writtenEndOf } from "../../sim/segment-sectors.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import {
  FOUNDERS,
  type StorageWorld,
  type TestEntry,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
} from "../../sim/storage-world.ts";
import type { LogRecord } from "./admission.ts";
import { createLog, hasLog } from "./create.ts";
import type { HardState, SnapshotMark } from "./items.ts";
import type { Log } from "./log.ts";
import { openLog } from "./open.ts";

const FOUNDING: SnapshotMark = { kind: "founding", index: 1, term: 1, confState: FOUNDERS };
const START: HardState = { term: 1, vote: 0, commit: 1 };

/** What a log says: the part that a test can predict. */
interface State {
  readonly hardState: HardState;
  readonly entries: readonly TestEntry[];
  /** Index of the newest snapshot mark. */
  readonly newestMark: number;
}

/** One append, and what the log says once it is durable. */
interface Step {
  readonly record: LogRecord;
  /** A record too long for one batch may be found in part: all but the commit index, and some entries. */
  readonly during: readonly State[];
  readonly after: State;
}

/** A plain model of the log: it draws appends, and keeps what they add up to. */
class Workload {
  readonly #random: SimRandom;
  #state: State = { hardState: START, entries: [], newestMark: 1 };

  constructor(seed: number) {
    this.#random = new SimRandom(seed);
  }

  get #last(): number {
    return this.#state.entries.at(-1)?.index ?? this.#state.newestMark;
  }

  next(): Step {
    const roll = this.#random.below(20);
    if (roll === 0 && this.#state.hardState.commit > this.#state.newestMark) return this.#mark();
    if (roll === 1) return this.#install();
    if (roll === 2) return this.#vote();
    return this.#entries();
  }

  #step(record: Omit<LogRecord, "entries">, entries: readonly TestEntry[], after: State): Step {
    const { commit } = this.#state.hardState;
    const hardState = { ...after.hardState, commit };
    const during = entries.slice(1).map((entry) => {
      return {
        ...after,
        hardState,
        entries: after.entries.filter((one) => one.index < entry.index),
      };
    });
    this.#state = after;
    return { record: { ...record, entries: encodeEntries(entries) }, during, after };
  }

  #vote(): Step {
    const { term, commit } = this.#state.hardState;
    const hardState = { term: term + 1, vote: this.#random.between(1, 3), commit };
    return this.#step({ hardState, mark: null }, [], { ...this.#state, hardState });
  }

  /** Entries behind the last one, or over some that are not committed. */
  #entries(): Step {
    const { hardState, entries } = this.#state;
    const isConflict = this.#random.chance(0.2) && this.#last > hardState.commit;
    const first = isConflict
      ? this.#random.between(hardState.commit + 1, this.#last)
      : this.#last + 1;
    const term = isConflict ? hardState.term + 1 : hardState.term;
    const texts = Array.from({ length: this.#random.between(1, 4) }, (_, i) =>
      `entry ${first + i} of term ${term} `.padEnd(this.#random.pick([20, 90, 480, 700]), "."),
    );
    const added = entriesFrom(first, term, texts);
    const kept = entries.filter((entry) => entry.index < first);
    const commit = this.#random.between(hardState.commit, first + added.length - 1);
    const next = { term, vote: isConflict ? 0 : hardState.vote, commit };
    const after = { ...this.#state, hardState: next, entries: [...kept, ...added] };
    return this.#step({ hardState: next, mark: null }, added, after);
  }

  #mark(): Step {
    const { entries, hardState } = this.#state;
    const index = hardState.commit;
    const term = entries.find((entry) => entry.index === index)?.term ?? hardState.term;
    const mark: SnapshotMark = { kind: "local", index, term, confState: FOUNDERS };
    return this.#step({ hardState: null, mark }, [], { ...this.#state, newestMark: index });
  }

  #install(): Step {
    const { term, vote } = this.#state.hardState;
    const index = this.#last + this.#random.between(1, 30);
    const mark: SnapshotMark = { kind: "installed", index, term, confState: FOUNDERS };
    const hardState = { term, vote, commit: index };
    const after = { hardState, entries: [], newestMark: index };
    return this.#step({ hardState, mark }, [], after);
  }
}

/** What happened up to a crash: everything asked for, and how much of it was acknowledged. */
interface History {
  readonly steps: Step[];
  acknowledged: number;
}

const ROUNDS = 14;

/** Founds a log and appends to it, up to three records at a time, releasing now and then. */
async function work(
  world: StorageWorld,
  seed: number,
  history: History,
  beforeRound: (round: number) => void = () => undefined,
): Promise<void> {
  if (!(await hasLog(world.disk))) await createLog(world.options, START, FOUNDING);
  const { log } = await openLog(world.options);
  const workload = new Workload(seed);
  const random = new SimRandom(seed + 1);
  for (let round = 0; round < ROUNDS; round++) {
    beforeRound(round);
    const appends: Promise<void>[] = [];
    for (let n = random.between(1, 3); n > 0; n--) {
      const step = workload.next();
      history.steps.push(step);
      appends.push(log.append(step.record).then(() => void (history.acknowledged += 1)));
    }
    await Promise.all(appends);
    if (random.chance(0.3)) await log.markSynced();
    if (random.chance(0.3)) await log.release(log.marks.at(-1)?.index ?? 0);
  }
  await log.close();
}

/** Opens the log on a disk and says what it holds. */
async function found(disk: SimDisk): Promise<State> {
  const { log, recovered } = await openLog(storageWorld(9, disk).options);
  const { entries, hardState, marks } = recovered;
  const first = entries.firstIndex;
  const list = first === null ? [] : decodeEntries(entries.blocks(first, 4096));
  await log.close();
  return { hardState, entries: list, newestMark: marks.at(-1)?.index ?? 0 };
}

/** Released segments take old entries with them, so only the common part can be compared. */
function isSame(actual: State, expected: State): boolean {
  const first = actual.entries[0]?.index ?? Number.POSITIVE_INFINITY;
  const comparable = expected.entries.filter((entry) => entry.index >= first);
  const missing = expected.entries.filter((entry) => entry.index < first);
  return (
    actual.newestMark === expected.newestMark &&
    JSON.stringify(actual.hardState) === JSON.stringify(expected.hardState) &&
    missing.every((entry) => entry.index <= actual.newestMark) &&
    JSON.stringify(actual.entries) === JSON.stringify(comparable)
  );
}

/** What was found must be the state after some append, none before the last acknowledged one. */
function checkFound(actual: State, history: History, where: string): void {
  const start: State = { hardState: START, entries: [], newestMark: 1 };
  const candidates = history.steps.flatMap(({ during, after }, place) => [
    ...during.map((state) => ({ state, steps: place })),
    { state: after, steps: place + 1 },
  ]);
  const match = [{ state: start, steps: 0 }, ...candidates].findLast(({ state }) =>
    isSame(actual, state),
  );
  expect(match, `${where}: a state nobody wrote: ${JSON.stringify(actual)}`).toBeDefined();
  expect(match?.steps, `${where}: an acknowledged append is gone`).toBeGreaterThanOrEqual(
    history.acknowledged,
  );
}

async function runUntil(
  operation: number,
  seed: number,
): Promise<{ readonly world: StorageWorld; readonly history: History }> {
  const world = storageWorld(seed);
  const history: History = { steps: [], acknowledged: 0 };
  world.disk.stopAt(operation);
  await Promise.race([work(world, seed, history), world.disk.stopped]);
  return { world, history };
}

async function operationsOf(seed: number): Promise<number> {
  const { world } = await runUntil(Number.POSITIVE_INFINITY, seed);
  return world.disk.operations;
}

describe("the log and power failures", () => {
  it.each([1, 2, 3])(
    "cut off at any operation (seed %i), it holds everything acknowledged and nothing else",
    async (seed) => {
      const operations = await operationsOf(seed);
      expect(operations).toBeGreaterThan(60);
      for (let operation = 1; operation <= operations; operation++) {
        const { world, history } = await runUntil(operation, seed);
        for (let chance = 0; chance < 3; chance++) {
          const disk = world.disk.crash(new SimRandom(chance));
          const where = `seed ${seed}, operation ${operation}, chance ${chance}`;
          if (await hasLog(disk)) checkFound(await found(disk), history, where);
          else expect(history.acknowledged, where).toBe(0);
        }
      }
    },
  );

  it("cut off again at any operation of the recovery, it still does", async () => {
    const seed = 4;
    const operations = await operationsOf(seed);
    for (let operation = 20; operation <= operations; operation += 4) {
      const { world, history } = await runUntil(operation, seed);
      for (let second = 1; second <= 40; second++) {
        const disk = world.disk.crash(new SimRandom(operation));
        if (!(await hasLog(disk))) break;
        disk.stopAt(disk.operations + second);
        const isDone = await Promise.race([
          found(disk).then(() => true),
          disk.stopped.then(() => false),
        ]);
        const again = disk.crash(new SimRandom(second));
        const where = `operation ${operation}, then ${second}`;
        checkFound(await found(again), history, where);
        if (isDone) break;
      }
    }
  });

  it("does not vouch for what a killed process left unsynced until it is synced", async () => {
    const seed = 5;
    const operations = await operationsOf(seed);
    for (let operation = 20; operation <= operations; operation++) {
      const { world, history } = await runUntil(operation, seed);
      const killed = world.disk.kill(new SimRandom(operation));
      if (!(await hasLog(killed))) continue;
      const first = await found(killed);
      checkFound(first, history, `operation ${operation}, killed`);
      // The node has answered for what it found. Now the power fails.
      const second = await found(killed.crash(new SimRandom(operation + 1)));
      expect(isSame(second, first), `operation ${operation}: found, answered for, and lost`).toBe(
        true,
      );
    }
  });

  it("does not vouch for what a failed write left in memory, which no sync ever writes", async () => {
    let failures = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const world = storageWorld(seed);
      const history: History = { steps: [], acknowledged: 0 };
      const failing = 1 + (seed % (ROUNDS - 1));
      const worked = work(world, seed, history, (round) => {
        if (round !== failing) return;
        world.disk.failNext({ operation: "write", path: /^wal\// }, "EIO");
      });
      const error = await worked.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) continue; // that round wrote to no segment
      failures += 1;
      // The process ends, as it must. The system goes on showing what was written to the next one.
      const killed = world.disk.kill(new SimRandom(seed));
      const first = await found(killed);
      checkFound(first, history, `seed ${seed}, after the failed write`);
      const second = await found(killed.crash(new SimRandom(seed + 1)));
      expect(isSame(second, first), `seed ${seed}: found, answered for, and lost`).toBe(true);
    }
    expect(failures).toBeGreaterThan(20);
  });

  it("does not find again, behind what it wrote since, what it cut off in vain", async () => {
    const kept = entriesFrom(2, 1, ["kept"]);
    for (let chance = 1; chance <= 30; chance++) {
      const world = storageWorld(chance);
      await createLog(world.options, START, FOUNDING);
      const { log } = await openLog(world.options);
      const path = "wal/0000000000000001.wal";
      const append = (to: Log, entries: readonly TestEntry[]): Promise<void> =>
        to.append({ hardState: null, mark: null, entries: encodeEntries(entries) });
      await append(log, kept);
      await append(log, entriesFrom(3, 1, ["long ".repeat(250)]));
      // The power failed: the batch's last sector was not written. The disk fails once, in the cut.
      const last = writtenEndOf(world.disk.peek(path)) - SECTOR_BYTES;
      const fill = unwrittenSectors(world.disk.peek(path), last);
      world.disk.overwrite(path, last / SECTOR_BYTES, fill);
      const torn = world.disk.kill(new SimRandom(chance));
      torn.failNext({ operation: "write", path: /\.wal$/ }, "EIO");
      const vain = openLog(storageWorld(2, torn).options);
      await expect(vain).rejects.toMatchObject({ name: "DiskError", code: "EIO" });
      // What is shown now may be what that write has not left. One batch more, and the power fails again.
      const shown = torn.kill(new SimRandom(chance));
      const again = await openLog(storageWorld(3, shown).options);
      const written = entriesFrom(3, 1, ["written since"]);
      await append(again.log, written);
      const { entries } = await found(shown.crash(new SimRandom(chance)));
      expect(entries, `chance ${chance}`).toEqual([...kept, ...written]);
    }
  });
});
