import { describe, expect, it } from "vitest";

import { IF_MATCH_TAGS_MAX } from "../base/limits.ts";
import { idempotencyKeyFault, isKnown, parseIfMatch } from "./conditions.ts";

describe("If-Match", () => {
  it.each([
    [undefined, null],
    ["*", null],
    [" * ", null],
    ['"12"', [12]],
    ['"12", "13"', [12, 13]],
    ['"12","13",', [12, 13]],
    [', "12"', [12]],
    ['"a,b", "7"', [7]],
    ['W/"12"', []],
    ['W/"12", "13"', [13]],
    ['"012"', []],
    ['"9007199254740993"', []],
    ['""', []],
  ] as const)("%j lets through the versions %j", (header, expected) => {
    expect(parseIfMatch(header)).toEqual({ kind: "expected", expected });
  });

  it.each(["", "12", '"12', '12"', '"1" "2"', '*, "1"', 'w/"1"', '"1"; "2"', ",", "'12'"])(
    "%j is malformed",
    (header) => {
      expect(parseIfMatch(header).kind).toBe("malformed");
    },
  );

  it("has a bound, because its tags travel in the log", () => {
    const tags = (count: number): string => Array.from({ length: count }, () => '"1"').join(",");
    expect(parseIfMatch(tags(IF_MATCH_TAGS_MAX)).kind).toBe("expected");
    expect(parseIfMatch(tags(IF_MATCH_TAGS_MAX + 1)).kind).toBe("malformed");
  });
});

describe("If-None-Match", () => {
  it("compares weakly, and a malformed header is no condition", () => {
    expect(isKnown('"12"', 12)).toBe(true);
    expect(isKnown('"11", W/"12"', 12)).toBe(true);
    expect(isKnown("*", 12)).toBe(true);
    expect(isKnown('"13"', 12)).toBe(false);
    expect(isKnown("12", 12)).toBe(false);
    expect(isKnown(undefined, 12)).toBe(false);
  });
});

describe("an Idempotency-Key", () => {
  it("is 1 to 255 visible ASCII characters", () => {
    for (const key of ["a", "~", "!", "8f1c-4b2e", "x".repeat(255)]) {
      expect(idempotencyKeyFault(key)).toBeNull();
    }
    for (const key of ["", "a b", "a\tb", "ä", "x".repeat(256), "a,\u00a0"]) {
      expect(idempotencyKeyFault(key), key).not.toBeNull();
    }
  });
});
