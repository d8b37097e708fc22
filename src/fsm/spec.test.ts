// Keeps SPEC.md and the tests of this folder from drifting apart.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { JOB_STATUSES } from "./objects.ts";
import { NEXT } from "./transitions.ts";

const folder = new URL("./", import.meta.url);
const spec = readFileSync(new URL("SPEC.md", folder), "utf8");

/** The titles of all tests of this folder but this file, as they stand in the source. */
const titles = readdirSync(folder)
  .filter((name) => name.endsWith(".test.ts") && name !== "spec.test.ts")
  .flatMap((name) => {
    const source = readFileSync(new URL(name, folder), "utf8");
    return Array.from(source.matchAll(/\btest\(\s*(["'`])(.*?)\1/g), (match) => match[2] ?? "");
  });

/** Numbers like I7 in a text, without doubles. */
function invariantsIn(text: string): string[] {
  const found = Array.from(text.matchAll(/\bI\d+\b/g), ([name]) => name);
  return [...new Set(found)].toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
}

/** The invariants as SPEC.md lists them: number, sentence, titles of tests. */
const invariants = Array.from(
  spec.matchAll(/^\*\*(I\d+)\.\*\* (.+)\nEnforced by: (.+)\.$/gm),
  ([, name = "", sentence = "", tests = ""]) => ({
    name,
    sentence,
    tests: Array.from(tests.matchAll(/"([^"]+)"/g), ([, title = ""]) => title),
  }),
);

describe("the specification", () => {
  test("numbers its invariants from 1 without a gap, each with a sentence and a test", () => {
    expect(invariants.map((it) => it.name)).toEqual(invariants.map((_, at) => `I${at + 1}`));
    expect(invariants.length).toBe(spec.match(/^Enforced by:/gm)?.length);
    expect(invariants.length).toBe(spec.match(/^\*\*I/gm)?.length);
    for (const { tests } of invariants) expect(tests.length).toBeGreaterThan(0);
  });

  test("has exactly the invariants that the titles of tests name", () => {
    expect(invariantsIn(titles.join("\n"))).toEqual(invariants.map((it) => it.name));
  });

  test("names tests that exist and that name the invariant in turn", () => {
    for (const { name, tests } of invariants) {
      for (const title of tests) {
        expect(titles).toContain(title);
        expect(invariantsIn(title)).toContain(name);
      }
    }
  });

  test("shows the transition table that the code has", () => {
    for (const from of JOB_STATUSES) {
      const row = new RegExp(`^\\| \\*\\*${from}\\*\\* +\\|(.+)\\|$`, "m").exec(spec)?.[1] ?? "";
      const cells = row.split("|").map((cell) => {
        const text = cell.trim();
        return text === "no" ? null : text.slice(1, -1);
      });
      expect(cells).toEqual(JOB_STATUSES.map((to) => NEXT[from][to]));
    }
  });

  test("lists every file of this folder that owns something", () => {
    const types = ["command.ts", "event.ts", "objects.ts", "reply.ts"];
    const files = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/.test(name));
    const unlisted = files.filter((name) => !types.includes(name) && !spec.includes(`\`${name}\``));
    expect(unlisted).toEqual([]);
  });
});
