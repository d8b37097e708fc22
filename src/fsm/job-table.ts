// The print jobs: a table like those of table.ts, outside the engine's heap.
//
// There may be a million of them, and they stay. As objects they were 300 bytes each that the engine's
// collector marked again and again, on the thread that serves the farm. Here a job is a number in each of a
// few columns, and a text for its path, in chunks of jobs:
//
//     by key:  key ─▶ place            chunk:  id, path, weight, created_index …    written once
//                                              status, version, updated_ms          change
//
// A row is put together when it is asked for, and is the caller's own. Nothing takes a job away, so a
// job's place is how many there were before it. Ids of printers and filaments, which many jobs share, are
// numbers into a list.
//
// A picture (`view`) copies the list of chunks. What is added to a chunk later lies behind what the
// picture knows of; what changes is copied first, once for each chunk (copy on write).
//
// As in table.ts, a key that is taken, a created_index that is not the newest and reading on across a
// write are refused by assertion; so is a change to what a job was created with.

import { assert, must } from "../base/assert.ts";
import { TextPile } from "../base/text-pile.ts";
import { KeyIndex } from "./key-index.ts";
import type { Id, PrintJob } from "./objects.ts";
import { idKey, JOB_STATUSES } from "./objects.ts";
import type { TablePart, TablePicture, WritableTable } from "./table.ts";

/** Jobs of a chunk: what one change after a view copies at most, some 17 KB. */
export const CHUNK_JOBS = 1024;

/** Ids by number, each once; `1` and `"1"` are two, because the form is given back to clients. */
class IdList {
  readonly #ids: Id[] = [];
  readonly #numbers = new Map<Id, number>();

  numberOf(id: Id): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    this.#numbers.set(id, this.#ids.length);
    return this.#ids.push(id) - 1;
  }

  get(number: number): Id {
    return must(this.#ids[number], "id");
  }
}

/** What a job was created with. Written once, and shared by all copies of a chunk. */
class Created {
  /** A number that is an id; of one that is a text there is its length, in front of the path. */
  readonly id = new Float64Array(CHUNK_JOBS);
  readonly idIsText = new Uint8Array(CHUNK_JOBS);
  readonly texts = new TextPile(CHUNK_JOBS);
  /** Numbers in the table's IdList. */
  readonly printer = new Uint32Array(CHUNK_JOBS);
  readonly filament = new Uint32Array(CHUNK_JOBS);
  readonly weight = new Float64Array(CHUNK_JOBS);
  readonly index = new Float64Array(CHUNK_JOBS);
  readonly ms = new Float64Array(CHUNK_JOBS);

  set(slot: number, row: PrintJob, ids: IdList): void {
    const { id, filepath } = row;
    const isText = typeof id === "string";
    this.id[slot] = isText ? id.length : id;
    this.idIsText[slot] = isText ? 1 : 0;
    this.texts.push(isText ? id + filepath : filepath);
    this.printer[slot] = ids.numberOf(row.printer_id);
    this.filament[slot] = ids.numberOf(row.filament_id);
    this.weight[slot] = row.print_weight_in_grams;
    this.index[slot] = row.created_index;
    this.ms[slot] = row.created_ms;
  }

  idAt(slot: number): Id {
    const number = must(this.id[slot], "id");
    return this.idIsText[slot] === 1 ? this.texts.get(slot).slice(0, number) : number;
  }
}

/** What changes of the jobs of a chunk. */
class Changing {
  /** Places in JOB_STATUSES. */
  readonly status: Uint8Array;
  readonly version: Float64Array;
  readonly updatedMs: Float64Array;

  constructor(of: Changing | null) {
    this.status = of === null ? new Uint8Array(CHUNK_JOBS) : of.status.slice();
    this.version = of === null ? new Float64Array(CHUNK_JOBS) : of.version.slice();
    this.updatedMs = of === null ? new Float64Array(CHUNK_JOBS) : of.updatedMs.slice();
  }

  set(slot: number, row: PrintJob): void {
    this.status[slot] = JOB_STATUSES.indexOf(row.status);
    this.version[slot] = row.version;
    this.updatedMs[slot] = row.updated_ms;
  }
}

interface Chunk {
  /** The table's epoch when this copy was made. A view ends an epoch: older ones may be in a view. */
  readonly epoch: number;
  readonly created: Created;
  readonly changing: Changing;
}

/** The first `size` jobs of these chunks. */
class Jobs {
  readonly chunks: Chunk[];
  readonly ids: IdList;
  size: number;

  constructor(chunks: Chunk[], ids: IdList, size: number) {
    this.chunks = chunks;
    this.ids = ids;
    this.size = size;
  }

  id(place: number): Id {
    const { created } = this.chunk(place);
    return created.idAt(place % CHUNK_JOBS);
  }

  read(place: number): PrintJob {
    const { created, changing } = this.chunk(place);
    const slot = place % CHUNK_JOBS;
    const number = must(created.id[slot], "id");
    const text = created.texts.get(slot);
    const isText = created.idIsText[slot] === 1;
    // In the order of rows.ts.
    return {
      id: isText ? text.slice(0, number) : number,
      printer_id: this.ids.get(must(created.printer[slot], "printer_id")),
      filament_id: this.ids.get(must(created.filament[slot], "filament_id")),
      filepath: isText ? text.slice(number) : text,
      print_weight_in_grams: must(created.weight[slot], "weight"),
      status: must(JOB_STATUSES[must(changing.status[slot], "status")], "a known status"),
      created_index: must(created.index[slot], "created_index"),
      version: must(changing.version[slot], "version"),
      created_ms: must(created.ms[slot], "created_ms"),
      updated_ms: must(changing.updatedMs[slot], "updated_ms"),
    };
  }

