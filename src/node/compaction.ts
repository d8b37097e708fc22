// When to take a snapshot, and how much of the log to keep in memory behind it.
//
// A snapshot costs as much as the farm is large (much less where little has changed since the one before, but what
// it writes to the disk is all of it), so it waits until as many entries have come as would pay for it: at least `snapshotEntries`, and half as many as there are objects. But what came since is
// applied again at a start, so it waits for no more than `ENTRIES_MAX`; and a node that has little to do
// takes one earlier, when there is a fiftieth. After each the node rests for as long as it took, unless twice
// as many entries come meanwhile, or it falls quiet: on a large farm under full load one would follow the
// other. Nodes whose ids follow each other wait for different numbers, up to 1.4 times these: if all took
// theirs at one index, all would be slow at once.
//
// Behind it the log keeps entries for followers that are a little behind, and for those that are being
// sent a snapshot: if the log were cut past the snapshot under way, its receiver would need another one
// as soon as it was done.

import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { GroupStatus } from "../raft/messages.ts";

export interface CompactionOptions {
  readonly nodeId: NodeId;
  /** Entries between two snapshots, at least. */
  readonly snapshotEntries: number;
  /** Entries kept in memory behind a snapshot. */
  readonly trailingEntries: number;
  /** Index of the snapshot the node started from. */
  readonly snapshotIndex: number;
}

/** A follower may hold up compaction for so many times `snapshotEntries`, … */
const PATIENCE = 4;
/** … and for as many entries as so many snapshots were apart in the end: whoever is sent one needs those behind it. */
const SNAPSHOTS_PATIENT = 2;
/** Entries for each object, between two snapshots: under load, and in quiet times. */
const SHARE = 1 / 2;
const QUIET_SHARE = 1 / 50;
/** For a large farm: between two snapshots, whatever it holds. With the shift 56,000, some 1.5 s of applying. */
const ENTRIES_MAX = 40_000;
/** What is due waits for a node that rests after the last snapshot, but not for more than so many times its entries. */
const REST_ENTRIES = 2;
/** So many ids in a row wait differently long, each by a tenth more than the one before it. */
const SHIFTS = 5;
const SHIFT = 1 / 10;
/** It is quiet when no more entries than QUIET_ENTRIES came within QUIET_TICKS. */
const QUIET_TICKS = 20;
const QUIET_ENTRIES = 100;

export class Compaction {
  readonly #snapshotEntries: number;
  readonly #trailingEntries: number;
  readonly #delay: number;
  readonly #transfers = new Map<NodeId, number>();
  #snapshotIndex: number;
  /** Entries between the newest snapshot and the one before it. */
  #distance = 0;
  /** No snapshot is tried below this applied index: one has just failed. */
  #notBefore = 0;
  #underWay = false;
  #ticks = 0;
  #beganAt = 0;
  /** In ticks: until then the node rests after a snapshot. */
  #restsUntil = 0;
  /** So many ticks ago this was the applied index. */
  #since = { ticks: 0, index: 0 };
  /** The newest snapshot's file is lost: followers that need one wait for the next. */
  #isLost = false;

  constructor(options: CompactionOptions) {
    assert(options.snapshotEntries > 0, "snapshotEntries must be positive");
    this.#snapshotEntries = options.snapshotEntries;
    this.#trailingEntries = options.trailingEntries;
    this.#delay = 1 + (options.nodeId % SHIFTS) * SHIFT;
    this.#snapshotIndex = options.snapshotIndex;
  }

  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  wantsSnapshot(appliedIndex: number, objects: number): boolean {
    if (this.#underWay || appliedIndex < this.#notBefore) return false;
    if (this.#isLost) return true;
    const entries = Math.min(objects * SHARE, ENTRIES_MAX) * this.#delay;
    if (this.#ticks >= this.#restsUntil) return this.#isDue(appliedIndex, entries);
    return this.#isDue(appliedIndex, REST_ENTRIES * Math.max(entries, this.#snapshotEntries));
  }

  /** Whether so many entries have come since the last one, and `snapshotEntries` at least. */
  #isDue(appliedIndex: number, entries: number): boolean {
    const due = Math.max(this.#snapshotEntries, Math.floor(entries));
    return appliedIndex - this.#snapshotIndex >= due;
  }

  /** One tick of the logical clock; true if it is quiet and a snapshot is worth its while. */
  tick(appliedIndex: number, objects: number): boolean {
    this.#ticks += 1;
    this.#since.ticks += 1;
    if (this.#since.ticks < QUIET_TICKS) return false;
    const came = appliedIndex - this.#since.index;
    this.#since = { ticks: 0, index: appliedIndex };
    if (came > QUIET_ENTRIES || this.#underWay || appliedIndex < this.#notBefore) return false;
    return this.#isDue(appliedIndex, objects * QUIET_SHARE);
  }

  began(): void {
    this.#underWay = true;
    this.#beganAt = this.#ticks;
  }

  failed(appliedIndex: number): void {
    this.#underWay = false;
    this.#notBefore = appliedIndex + Math.ceil(this.#snapshotEntries / 4);
  }

  /** A file cannot be read any more. Only if it is the newest does anybody miss it. */
  lost(index: number): void {
    if (index >= this.#snapshotIndex) this.#isLost = true;
  }

  /** A local snapshot is durable; false if it is not newer than what is there. */
  taken(index: number): boolean {
    this.#underWay = false;
    this.#restsUntil = this.#ticks + (this.#ticks - this.#beganAt);
    if (index >= this.#snapshotIndex) this.#isLost = false;
    if (index <= this.#snapshotIndex) return false;
    this.#distance = index - this.#snapshotIndex;
    this.#snapshotIndex = index;
    return true;
  }

  installed(index: number): void {
    if (index >= this.#snapshotIndex) this.#isLost = false;
    this.#snapshotIndex = Math.max(this.#snapshotIndex, index);
  }

  transferBegan(to: NodeId, index: number): void {
    this.#transfers.set(to, index);
  }

  transferEnded(to: NodeId): void {
    this.#transfers.delete(to);
  }

  /** The last index the log in memory may forget. */
  compactThrough(status: GroupStatus): number {
    let through = this.#snapshotIndex - this.#trailingEntries;
    for (const index of this.#transfers.values()) through = Math.min(through, index);
    for (const peer of status.progress) {
      if (peer.recentlyActive && peer.match > 0) through = Math.min(through, peer.match);
    }
    const patience = Math.max(PATIENCE * this.#snapshotEntries, SNAPSHOTS_PATIENT * this.#distance);
    const floor = this.#snapshotIndex - patience - this.#trailingEntries;
    return Math.max(through, floor, 0);
  }
}
