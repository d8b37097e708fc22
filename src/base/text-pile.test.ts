import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "./assert.ts";
import { TextPile } from "./text-pile.ts";

describe("a pile of texts", () => {
  test("gives each back as it went in, while others come and when it is full", () => {
    // Units of one byte, of two, halves of pairs, and nothing at all.
    const unit = fc.constantFrom("a", "\0", "ÿ", "Ā", "日", "\ud800", "\udc00", "😀");
    const text = fc.oneof(fc.string({ unit, maxLength: 9 }), fc.string({ maxLength: 3000 }));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 40 }), (texts) => {
        const pile = new TextPile(texts.length);
        for (const [at, one] of texts.entries()) {
          pile.push(one);
          expect(pile.get(at)).toBe(one);
        }
        expect(texts.map((_, at) => pile.get(at))).toEqual(texts);
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  test("takes no more than it was made for, and gives none that it has not", () => {
    const pile = new TextPile(2);
    pile.push("a");
    expect(() => pile.get(1)).toThrow(AssertionError);
    pile.push("b");
    expect(() => pile.push("c")).toThrow(AssertionError);
    expect(() => pile.get(2)).toThrow(AssertionError);
    expect(() => pile.get(-1)).toThrow(AssertionError);
    expect([pile.get(0), pile.get(1)]).toEqual(["a", "b"]);
  });
});
