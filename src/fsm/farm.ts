// The replicated objects: printers, filaments and print jobs, with what is derived from them.
//
// The farm owns three tables, the next automatic id of each kind, and a hash over all of these that
// is kept up to date with every write, so that `digest()` costs nothing. It also counts the Queued
// and Running jobs of each printer and filament; that count follows from the jobs, and is therefore
// neither hashed nor saved.
//
// It knows no rule of the business: evolve.ts decides what is written, and is together with the
// loader of snapshots the only caller of `insert`, `replace` and `remove`. Readers get `Table`,
// which cannot write.
//
// Invariant: the next id of a kind is free, and has never been free again once it was passed. It
// begins at 1 and grows only: past an object created with that number, whether the cluster chose
// the number or a client did. So it is at the same time the answer to "which id comes next".

import { assert } from "../base/assert.ts";
import { JobTable } from "./job-table.ts";
import type { Filament, PrintJob, Printer } from "./objects.ts";
import { idKey } from "./objects.ts";
import type { ObjectKind } from "./reply.ts";
import type { RowOf } from "./rows.ts";
import { nextIdHash, rowHash } from "./rows.ts";
import type { Hash64 } from "./state-hash.ts";
import { StateHash } from "./state-hash.ts";
import type { Table, TablePicture, WritableTable } from "./table.ts";
import { RowTable } from "./table.ts";
import { isActive } from "./transitions.ts";

export type NextIds = Readonly<Record<ObjectKind, number>>;

/** A picture of the farm: later writes do not show in it. */
export interface FarmView {
  readonly printers: TablePicture<Printer>;
  readonly filaments: TablePicture<Filament>;
  readonly jobs: TablePicture<PrintJob>;
  readonly nextIds: NextIds;
  readonly digest: string;
}

export class Farm {
  readonly #printers = new RowTable<Printer>();
  readonly #filaments = new RowTable<Filament>();
  readonly #jobs = new JobTable();
  readonly #tables: { readonly [K in ObjectKind]: WritableTable<RowOf[K]> } = {
    printer: this.#printers,
    filament: this.#filaments,
    print_job: this.#jobs,
  };
  readonly #nextIds: Record<ObjectKind, number> = { printer: 1, filament: 1, print_job: 1 };
  /** No number above it was ever an id of the kind, whether as a number or as a text. Not hashed, not saved. */
  readonly #greatestIds: Record<ObjectKind, number> = { printer: 0, filament: 0, print_job: 0 };
  readonly #hash = new StateHash();
  /** Key of a printer or filament to the number of its active jobs; no entry where that is zero. */
  readonly #activeJobs = {
    printer: new Map<string, number>(),
    filament: new Map<string, number>(),
  };

  private constructor() {
    for (const kind of ["printer", "filament", "print_job"] as const) {
      this.#hash.add(nextIdHash(kind, 1));
    }
  }

  static empty(): Farm {
    return new Farm();
  }

  get printers(): Table<Printer> {
    return this.#printers;
  }

  get filaments(): Table<Filament> {
    return this.#filaments;
  }

  get jobs(): Table<PrintJob> {
    return this.#jobs;
  }

  /** The id that the next object of this kind gets if its creator names none. */
  nextId(kind: ObjectKind): number {
    return this.#nextIds[kind];
  }

  /** How many Queued and Running jobs there are on this printer or filament. */
  activeJobs(kind: "printer" | "filament", key: string): number {
    return this.#activeJobs[kind].get(key) ?? 0;
  }

  /** Sixteen digits over all rows and next ids: equal for equal farms, whatever way led there. */
  digest(): string {
    return this.#hash.hex();
  }

  /** The same as `digest`, as numbers. */
  get hash(): Hash64 {
    return this.#hash;
  }

  view(): FarmView {
    return {
      printers: this.#printers.view(),
      filaments: this.#filaments.view(),
      jobs: this.#jobs.view(),
      nextIds: { ...this.#nextIds },
      digest: this.digest(),
    };
  }

  /** Adds a row, whose created_index must be greater than any of its kind before, and gives it back. */
  insert<K extends ObjectKind>(kind: K, row: RowOf[K]): RowOf[K] {
    this.restore(kind, row);
    let next = this.#nextIds[kind];
    // Nearly always the row has taken the next id and nobody chose a greater one: nothing is looked up then.
    if (row.id === next) next += 1;
    while (next <= this.#greatestIds[kind] && this.#tables[kind].has(String(next))) next += 1;
    this.#setNextId(kind, next);
    return row;
  }

  /** Puts `row` in the place of the one with its id, which an earlier entry wrote; gives it back. */
  replace<K extends ObjectKind>(kind: K, row: RowOf[K]): RowOf[K] {
    const old = this.#tables[kind].replace(row);
    assert(row.version > old.version, () => `${kind} ${row.id} as of ${row.version} is not newer`);
    this.#hash.remove(rowHash(old));
    this.#hash.add(rowHash(row));
    this.#countJob(old, -1);
    this.#countJob(row, 1);
    return row;
  }

  /** A job that is over stays: it is the shop's record. */
  remove(kind: "printer" | "filament", key: string): void {
    const table = kind === "printer" ? this.#printers : this.#filaments;
    this.#hash.remove(rowHash(table.remove(key)));
  }

  /** For the loader of snapshots: as `insert`, but the next ids come behind the rows. */
  restore<K extends ObjectKind>(kind: K, row: RowOf[K]): void {
    this.#tables[kind].insert(row);
    const id = Number(row.id); // NaN for most texts, which is greater than nothing
    if (id > this.#greatestIds[kind]) this.#greatestIds[kind] = id;
    this.#hash.add(rowHash(row));
    this.#countJob(row, 1);
  }

  /**
   * For the loader of snapshots, after the rows: next ids do not follow from rows once some are
   * gone. A number below the first that is free is taken, so it need not be known which one that is.
   */
  restoreNextId(kind: ObjectKind, next: number): void {
    assert(next >= this.#nextIds[kind], () => `the next id of a ${kind} cannot fall to ${next}`);
    assert(
      !this.#tables[kind].has(String(next)),
      () => `the next id of a ${kind}, ${next}, is taken`,
    );
    this.#setNextId(kind, next);
  }

  #setNextId(kind: ObjectKind, next: number): void {
    const before = this.#nextIds[kind];
    if (next === before) return;
    this.#hash.remove(nextIdHash(kind, before));
    this.#hash.add(nextIdHash(kind, next));
    this.#nextIds[kind] = next;
  }

  #countJob(row: Printer | Filament | PrintJob, by: 1 | -1): void {
    if (!("status" in row) || !isActive(row.status)) return;
    addTo(this.#activeJobs.printer, idKey(row.printer_id), by);
    addTo(this.#activeJobs.filament, idKey(row.filament_id), by);
  }
}

function addTo(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  assert(count >= 0, () => `fewer than no jobs on ${key}`);
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
