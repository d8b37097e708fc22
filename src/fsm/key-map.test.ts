import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyMap } from "./key-map.ts";

describe("values by key", () => {
  test("are those of a Map, after any sequence of changes", () => {
    const key = fc.oneof(fc.nat({ max: 30 }).map(String), fc.string({ maxLength: 3 }));
    const change = fc.tuple(fc.constantFrom("set", "delete"), key, fc.nat());
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
        const plain = new Map<string, number>();
        const map = new KeyMap<number>();
        for (const [kind, name, value] of changes) {
          if (kind === "set") {
            plain.set(name, value);
            map.set(name, value);
          } else {
            plain.delete(name);
            map.delete(name);
          }
          expect(map.size).toBe(plain.size);
        }
        for (const [, name] of changes) {
          expect(map.get(name)).toBe(plain.get(name));
          expect(map.has(name)).toBe(plain.has(name));
        }
      }),
      { seed: 41, numRuns: 300 },
    );
  });

  test("one that is undefined is there all the same", () => {
    const map = new KeyMap<undefined>();
    map.set("a", undefined);
    expect(map.has("a")).toBe(true);
    expect(map.size).toBe(1);
  });
});
