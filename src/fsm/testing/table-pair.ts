// A table beside an array that is searched and copied as a whole.

import fc from "fast-check";
import { expect } from "vitest";
import type { TablePicture, TableRow, WritableTable } from "../table.ts";

export type Step =
  | { readonly kind: "insert"; readonly id: string | number; readonly gap: number }
  | { readonly kind: "burst"; readonly rows: number }
  | { readonly kind: "replace" | "remove"; readonly pick: number }
  | { readonly kind: "cut"; readonly pick: number; readonly rows: number }
  | { readonly kind: "view" }
  | { readonly kind: "after"; readonly pick: number; readonly shift: number };

const aPick = fc.nat({ max: 1_000_000 });

export const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("insert" as const),
    id: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom("0", "5", "x", "y")),
    gap: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant("burst" as const), rows: fc.integer({ min: 1, max: 700 }) }),
  fc.record({ kind: fc.constantFrom("replace" as const, "remove" as const), pick: aPick }),
  fc.record({ kind: fc.constant("cut" as const), pick: aPick, rows: fc.integer({ max: 1500 }) }),
  fc.record({ kind: fc.constant("view" as const) }),
  fc.record({
    kind: fc.constant("after" as const),
    pick: aPick,
    shift: fc.integer({ min: -2, max: 2 }),
  }),
);

export interface PairOptions<T extends TableRow> {
  readonly table: WritableTable<T>;
  readonly make: (id: string | number, createdIndex: number) => T;
  /** The row with a change to it. */
  readonly change: (row: T) => T;
  /** Null: nothing goes from this table. */
  readonly remove: ((key: string) => T) | null;
  readonly isSame: (one: T, other: T) => boolean;
}

export class TablePair<T extends TableRow> {
  rows: T[] = [];
  readonly #options: PairOptions<T>;
  readonly #views: { readonly view: TablePicture<T>; readonly rows: readonly T[] }[] = [];
  /** What each object that parts of pictures are of stood for when it was first seen. */
  readonly #standsFor = new Map<object, readonly T[]>();
  /** Parts that were seen again, in whatever picture. */
  repeated = 0;
  #index = 0;
  #name = 0;

  constructor(options: PairOptions<T>) {
    this.#options = options;
  }

  run(step: Step): void {
    const { change, table } = this.#options;
    switch (step.kind) {
      case "insert":
        return this.#insert(step.id, step.gap);
      case "burst":
        for (let n = 0; n < step.rows; n += 1) this.#insert(`burst ${(this.#name += 1)}`, 2);
        return;
      case "replace": {
        const old = this.rows[step.pick % this.rows.length];
        if (old === undefined) return;
        const changed = change(old);
        expect(this.#areSame([table.replace(changed)], [old])).toBe(true);
        this.rows = this.rows.map((it) => (it === old ? changed : it));
        return;
      }
      case "remove":
        return this.#remove(step.pick % this.rows.length, 1);
      case "cut":
        return this.#remove(step.pick % this.rows.length, step.rows);
      case "view":
        this.#views.push({ view: table.view(), rows: this.rows });
        return;
      case "after": {
        const at = (this.rows[step.pick % this.rows.length]?.created_index ?? 0) + step.shift;
        const later = this.rows.filter((it) => it.created_index > at);
        expect(this.#areSame(table.after(at), later)).toBe(true);
        return;
      }
    }
  }

  compare(): void {
    const { table } = this.#options;
    expect(this.#areSame(table.values(), this.rows)).toBe(true);
    expect(table.size).toBe(this.rows.length);
    for (const row of this.rows) {
      const found = table.get(String(row.id));
      expect(found !== undefined && this.#options.isSame(row, found)).toBe(true);
    }
    for (const { view, rows } of this.#views) {
      expect(view.size).toBe(rows.length);
      expect(this.#areSame(view.values(), rows)).toBe(true);
      const middle = rows[rows.length >>> 1]?.created_index ?? 0;
      expect(this.#areSame(view.after(middle), rows.slice((rows.length >>> 1) + 1))).toBe(true);
      this.#compareParts(view, rows);
    }
  }

  #compareParts(view: TablePicture<T>, rows: readonly T[]): void {
    const all: T[] = [];
    for (const part of view.parts()) {
      const own = [...part.rows];
      all.push(...own);
      if (part.of === null) continue;
      const known = this.#standsFor.get(part.of);
      if (known === undefined) this.#standsFor.set(part.of, own);
      else expect(this.#areSame(own, known)).toBe(true);
      if (known !== undefined) this.repeated += 1;
    }
    expect(this.#areSame(all, rows)).toBe(true);
  }

  #areSame(read: Iterable<T>, rows: readonly T[]): boolean {
    const list = [...read];
    return (
      list.length === rows.length &&
      rows.every((it, at) => {
        const other = list[at];
        return other !== undefined && this.#options.isSame(it, other);
      })
    );
  }

  #insert(id: string | number, gap: number): void {
    this.#index += gap;
    const { make, table } = this.#options;
    if (table.has(String(id))) return;
    const added = make(id, this.#index);
    table.insert(added);
    this.rows = [...this.rows, added];
  }

  #remove(from: number, count: number): void {
    const { remove } = this.#options;
    if (remove === null) return;
    const gone = this.rows.slice(from, from + count);
    expect(
      this.#areSame(
        gone.map((it) => remove(String(it.id))),
        gone,
      ),
    ).toBe(true);
    this.rows = this.rows.toSpliced(from, count);
  }
}
