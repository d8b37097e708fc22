// The entries found in the log at a restart, before they go to the core. Raft's rule for conflicts is
// applied here: an entry whose index is already taken replaces the one there and drops all behind it.
// Entries stay in the bytes they were read with; the table holds places only.

import { assert, must } from "../../base/assert.ts";
import { type EntrySpan, packBlocks } from "./entries.ts";

export class EntryTable {
  /** Index of the first slot; null while it is not known where the log begins. */
  #first: number | null = null;
  #sources: Uint8Array[] = [];
  #places: number[] = [];
  #lengths: number[] = [];
  #terms: number[] = [];

  /** Index of the first entry; null while there is none. */
  get firstIndex(): number | null {
    return this.#terms.length === 0 ? null : this.#first;
  }

  /** Index of the last entry, or of the point that the next one must follow; null if not known. */
  get lastIndex(): number | null {
    return this.#first === null ? null : this.#first + this.#terms.length - 1;
  }

  /** The term of a held entry. */
  termOf(index: number): number {
    return must(this.#terms[index - must(this.#first, "first entry")], `entry ${index}`);
  }

  holds(index: number): boolean {
    const [first, last] = [this.firstIndex, this.lastIndex];
    return first !== null && last !== null && index >= first && index <= last;
  }

  /** Drops everything: the log goes on behind `index`. */
  restartBehind(index: number): void {
    this.#first = index + 1;
    this.#cut(0);
  }

  /** Takes a run of entries in; false if it leaves a gap. */
  add(span: EntrySpan): boolean {
    const from = span.entries[0]?.index;
    if (from === undefined) return true;
    const last = this.lastIndex;
    if (last !== null && from > last + 1) return false;
    if (this.#first === null || from < this.#first) this.restartBehind(from - 1);
    this.#cut(from - must(this.#first, "first entry"));
    for (const entry of span.entries) {
      this.#sources.push(span.source);
      this.#places.push(entry.at);
      this.#lengths.push(entry.bytes);
      this.#terms.push(entry.term);
    }
    return true;
  }

  #cut(count: number): void {
    for (const column of [this.#sources, this.#places, this.#lengths, this.#terms]) {
      column.length = count;
    }
  }

  /** The entries from `index` on, in the core's encoding. */
  *blocks(index: number, bytesMax: number): Generator<Uint8Array> {
    const from = index - (this.#first ?? index);
    assert(from >= 0, () => `entry ${index} is no longer held`);
    yield* packBlocks(this.#encoded(from), bytesMax);
  }

  /** As `blocks`, once: behind the last one the table is empty and its memory free. */
  *handOver(index: number, bytesMax: number): Generator<Uint8Array> {
    yield* this.blocks(index, bytesMax);
    this.#cut(0);
  }

  *#encoded(from: number): Generator<Uint8Array> {
    for (let slot = from; slot < this.#terms.length; slot++) {
      const at = must(this.#places[slot], "place");
      yield must(this.#sources[slot], "source").subarray(
        at,
        at + must(this.#lengths[slot], "length"),
      );
    }
  }
}
