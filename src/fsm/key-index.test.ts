import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { must } from "../base/assert.ts";
import { KeyIndex } from "./key-index.ts";

/** An index into a list of keys. */
function indexOf(keys: readonly string[]) {
  const reads = { count: 0 };
  const index = new KeyIndex((value) => {
    reads.count += 1;
    return must(keys[value], "a key");
  });
  return { index, reads };
}

describe("numbers by key", () => {
  test("are those of a Map, whatever the keys", () => {
    const key = fc.oneof(fc.nat({ max: 3000 }).map(String), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 3000, size: "max" }), (asked) => {
        const keys: string[] = [];
        const plain = new Map<string, number>();
        const { index } = indexOf(keys);
        for (const one of asked) {
          const isNew = !plain.has(one);
          expect(index.add(one, keys.length)).toBe(isNew);
          if (!isNew) continue;
          plain.set(one, keys.length);
          keys.push(one);
        }
        for (const one of asked) expect(index.find(one)).toBe(plain.get(one));
        expect(index.find("not there")).toBeNull();
      }),
      { seed: 41, numRuns: 30 },
    );
  });

  test("two keys of one hash are two", () => {
    // Found by search: all 32 bits of their hashes are alike, in pairs.
    const keys = ["yiijsv", "ktodoe", "urswmb", "sausii", "czsxvy", "trepuw"];
    const { index, reads } = indexOf(keys);
    for (const [at, key] of keys.entries()) expect(index.add(key, at)).toBe(true);
    expect(reads.count).toBe(3);
    for (const [at, key] of keys.entries()) {
      expect(index.find(key)).toBe(at);
      expect(index.add(key, 9)).toBe(false);
    }
  });

  test("a key is read once where it is, and not at all where there is none", () => {
    const keys = Array.from({ length: 20_000 }, (_, n) => String(n));
    const { index, reads } = indexOf(keys);
    for (const [at, key] of keys.entries()) index.add(key, at);
    reads.count = 0;
    for (const key of keys) index.find(key);
    expect(reads.count).toBe(keys.length);
    for (const key of keys) index.find(`${key}x`);
    // One of 2^32 hashes is met by chance, 20,000 times 20,000 of them in about a tenth of all runs.
    expect(reads.count - keys.length).toBeLessThan(5);
  });
});
