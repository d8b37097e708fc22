// The appends the core waits for, in the order in which it handed them out. The core is told about one
// only when it and all before it are durable (DESIGN, safety rule 1).

import type { SnapshotPoint } from "../raft/messages.ts";

interface Append {
  readonly ticket: number;
  /** False: nothing of it needs the disk, but its answers still wait for those before it. */
  readonly mustSync: boolean;
  readonly snapshot: SnapshotPoint | null;
  readonly atTick: number;
}

export interface Released {
  /** The last append that is durable together with all before it. */
  readonly ticket: number;
  /** The snapshots recorded by the appends released, oldest first. */
  readonly snapshots: readonly SnapshotPoint[];
}

export class Appends {
  #queue: Append[] = [];
  #durableThrough = 0;

  add(append: Append): void {
    this.#queue.push(append);
  }

  /** Everything up to and including `ticket` is on the disk. */
  durable(ticket: number): void {
    this.#durableThrough = Math.max(this.#durableThrough, ticket);
  }

  /** Takes out what the core may be told about; null if the oldest append is still being written. */
  takeDurable(): Released | null {
    let count = 0;
    for (const append of this.#queue) {
      if (append.mustSync && append.ticket > this.#durableThrough) break;
      count += 1;
    }
    const last = this.#queue[count - 1];
    if (last === undefined) return null;
    const released = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    const snapshots = released.flatMap((one) => (one.snapshot === null ? [] : [one.snapshot]));
    return { ticket: last.ticket, snapshots };
  }

  /** Whether something is being written and synced. */
  get isWriting(): boolean {
    return this.#queue.some((append) => append.mustSync && append.ticket > this.#durableThrough);
  }

  /** Whether the record of a snapshot at `index` is on its way to the disk. */
  awaitsSnapshot(index: number): boolean {
    return this.#queue.some((append) => append.snapshot?.index === index);
  }

  /** For how many ticks the oldest append has been waiting; 0 if none is. */
  waiting(nowTick: number): number {
    const oldest = this.#queue[0];
    return oldest === undefined ? 0 : nowTick - oldest.atTick;
  }
}
