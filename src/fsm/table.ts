// One kind of objects: rows in the order of their creation, and found by key.
//
// The table may hold many rows (print jobs, of which there are most, have one of their own:
// job-table.ts), is read in pages, and is pictured for a snapshot without holding up the node. So rows
// lie in chunks, in creation order, which is also the order of `created_index`:
//
//     by key:  key ─▶ row               chunks:  [ 2 5 6 · 9 ] [ 11 12 … ] [ 40 · ]
//                                                        └ a hole: the row was removed
//
// A picture (`view`) copies only the list of chunks; a later write copies a chunk the first time it
// touches one that a picture may hold (copy on write). A hole keeps its created_index, so that
// binary search goes on working; a chunk of nothing but holes is dropped. Nothing but a whole
// iteration takes time proportional to the number of rows.
//
// The table refuses, by assertion, a key that is taken, a created_index that is not the newest, and
// reading on with an iterator of the table itself after a write: that would skip rows silently.
// Whoever reads across writes takes a view.

import { assert, must } from "../base/assert.ts";
import type { Id } from "./objects.ts";
import { idKey } from "./objects.ts";

export interface TableRow {
  readonly id: Id;
  /** Unique in the table and greater than that of every row before it. */
  readonly created_index: number;
}

/** A picture of a table: what is written to the table afterwards does not show in it. */
export interface TableView<T extends TableRow> {
  readonly size: number;
  /** All rows, oldest first. */
  values(): IterableIterator<T>;
  /** The rows created after `createdIndex`, oldest first; the row of that index need not exist. */
  after(createdIndex: number): IterableIterator<T>;
}

/** Rows of a picture that follow each other. */
export interface TablePart<T extends TableRow> {
  /** Parts of one object, of whatever pictures of the table, have the same rows; null: nothing is known. */
  readonly of: object | null;
  readonly rows: Iterable<T>;
}

/** A picture that can be compared with another one of the same table without being read. */
export interface TablePicture<T extends TableRow> extends TableView<T> {
  /** All rows, oldest first, in parts. */
  parts(): Iterable<TablePart<T>>;
}

/** A table as its readers see it. */
export interface Table<T extends TableRow> extends TableView<T> {
  /** The row whose id has this key (`idKey`). */
  get(key: string): T | undefined;
  has(key: string): boolean;
  view(): TablePicture<T>;
}

/** A table as its owner sees it. */
export interface WritableTable<T extends TableRow> extends Table<T> {
  /** Adds a row whose key is free and whose created_index is the newest. */
  insert(row: T): void;
  /** Puts `row` in the place of the row with the same id, and gives that one back. */
  replace(row: T): T;
}

/** Slots of a chunk: what one write after a view copies at most. */
export const CHUNK_SLOTS = 1024;

interface Chunk<T> {
  /**
   * The table's epoch when this copy was made. A view ends an epoch: older chunks may be in a view.
   */
  readonly epoch: number;
  /**
   * The created_index of each slot, holes as well. Shared by all copies of the chunk: a place is
   * written once, when its slot is added, and no copy reads beyond its own slots.
   */
  readonly created: Float64Array;
  /** Undefined is a hole. Grows at the end up to CHUNK_SLOTS. */
  readonly slots: (T | undefined)[];
  /** Slots that are not holes. */
  live: number;
  /** All slots before this one are holes: removing the oldest again and again stays cheap. */
  head: number;
}

/** How many writes there have been: lets an iterator notice that the table has changed under it. */
interface WriteCount {
  writes: number;
}

const NEVER_WRITTEN: WriteCount = { writes: 0 };

export class RowTable<T extends TableRow> implements WritableTable<T> {
  readonly #byKey = new Map<string, T>();
  #chunks: Chunk<T>[] = [];
  #epoch = 0;
  readonly #count: WriteCount = { writes: 0 };
  #lastCreated = -1;

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** The oldest row. */
  first(): T | undefined {
    const chunk = this.#chunks[0];
    return chunk?.slots[chunk.head];
  }