  *from(place: number, end = this.size): Generator<PrintJob, undefined> {
    for (let at = place; at < end; at += 1) yield this.read(at);
  }

  /** How many jobs were created at or before `createdIndex`. */
  upTo(createdIndex: number): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const index = this.chunk(middle).created.index[middle % CHUNK_JOBS];
      if (must(index, "created_index") <= createdIndex) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  chunk(place: number): Chunk {
    return must(this.chunks[Math.floor(place / CHUNK_JOBS)], "chunk");
  }
}

export class JobTable implements WritableTable<PrintJob> {
  readonly #jobs = new Jobs([], new IdList(), 0);
  readonly #byKey = new KeyIndex((place) => idKey(this.#jobs.id(place)));
  #epoch = 0;
  #lastCreated = -1;
  /** How many writes there have been: lets an iterator notice that the table has changed under it. */
  #writes = 0;

  get size(): number {
    return this.#jobs.size;
  }

  get(key: string): PrintJob | undefined {
    const place = this.#byKey.find(key);
    return place === null ? undefined : this.#jobs.read(place);
  }

  has(key: string): boolean {
    return this.#byKey.find(key) !== null;
  }

  insert(row: PrintJob): void {
    const key = idKey(row.id);
    const { created_index } = row;
    const jobs = this.#jobs;
    const place = jobs.size;
    assert(created_index > this.#lastCreated, () => `created_index ${created_index} is old`);
    assert(this.#byKey.add(key, place), () => `insert of a taken key ${key}`);
    const slot = place % CHUNK_JOBS;
    if (slot === 0) {
      const epoch = this.#epoch;
      jobs.chunks.push({ epoch, created: new Created(), changing: new Changing(null) });
    }
    const { created, changing } = jobs.chunk(place);
    created.set(slot, row, jobs.ids);
    changing.set(slot, row);
    jobs.size += 1;
    this.#lastCreated = created_index;
    this.#writes += 1;
  }

  replace(row: PrintJob): PrintJob {
    const jobs = this.#jobs;
    const place = must(this.#byKey.find(idKey(row.id)), `job ${row.id} to replace`);
    const old = jobs.read(place);
    assert(isCreatedAlike(old, row), () => `job ${row.id} must stay what it was created as`);
    this.#writable(Math.floor(place / CHUNK_JOBS)).changing.set(place % CHUNK_JOBS, row);
    this.#writes += 1;
    return old;
  }

  values(): IterableIterator<PrintJob> {
    return this.#guarded(0, this.#writes);
  }

  after(createdIndex: number): IterableIterator<PrintJob> {
    return this.#guarded(this.#jobs.upTo(createdIndex), this.#writes);
  }

  view(): TablePicture<PrintJob> {
    this.#epoch += 1;
    const { chunks, ids, size } = this.#jobs;
    return new JobsView(new Jobs(chunks.slice(), ids, size));
  }

  /** The chunk at this place, copied first if a view may hold it. */
  #writable(chunkAt: number): Chunk {
    const { chunks } = this.#jobs;
    const chunk = must(chunks[chunkAt], "chunk");
    if (chunk.epoch === this.#epoch) return chunk;
    const copy = { ...chunk, epoch: this.#epoch, changing: new Changing(chunk.changing) };
    chunks[chunkAt] = copy;
    return copy;
  }

  /** `started` is the count of writes when the rows were asked for. */
  *#guarded(place: number, started: number): Generator<PrintJob, undefined> {
    for (const row of this.#jobs.from(place)) {
      assert(this.#writes === started, "a table was written while it was iterated: take a view");
      yield row;
    }
  }
}

class JobsView implements TablePicture<PrintJob> {
  readonly #jobs: Jobs;

  constructor(jobs: Jobs) {
    this.#jobs = jobs;
  }

  get size(): number {
    return this.#jobs.size;
  }

  values(): IterableIterator<PrintJob> {
    return this.#jobs.from(0);
  }

  after(createdIndex: number): IterableIterator<PrintJob> {
    return this.#jobs.from(this.#jobs.upTo(createdIndex));
  }

  *parts(): Generator<TablePart<PrintJob>, undefined> {
    const { chunks, size } = this.#jobs;
    for (const [at, chunk] of chunks.entries()) {
      const begin = at * CHUNK_JOBS;
      const end = Math.min(begin + CHUNK_JOBS, size);
      // To one that is not full jobs are added in place; a full one that a picture holds is never written again.
      const isFull = end === begin + CHUNK_JOBS;
      yield { of: isFull ? chunk : null, rows: this.#jobs.from(begin, end) };
    }
  }
}

function isCreatedAlike(a: PrintJob, b: PrintJob): boolean {
  return (
    a.id === b.id &&
    a.printer_id === b.printer_id &&
    a.filament_id === b.filament_id &&
    a.filepath === b.filepath &&
    a.print_weight_in_grams === b.print_weight_in_grams &&
    a.created_index === b.created_index &&
    a.created_ms === b.created_ms
  );
}
