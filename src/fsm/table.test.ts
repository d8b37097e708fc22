import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import type { TableRow, TableView } from "./table.ts";
import { CHUNK_SLOTS, RowTable } from "./table.ts";

interface Row extends TableRow {
  readonly text: string;
}

function row(id: string | number, created_index: number, text = ""): Row {
  return { id, created_index, text };
}

/** A table of rows 1 to `count`, created at 10, 20, 30 and so on. */
function tableOf(count: number): RowTable<Row> {
  const table = new RowTable<Row>();
  for (let n = 1; n <= count; n += 1) table.insert(row(n, n * 10));
  return table;
}

function indexes(rows: Iterable<Row>): number[] {
  return Array.from(rows, (it) => it.created_index);
}

describe("a table", () => {
  test("finds a row by the key of its id and lists rows in the order of their creation", () => {
    const table = new RowTable<Row>();
    table.insert(row("b", 1));
    table.insert(row(7, 2));
    table.insert(row("a", 5));
    expect(table.get("7")).toEqual(row(7, 2));
    expect(table.get("b")).toEqual(row("b", 1));
    expect(table.get("c")).toBeUndefined();
    expect([table.has("a"), table.has("c")]).toEqual([true, false]);
    expect([...table.values()].map((it) => it.id)).toEqual(["b", 7, "a"]);
    expect(table.size).toBe(3);
    expect(table.first()?.id).toBe("b");
  });

  test("refuses a key that is taken in either form, and an index that is not the newest", () => {
    const table = tableOf(2);
    expect(() => table.insert(row("1", 30))).toThrow(AssertionError);
    expect(() => table.insert(row(3, 20))).toThrow(AssertionError);
    expect(() => table.insert(row(3, 5))).toThrow(AssertionError);
    table.insert(row(3, 21));
    expect(table.size).toBe(3);
  });

  test("refuses to replace or remove a row that is not there, and to move one", () => {
    const table = tableOf(2);
    expect(() => table.replace(row(3, 30))).toThrow(AssertionError);
    expect(() => table.replace(row(2, 30))).toThrow(AssertionError);
    expect(() => table.replace(row(2, 10))).toThrow(AssertionError);
    expect(() => table.remove("3")).toThrow(AssertionError);
    expect(indexes(table.values())).toEqual([10, 20]);
  });

  test("keeps the order of indexes even when the newest rows are gone", () => {
    const table = tableOf(3);
    table.remove("3");
    expect(() => table.insert(row("x", 30))).toThrow(AssertionError);
    expect(() => table.insert(row("x", 25))).toThrow(AssertionError);
    table.insert(row("x", 31));
    expect(indexes(table.values())).toEqual([10, 20, 31]);
  });

  test("a cursor on a removed row still knows its place", () => {
    const table = tableOf(3 * CHUNK_SLOTS);
    const place = CHUNK_SLOTS + 7;
    table.remove(String(place));
    expect(table.after(place * 10).next().value?.id).toBe(place + 1);
    expect(table.after(place * 10 - 1).next().value?.id).toBe(place + 1);
    expect(table.after((place - 1) * 10).next().value?.id).toBe(place + 1);
    expect(table.after((place - 2) * 10).next().value?.id).toBe(place - 1);
  });

  test("pages join without gap or repeat wherever chunks begin, end, or were dropped", () => {
    const table = tableOf(3 * CHUNK_SLOTS);
    for (let n = CHUNK_SLOTS + 1; n <= 2 * CHUNK_SLOTS; n += 1) table.remove(String(n));
    for (const size of [1, 7, CHUNK_SLOTS - 1, CHUNK_SLOTS, CHUNK_SLOTS + 1]) {
      const read: number[] = [];
      let cursor = 0;
      for (;;) {
        const page: Row[] = [];
        for (const it of table.after(cursor)) if (page.push(it) === size) break;
        if (page.length === 0) break;
        read.push(...indexes(page));
        cursor = read.at(-1) ?? 0;
      }
      expect(read).toEqual(indexes(table.values()));
    }
    expect(table.after(Number.MAX_SAFE_INTEGER).next().done).toBe(true);
    expect(table.after(-1).next().value?.id).toBe(1);
  });

  test("can be emptied and filled again", () => {
    const table = tableOf(CHUNK_SLOTS + 2);
    for (let n = 1; n <= CHUNK_SLOTS + 2; n += 1) expect(table.remove(String(n)).id).toBe(n);
    expect([table.size, table.first(), [...table.values()], [...table.after(5)]]).toEqual([
      0,
      undefined,
      [],
      [],
    ]);
    table.insert(row(1, 1_000_000));
    expect(indexes(table.after(0))).toEqual([1_000_000]);
    expect(table.first()?.id).toBe(1);
  });

  test("the oldest row is known while the oldest ones go and others lie behind the holes", () => {
    const table = tableOf(10);
    table.remove("2");
    table.remove("3");
    expect(table.first()?.id).toBe(1);
    table.remove("1");
    expect(table.first()?.id).toBe(4);
    expect(indexes(table.values())).toEqual([40, 50, 60, 70, 80, 90, 100]);
  });

  test("an iterator of the table itself breaks loudly once the table is written", () => {
    const table = tableOf(3);
    const started = table.values();
    const before = table.after(0);
    started.next();
    table.replace(row(3, 30, "new"));
    expect(() => started.next()).toThrow("take a view");
    expect(() => before.next()).toThrow("take a view");
    expect([...table.values()].at(-1)?.text).toBe("new");
  });

  test("I17: a view shows the rows of its moment, whatever is written later", () => {
    const table = tableOf(2 * CHUNK_SLOTS + 3);
    const view = table.view();
    const reading = view.values();
    const first = reading.next().value;
    table.replace(row(1, 10, "new"));
    table.remove("2");
    for (let n = CHUNK_SLOTS + 1; n <= 2 * CHUNK_SLOTS; n += 1) table.remove(String(n));
    table.insert(row("late", 1_000_000));
    expect(first?.text).toBe("");
    const all = Array.from({ length: 2 * CHUNK_SLOTS + 3 }, (_, n) => (n + 1) * 10);
    expect([10, ...indexes(reading)]).toEqual(all);
    expect(indexes(view.values())).toEqual(all);
    expect(indexes(view.after(15)).slice(0, 2)).toEqual([20, 30]);
    expect([...view.values()][0]?.text).toBe("");
    expect(view.size).toBe(all.length);
    expect(table.get("1")?.text).toBe("new");
    expect(table.size).toBe(CHUNK_SLOTS + 3);
  });

  test("the rows a view can still reach are not kept twice: an untouched chunk is shared", () => {
    const table = tableOf(2 * CHUNK_SLOTS);
    const view = table.view();
    const [before] = view.values();
    table.replace(row(2 * CHUNK_SLOTS, 2 * CHUNK_SLOTS * 10, "new"));
    expect([...table.values()][0]).toBe(before);
  });
});