  insert(row: T): void {
    const key = idKey(row.id);
    assert(
      row.created_index > this.#lastCreated,
      () => `created_index ${row.created_index} is old`,
    );
    assert(!this.#byKey.has(key), () => `insert of a taken key ${key}`);
    this.#byKey.set(key, row);
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.slots.length === CHUNK_SLOTS) {
      const created = new Float64Array(CHUNK_SLOTS);
      chunk = { epoch: this.#epoch, created, slots: [], live: 0, head: 0 };
      this.#chunks.push(chunk);
    } else {
      chunk = this.#writable(this.#chunks.length - 1);
    }
    chunk.created[chunk.slots.length] = row.created_index;
    chunk.slots.push(row);
    chunk.live += 1;
    this.#lastCreated = row.created_index;
    this.#count.writes += 1;
  }

  replace(row: T): T {
    const key = idKey(row.id);
    const old = must(this.#byKey.get(key), `row ${key} to replace`);
    assert(old.created_index === row.created_index, () => `replacing ${key} must keep its place`);
    const { chunk, slot } = this.#locate(row.created_index);
    chunk.slots[slot] = row;
    this.#byKey.set(key, row);
    this.#count.writes += 1;
    return old;
  }

  /** Removes the row and gives it back. */
  remove(key: string): T {
    const row = must(this.#byKey.get(key), `row ${key} to remove`);
    const { chunk, chunkAt, slot } = this.#locate(row.created_index);
    chunk.slots[slot] = undefined;
    chunk.live -= 1;
    this.#byKey.delete(key);
    this.#count.writes += 1;
    if (chunk.live === 0) {
      this.#chunks.splice(chunkAt, 1);
    } else {
      while (chunk.slots[chunk.head] === undefined) chunk.head += 1;
    }
    return row;
  }

  values(): IterableIterator<T> {
    return rowsFrom(this.#chunks, 0, 0, this.#count, this.#count.writes);
  }

  after(createdIndex: number): IterableIterator<T> {
    return rowsAfter(this.#chunks, createdIndex, this.#count);
  }

  view(): TablePicture<T> {
    this.#epoch += 1;
    return new ChunkView(this.#chunks.slice(), this.size);
  }

  /** The chunk at this place, copied first if a view may hold it. */
  #writable(chunkAt: number): Chunk<T> {
    const chunk = must(this.#chunks[chunkAt], "chunk");
    if (chunk.epoch === this.#epoch) return chunk;
    const copy = { ...chunk, epoch: this.#epoch, slots: chunk.slots.slice() };
    this.#chunks[chunkAt] = copy;
    return copy;
  }

  /** Where the row of this created_index lies, in a chunk that may be written. */
  #locate(createdIndex: number): { chunk: Chunk<T>; chunkAt: number; slot: number } {
    const chunkAt = chunkOf(this.#chunks, createdIndex);
    const chunk = this.#writable(chunkAt);
    const slot = slotsUpTo(chunk, createdIndex) - 1;
    assert(chunk.created[slot] === createdIndex, () => `no slot for created_index ${createdIndex}`);
    return { chunk, chunkAt, slot };
  }
}

class ChunkView<T extends TableRow> implements TablePicture<T> {
  readonly size: number;
  readonly #chunks: readonly Chunk<T>[];

  constructor(chunks: readonly Chunk<T>[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  values(): IterableIterator<T> {
    return rowsFrom(this.#chunks, 0, 0, NEVER_WRITTEN, 0);
  }

  after(createdIndex: number): IterableIterator<T> {
    return rowsAfter(this.#chunks, createdIndex, NEVER_WRITTEN);
  }

  *parts(): Generator<TablePart<T>, undefined> {
    for (const chunk of this.#chunks) {
      // A chunk that a picture holds is never written again: the next write makes another one.
      const isFull = chunk.slots.length === CHUNK_SLOTS;
      yield { of: isFull ? chunk : null, rows: rowsFrom([chunk], 0, 0, NEVER_WRITTEN, 0) };
    }
  }
}

/**
 * The place of the last chunk that begins at or before `createdIndex`; −1 if all begin after it.
 */
function chunkOf<T>(chunks: readonly Chunk<T>[], createdIndex: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (must(chunks[middle]?.created[0], "first index of a chunk") <= createdIndex) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

/** How many of the chunk's slots were created at or before `createdIndex`. */
function slotsUpTo<T>(chunk: Chunk<T>, createdIndex: number): number {
  let low = 0;
  let high = chunk.slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (must(chunk.created[middle], "index of a slot") <= createdIndex) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rowsAfter<T>(
  chunks: readonly Chunk<T>[],
  createdIndex: number,
  count: WriteCount,
): IterableIterator<T> {
  const chunkAt = chunkOf(chunks, createdIndex);
  const chunk = chunks[chunkAt];
  if (chunk === undefined) return rowsFrom(chunks, 0, 0, count, count.writes);
  return rowsFrom(chunks, chunkAt, slotsUpTo(chunk, createdIndex), count, count.writes);
}

/**
 * The rows from this place on. `started` is the count of writes when the place was found; it comes
 * from the caller, because a generator runs none of its lines before it is asked for its first row.
 */
function* rowsFrom<T>(
  chunks: readonly Chunk<T>[],
  chunkAt: number,
  slot: number,
  count: WriteCount,
  started: number,
): Generator<T, undefined> {
  let from = slot;
  for (let at = chunkAt; at < chunks.length; at += 1) {
    const chunk = must(chunks[at], "chunk");
    for (let place = Math.max(from, chunk.head); place < chunk.slots.length; place += 1) {
      assert(count.writes === started, "a table was written while it was iterated: take a view");
      const row = chunk.slots[place];
      if (row !== undefined) yield row;
    }
    from = 0;
  }
}
