import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { Hasher, hashHex, parseHashHex, StateHash } from "./state-hash.ts";

const START = { high: 7, low: 7 };

function digits(text: string): string {
  return hashHex(new Hasher(START).text(text).finish());
}

describe("the hash of a member", () => {
  test("is the same for ever: these digits are in the snapshots of running clusters", () => {
    const row = new Hasher({ high: 1, low: 1 }).integer(0).integer(1).text("Prusa").text("MK4S");
    expect([digits(""), digits("a"), digits("Prusa"), hashHex(row.finish())])
      .toMatchInlineSnapshot(`
      [
        "ccdd6cd80d1e0ae3",
        "371e0034b27bba18",
        "e6a53639413d724c",
        "b2a0c62b8bbfbb0f",
      ]
    `);
  });

  test("differs for all texts of up to two units and their doubles", () => {
    const seen = new Set<string>();
    let texts = 0;
    for (let a = 0; a < 128; a += 1) {
      for (let b = 0; b < 128; b += 1) {
        const text = String.fromCharCode(a, b);
        for (const it of [text, text + text]) {
          seen.add(digits(it));
          texts += 1;
        }
      }
    }
    expect(seen.size).toBe(texts);
  });

  test("tells zeros at the end of a text apart, and where one text ends", () => {
    const texts = [
      ["", ""],
      ["\0", ""],
      ["\0\0", ""],
      ["", "\0"],
      ["a", "b"],
      ["ab", ""],
      ["", "ab"],
    ];
    const hashes = texts.map(([a = "", b = ""]) =>
      hashHex(new Hasher(START).text(a).text(b).finish()),
    );
    expect(new Set(hashes).size).toBe(texts.length);
  });

  test("one changed bit changes about half of all bits, in both lanes", () => {
    const base = "the quick brown fox jumps over the lazy dog";
    const before = new Hasher(START).text(base).finish();
    const flips = { high: 0, low: 0 };
    let trials = 0;
    for (let at = 0; at < base.length; at += 1) {
      for (let bit = 0; bit < 16; bit += 1) {
        const unit = base.charCodeAt(at) ^ (1 << bit);
        const text = base.slice(0, at) + String.fromCharCode(unit) + base.slice(at + 1);
        const after = new Hasher(START).text(text).finish();
        flips.high += ones(before.high ^ after.high);
        flips.low += ones(before.low ^ after.low);
        trials += 1;
      }
    }
    for (const lane of [flips.high, flips.low]) {
      expect(lane / trials).toBeGreaterThan(15.5);
      expect(lane / trials).toBeLessThan(16.5);
    }
  });

  test("takes integers as large as JavaScript can count, and nothing else", () => {
    const values = [0, 1, -1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53 - 1)];
    const hashes = values.map((value) => hashHex(new Hasher(START).integer(value).finish()));
    expect(new Set(hashes).size).toBe(values.length);
    for (const wrong of [Number.NaN, 0.5, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(() => new Hasher(START).integer(wrong)).toThrow(AssertionError);
    }
  });
});

function ones(word: number): number {
  return (word >>> 0).toString(2).replaceAll("0", "").length;
}

describe("the hash of a multiset", () => {
  const member = fc.string({ maxLength: 3 }).map((text) => new Hasher(START).text(text).finish());

  test("does not depend on the order, counts every copy, and forgets what is removed", () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 20 }), member, (members, other) => {
        const forwards = new StateHash();
        for (const it of members) forwards.add(it);
        const backwards = new StateHash();
        backwards.add(other);
        for (const it of members.toReversed()) backwards.add(it);
        expect(backwards.hex()).not.toBe(forwards.hex());
        backwards.remove(other);
        expect(backwards.hex()).toBe(forwards.hex());
        for (const it of members) forwards.remove(it);
        expect(forwards.hex()).toBe("0000000000000000");
      }),
      { seed: 64 },
    );
  });

  test("notices two rows that swap a value, which a sum of checksums would not", () => {
    const sum = (...texts: string[]): string => {
      const hash = new StateHash();
      for (const text of texts) hash.add(new Hasher(START).text(text).finish());
      return hash.hex();
    };
    expect(sum("job 1: 100 g", "job 2: 300 g")).not.toBe(sum("job 1: 300 g", "job 2: 100 g"));
    expect(sum("a0", "b1")).not.toBe(sum("a1", "b0"));
    expect(sum("a", "a")).not.toBe(sum("b", "b"));
  });
});

describe("the digits of a hash", () => {
  test("are read back as they were written, and nothing else is", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (high, low) => {
        const text = hashHex({ high, low });
        expect(text).toMatch(/^[0-9a-f]{16}$/);
        expect(parseHashHex(text)).toEqual({ high, low });
      }),
      { seed: 16 },
    );
    for (const wrong of ["", "0", "0".repeat(15), "0".repeat(17), "G".repeat(16), "A".repeat(16)]) {
      expect(parseHashHex(wrong)).toBeNull();
    }
  });
});