type Step =
  | { readonly kind: "insert"; readonly id: string | number; readonly gap: number }
  | { readonly kind: "burst"; readonly rows: number }
  | { readonly kind: "replace" | "remove"; readonly pick: number }
  | { readonly kind: "cut"; readonly pick: number; readonly rows: number }
  | { readonly kind: "view" }
  | { readonly kind: "after"; readonly pick: number; readonly shift: number };

const aPick = fc.nat({ max: 1_000_000 });
const aStep: fc.Arbitrary<Step> = fc.oneof(
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

/** Whether these are the same objects in the same order; an equal copy would be a mistake. */
function areSame(read: Iterable<Row>, rows: readonly Row[]): boolean {
  const list = [...read];
  return list.length === rows.length && list.every((it, at) => it === rows[at]);
}

/** A table beside an array that is searched and copied as a whole. */
class Pair {
  readonly table = new RowTable<Row>();
  rows: Row[] = [];
  readonly views: { readonly view: TableView<Row>; readonly rows: readonly Row[] }[] = [];
  #index = 0;
  #name = 0;

  run(step: Step): void {
    switch (step.kind) {
      case "insert":
        return this.#insert(step.id, step.gap);
      case "burst":
        for (let n = 0; n < step.rows; n += 1) this.#insert(`burst ${(this.#name += 1)}`, 2);
        return;
      case "replace": {
        const old = this.rows[step.pick % this.rows.length];
        if (old === undefined) return;
        const changed = row(old.id, old.created_index, `${old.text}!`);
        this.table.replace(changed);
        this.rows = this.rows.map((it) => (it === old ? changed : it));
        return;
      }
      case "remove":
        return this.#remove(step.pick % this.rows.length, 1);
      case "cut":
        return this.#remove(step.pick % this.rows.length, step.rows);
      case "view":
        this.views.push({ view: this.table.view(), rows: this.rows });
        return;
      case "after": {
        const at = (this.rows[step.pick % this.rows.length]?.created_index ?? 0) + step.shift;
        const later = this.rows.filter((it) => it.created_index > at);
        expect(areSame(this.table.after(at), later)).toBe(true);
        return;
      }
    }
  }

  #insert(id: string | number, gap: number): void {
    this.#index += gap;
    if (this.table.has(String(id))) return;
    const added = row(id, this.#index);
    this.table.insert(added);
    this.rows = [...this.rows, added];
  }

  #remove(from: number, count: number): void {
    const gone = this.rows.slice(from, from + count);
    for (const it of gone) expect(this.table.remove(String(it.id)) === it).toBe(true);
    this.rows = this.rows.toSpliced(from, count);
  }
}

describe("a table beside a plain array", () => {
  test("I17: any writes leave the same rows, and every view held across them its own", () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 40, size: "max" }), (steps) => {
        const pair = new Pair();
        for (const step of steps) pair.run(step);
        expect(areSame(pair.table.values(), pair.rows)).toBe(true);
        expect(pair.table.size).toBe(pair.rows.length);
        expect(pair.table.first()).toBe(pair.rows[0]);
        expect(pair.rows.every((it) => pair.table.get(String(it.id)) === it)).toBe(true);
        for (const { view, rows } of pair.views) {
          expect(view.size).toBe(rows.length);
          expect(areSame(view.values(), rows)).toBe(true);
          const middle = rows[rows.length >>> 1]?.created_index ?? 0;
          expect(areSame(view.after(middle), rows.slice((rows.length >>> 1) + 1))).toBe(true);
        }
      }),
      { seed: 1024, numRuns: 60 },
    );
  });
});
