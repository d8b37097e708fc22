import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import type { TableRow } from "./table.ts";
import { CHUNK_SLOTS, RowTable } from "./table.ts";
import { aStep, TablePair } from "./testing/table-pair.ts";

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

describe("a table beside a plain array", () => {
  test("I17: any writes leave the same rows, and every view held across them its own", () => {
    let repeated = 0;
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 40, size: "max" }), (steps) => {
        const table = new RowTable<Row>();
        const pair = new TablePair<Row>({
          table,
          make: row,
          change: (old) => row(old.id, old.created_index, `${old.text}!`),
          remove: (key) => table.remove(key),
          // The same objects: an equal copy would be a mistake.
          isSame: (one, other) => one === other,
        });
        for (const step of steps) pair.run(step);
        pair.compare();
        expect(table.first()).toBe(pair.rows[0]);
        repeated += pair.repeated;
      }),
      { seed: 1024, numRuns: 60 },
    );
    expect(repeated).toBeGreaterThan(20);
  });

  test("a part of its pictures is of the same object until one of its rows changes", () => {
    const table = tableOf(3 * CHUNK_SLOTS + 5);
    const objects = (): readonly (object | null)[] =>
      Array.from(table.view().parts(), (it) => it.of);
    const [a, b, c, last] = objects();
    expect(last).toBeNull(); // rows are still added to it
    table.replace(row(CHUNK_SLOTS + 1, (CHUNK_SLOTS + 1) * 10, "new"));
    table.insert(row("x", 1_000_000));
    const [a2, b2, c2] = objects();
    expect([a2, c2]).toEqual([a, c]);
    expect(a2 === a && c2 === c && b2 !== b).toBe(true);
    table.remove("1");
    const [a3, b3] = objects();
    expect(a3 !== a && b3 === b2).toBe(true);
  });
});
