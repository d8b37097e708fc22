// Turns the batches of a log into what it says: the hard state, the snapshots it vouches for, the
// entries. It also refuses what no correct node writes, although every checksum holds: such a log would
// make the node break its word, which is worse than not starting.

import { must } from "../../base/assert.ts";
import { EntryTable } from "./entry-table.ts";
import { type EntrySpan } from "./entries.ts";
import { type HardState, type SnapshotMark, readItems, withMark } from "./items.ts";

export class Replay {
  readonly entries = new EntryTable();
  #marks: readonly SnapshotMark[] = [];
  #hardState: HardState | null = null;
  /** Entries at or below it are settled: a snapshot stands for them, or they are committed. */
  #settled = 0;
  #batchLast = 0;
  #batches = 0;

  /** Batches taken in. */
  get batches(): number {
    return this.#batches;
  }

  get hardState(): HardState | null {
    return this.#hardState;
  }

  /** Oldest first. */
  get marks(): readonly SnapshotMark[] {
    return this.#marks;
  }

  /** The highest entry index in the batch last applied; 0 if it had no entries. */
  get batchLast(): number {
    return this.#batchLast;
  }

  /** Index of the last entry of the log; for a log that holds none, of the newest mark. */
  get lastIndex(): number {
    const newest = this.#marks.at(-1)?.index ?? 0;
    return Math.max(newest, this.entries.lastIndex ?? 0);
  }

  /** Takes a batch's payload in; a text saying what is wrong with it, else null. */
  apply(payload: Uint8Array): string | null {
    const items = readItems(payload);
    if (typeof items === "string") return items;
    // The commit index in a batch may cover entries further on in it, so it counts from the next on.
    this.#settled = Math.max(this.#settled, this.#hardState?.commit ?? 0);
    this.#batchLast = 0;
    this.#batches += 1;
    for (const item of items) {
      const wrong =
        item.kind === "hard-state"
          ? this.#takeHardState(item.hardState)
          : item.kind === "mark"
            ? this.#takeMark(item.mark, item.carried)
            : this.#takeEntries(item.span);
      if (wrong !== null) return wrong;
    }
    const last = this.entries.lastIndex;
    const commit = must(this.#hardState, "hard state").commit;
    if (last === null || commit <= last) return null;
    return `entry ${commit} is committed, but the log ends at entry ${last}`;
  }

  #takeHardState(hardState: HardState): string | null {
    const before = this.#hardState;
    if (before !== null && hardState.term < before.term) {
      return `the term goes back from ${before.term} to ${hardState.term}`;
    }
    this.#hardState = hardState;
    return null;
  }

  #takeMark(mark: SnapshotMark, carried: boolean): string | null {
    const known = this.#marks.find((one) => one.index === mark.index);
    if (known !== undefined && known.term !== mark.term) {
      return `two snapshots at index ${mark.index} have different terms`;
    }
    this.#marks = withMark(this.#marks, mark);
    if (carried) return null;
    const last = this.entries.lastIndex;
    if (mark.kind !== "local") {
      if (mark.index < this.#settled) {
        return `a snapshot at index ${mark.index} takes the place of entries settled up to ${this.#settled}`;
      }
      this.entries.restartBehind(mark.index);
      this.#settled = Math.max(this.#settled, mark.index);
    } else if (last !== null && mark.index > last) {
      return `a snapshot at index ${mark.index} stands in a log that ends at entry ${last}`;
    } else if (this.entries.holds(mark.index) && this.entries.termOf(mark.index) !== mark.term) {
      return `the snapshot at index ${mark.index} and the entry there have different terms`;
    }
    return null;
  }

  #takeEntries(span: EntrySpan): string | null {
    for (const entry of span.entries) {
      if (entry.index > this.#settled) break;
      // Writing a settled entry once more is harmless if it is the same one.
      const same =
        this.entries.holds(entry.index) && this.entries.termOf(entry.index) === entry.term;
      if (!same) return `entry ${entry.index} is written over although it was settled`;
    }
    const last = this.entries.lastIndex;
    const first = span.entries[0]?.index;
    const end = span.entries.at(-1)?.index ?? 0;
    // The same ones once more, and behind them settled ones that would be dropped.
    if (first !== undefined && last !== null && end < Math.min(last, this.#settled)) {
      return `entry ${end + 1} is dropped although it was settled`;
    }
    if (!this.entries.add(span)) return `entry ${first} stands behind entry ${last}: a gap`;
    this.#batchLast = Math.max(this.#batchLast, span.entries.at(-1)?.index ?? 0);
    return null;
  }
}
