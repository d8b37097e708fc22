import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { JSON_DEPTH_MAX } from "../base/limits.ts";
import { INEXACT, parseBody } from "./json.ts";

const SEED = 20_261_122;

function isWellFormed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("the walk over a body's text", () => {
  it("accepts exactly what JSON.parse accepts, however a text is mutilated", () => {
    const alphabet = '{}[]",:\\ \t\n\r0123456789.eE+-truefalsnbu/x\u0000\u001f\u00a0é';
    const snippet = fc.string({ unit: fc.constantFrom(...alphabet.split("")), maxLength: 6 });
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(4), snippet), { maxLength: 3 });
    const mutilated = fc.tuple(fc.json({ maxDepth: 4 }), edits).map(([json, cuts]) => {
      let text = json;
      for (const [place, length, put] of cuts) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + put + text.slice(at + length);
      }
      return text;
    });
    let bad = 0;
    fc.assert(
      fc.property(fc.oneof(mutilated, snippet), (text) => {
        const wellFormed = isWellFormed(text);
        if (!wellFormed) bad += 1;
        expect(parseBody(text).kind === "malformed").toBe(!wellFormed);
      }),
      { seed: SEED, numRuns: 5000 },
    );
    // The generator must reach both sides.
    expect(bad).toBeGreaterThan(1000);
    expect(bad).toBeLessThan(4500);
  });

  it("gives an object as JSON.parse does, when no name stands twice and no number is rounded", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value);
        expect(parseBody(text)).toEqual({ kind: "object", value: JSON.parse(text) as unknown });
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it.each([
    ['{"a": 1,}', 1, 9, "expected a field name in double quotes"],
    ['{"a" 1}', 1, 6, "expected a colon"],
    ['{"a": }', 1, 7, "expected a value"],
    ['{\n  "a": 01\n}', 2, 9, "expected a comma or a closing brace"],
    ['{"a": [1 2]}', 1, 10, "expected a comma or a closing bracket"],
    ['{"a": "x\ny"}', 1, 9, "control characters must be escaped in a string"],
    ['{"a": "\\x"}', 1, 8, "there is no such escape in JSON"],
    ['{"a": "\\u12g4"}', 1, 8, "\\u needs four hexadecimal digits"],
    ['{"a": 1.}', 1, 9, "expected a digit after the decimal point"],
    ['{"a": 1e}', 1, 9, "expected a digit in the exponent"],
    ['{"a": NaN}', 1, 7, "expected a value"],
    ['{"a": tru}', 1, 7, "expected a value"],
    ["{} {}", 1, 4, "expected nothing after the value"],
    ['{"a": "', 1, 8, "expected the closing quote of a string, but the text ends here"],
    ["", 1, 1, "expected a value, but the text ends here"],
  ])("finds the mistake in %j at line %d, column %d", (text, line, column, reason) => {
    expect(isWellFormed(text)).toBe(false);
    expect(parseBody(text)).toEqual({ kind: "malformed", reason, line, column });
  });

  it("takes the depth that is allowed, and not one level more", () => {
    const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
    expect(parseBody(nested(JSON_DEPTH_MAX)).kind).toBe("object");
    expect(parseBody(nested(JSON_DEPTH_MAX + 1))).toMatchObject({ kind: "malformed", line: 1 });
    expect(parseBody(`{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}`).kind).toBe("malformed");
  });

  it.each(["[]", "1", '"text"', "null", "true"])("does not take %s for an object", (text) => {
    expect(parseBody(text).kind).toBe("not-object");
  });

  it("notices a name that stands twice, however it is written, and only in the outermost object", () => {
    expect(parseBody('{"a":1,"b":2,"\\u0061":3}')).toEqual({
      kind: "duplicate-fields",
      fields: ["a"],
    });
    expect(parseBody('{"a":{"b":1,"b":2},"b":"\\"b\\":"}').kind).toBe("object");
    expect(parseBody('{"__proto__":1,"__proto__":2}').kind).toBe("duplicate-fields");
  });

  it("takes __proto__ and constructor as the names that they are", () => {
    const parsed = parseBody('{"__proto__":{"company":"x"},"constructor":1}');
    if (parsed.kind !== "object") throw new Error(parsed.kind);
    expect(Object.keys(parsed.value)).toEqual(["__proto__", "constructor"]);
    expect("company" in parsed.value).toBe(false);
  });

  it.each([
    ["1.0", 1],
    ["1.5e1", 15],
    ["120e-1", 12],
    ["12e3", 12_000],
    ["0.0", 0],
    ["-0", -0],
    ["0e-5", 0],
    ["1e-1", 0.1],
    ["1e400", Infinity],
  ])("reads %s as %d", (written, value) => {
    expect(parseBody(`{"w":${written}}`)).toEqual({ kind: "object", value: { w: value } });
  });

  it.each([
    "0.99999999999999999999",
    "9007199254740990.9",
    "1e-400",
    "4.00000000000000000001",
    "100000000000000000001e-20",
  ])("does not let %s become an integer by rounding", (written) => {
    expect(Number.isInteger(Number(written))).toBe(true);
    expect(parseBody(`{"w":${written}}`)).toEqual({ kind: "object", value: { w: INEXACT } });
  });
});
