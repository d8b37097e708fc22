import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { Answers } from "./answers.ts";
import type { Reply } from "./reply.ts";

const GONE: Reply = { ok: true, object: null };
const REFUSED: Reply = { ok: false, rejection: { code: "version_mismatch", version: 3 } };

function answer(id: string, created_index: number, fingerprint = "f", reply: Reply = GONE) {
  return { id, created_index, fingerprint, reply };
}

describe("answers", () => {
  test("I10, I11: a key brings back its answer to the same request, and no other", () => {
    const answers = new Answers(10);
    expect(answers.recall("key", "f")).toEqual({ kind: "unknown" });
    answers.remember(answer("key", 1, "f", REFUSED));
    const recalled = answers.recall("key", "f");
    expect(recalled).toEqual({ kind: "replay", reply: REFUSED });
    expect(recalled.kind === "replay" && recalled.reply).toBe(REFUSED);
    expect(answers.recall("key", "g")).toEqual({ kind: "reused" });
    expect(answers.recall("Key", "f")).toEqual({ kind: "unknown" });
  });

  test("I20: the oldest answer goes first, however often it was asked for", () => {
    const answers = new Answers(3);
    for (const [at, key] of ["a", "b", "c"].entries()) answers.remember(answer(key, at + 1));
    expect(answers.recall("a", "f").kind).toBe("replay");
    answers.remember(answer("d", 4));
    const known = ["a", "b", "c", "d"].filter((key) => answers.recall(key, "f").kind === "replay");
    expect(known).toEqual(["b", "c", "d"]);
    // A key that was forgotten is a new key.
    answers.remember(answer("a", 5));
    expect([...answers.view().values()].map((it) => it.id)).toEqual(["c", "d", "a"]);
    expect(answers.size).toBe(3);
  });

  test("a key that is known cannot be remembered again", () => {
    const answers = new Answers(3);
    answers.remember(answer("a", 1));
    expect(() => answers.remember(answer("a", 2))).toThrow(AssertionError);
  });

  test("there must be room for at least one answer", () => {
    for (const max of [0, -1, 0.5, Number.NaN]) {
      expect(() => new Answers(max)).toThrow(AssertionError);
    }
    const one = new Answers(1);
    one.remember(answer("a", 1));
    one.remember(answer("b", 2));
    expect([...one.view().values()].map((it) => it.id)).toEqual(["b"]);
  });

  test("I20: beside a plain list, the same keys are known after any sequence", () => {
    const aKey = fc.integer({ min: 1, max: 60 }).map((n) => `key ${n}`);
    fc.assert(
      fc.property(
        fc.array(aKey, { maxLength: 200, size: "max" }),
        fc.integer({ min: 1, max: 50 }),
        (keys, max) => {
          const answers = new Answers(max);
          let list: string[] = [];
          for (const [at, key] of keys.entries()) {
            const isKnown = answers.recall(key, "f").kind === "replay";
            expect(isKnown).toBe(list.includes(key));
            if (isKnown) continue;
            answers.remember(answer(key, at + 1));
            list = [...list, key].slice(-max);
          }
          expect([...answers.view().values()].map((it) => it.id)).toEqual(list);
        },
      ),
      { seed: 20, numRuns: 100 },
    );
  });
});
