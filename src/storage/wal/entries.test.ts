import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../base/bytes.ts";
import { type TestEntry, decodeEntries, encodeEntries } from "../../sim/storage-world.ts";
import { blockRange, readSpan, splitBlock } from "./entries.ts";
import { EntryTable } from "./entry-table.ts";

const entries = fc
  .tuple(fc.nat(2 ** 40), fc.array(fc.string({ maxLength: 60 }), { maxLength: 20 }))
  .map(([first, texts]): readonly TestEntry[] =>
    texts.map((text, i) => ({ index: first + i, term: 3, text })),
  );

/** The same, with a plain list. */
class PlainLog {
  list: readonly TestEntry[] = [];

  add(more: readonly TestEntry[]): void {
    const first = more[0]?.index ?? Number.POSITIVE_INFINITY;
    this.list = [...this.list.filter((entry) => entry.index < first), ...more];
  }
}

describe("blocks of entries", () => {
  it("are walked to their first and last index", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const range = blockRange(encodeEntries(list));
        expect(range).toEqual({
          count: list.length,
          first: list[0]?.index ?? 0,
          last: list.at(-1)?.index ?? 0,
        });
      }),
      { seed: 21 },
    );
  });

  it("are cut into pieces of whole entries, none longer than asked for", () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 300, max: 900 }), (list, bytesMax) => {
        const pieces = [...splitBlock(encodeEntries(list), bytesMax)];
        expect(decodeEntries(pieces)).toEqual(list);
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(bytesMax);
      }),
      { seed: 22 },
    );
  });

  it("are refused when they are cut short, too long, or out of order", () => {
    const list = [5, 6].map((index) => ({ index, term: 1, text: "data" }));
    const block = encodeEntries(list);
    expect(() => blockRange(block.subarray(0, -1))).toThrow();
    expect(() => blockRange(Uint8Array.from([...block, 0]))).toThrow("does not end");
    const gap = encodeEntries([5, 7].map((index) => ({ index, term: 1, text: "" })));
    expect(() => blockRange(gap)).toThrow("out of order");
    expect(() => readSpan(new ByteReader(gap), gap)).toThrow("out of order");
  });
});

describe("the table of entries", () => {
  it("holds what raft's rule for conflicts leaves, however the entries came", () => {
    const run = fc.record({ back: fc.nat(6), count: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 20 }), fc.nat(100), (runs, start) => {
        const table = new EntryTable();
        const plain = new PlainLog();
        let term = 1;
        for (const { back, count } of runs) {
          const first = Math.max(start, (plain.list.at(-1)?.index ?? start - 1) + 1 - back);
          const list = Array.from({ length: count }, (_, i) => {
            return { index: first + i, term, text: `${first + i}@${term}` };
          });
          term += 1;
          const block = encodeEntries(list);
          expect(table.add(readSpan(new ByteReader(block), block))).toBe(true);
          plain.add(list);
          expect(table.firstIndex).toBe(plain.list[0]?.index);
          expect(table.lastIndex).toBe(plain.list.at(-1)?.index);
        }
        const first = table.firstIndex;
        if (first === null) return;
        expect(decodeEntries(table.blocks(first, 100))).toEqual(plain.list);
        for (const entry of plain.list) expect(table.termOf(entry.index)).toBe(entry.term);
      }),
      { seed: 23 },
    );
  });

  it("refuses a gap, and is empty once it has handed its entries over", () => {
    const table = new EntryTable();
    const add = (list: readonly TestEntry[]): boolean => {
      const block = encodeEntries(list);
      return table.add(readSpan(new ByteReader(block), block));
    };
    table.restartBehind(10);
    expect(table.firstIndex).toBeNull();
    expect(table.lastIndex).toBe(10);
    expect(add([{ index: 12, term: 1, text: "gap" }])).toBe(false);
    expect(add([{ index: 11, term: 1, text: "next" }])).toBe(true);
    expect(decodeEntries(table.handOver(11, 100)).map(({ index }) => index)).toEqual([11]);
    expect(table.firstIndex).toBeNull();
    expect(table.lastIndex).toBe(10);
  });
});
