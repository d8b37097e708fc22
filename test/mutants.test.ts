// The catalogue of planted bugs stays usable: every patch still finds its place, and the page that says
// what catches them speaks of the same ones. Whether they are caught is seen by `npm run mutants`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MUTANTS } from "./mutation/catalogue.ts";
import { applyEdit } from "./mutation/mutant.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

describe("the catalogue of planted bugs", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    "%s still finds its place, and it is production code",
    (name, mutant) => {
      const texts = new Map<string, string>();
      for (const edit of mutant.edits) {
        expect(edit.file).toMatch(/^(?:src|core)\//);
        expect(edit.file).not.toMatch(/\.test\.ts$|_test\.go$|\/testing\/|^src\/sim\//);
        const before = texts.get(edit.file) ?? read(edit.file);
        texts.set(edit.file, applyEdit(before, edit, name));
      }
      for (const [file, text] of texts) expect(text).not.toBe(read(file));
    },
  );

  test("an edit whose place is gone, or is there twice, is refused by name", () => {
    const edit = { file: "a.ts", find: "one", replace: "two" };
    expect(applyEdit("one and all", edit, "m")).toBe("two and all");
    expect(() => applyEdit("none", { ...edit, find: "some" }, "m")).toThrow("mutant m: a.ts");
    expect(() => applyEdit("one, one", edit, "m")).toThrow("twice");
    expect(() => applyEdit("one", { ...edit, replace: "one" }, "m")).toThrow("as it is");
  });

  test("names are used once, and storage, node, core, machine, transport and HTTP all have some", () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(30);
    const files = MUTANTS.flatMap(({ edits }) => edits.map(({ file }) => file));
    for (const area of [
      "src/storage/",
      "src/node/",
      "core/",
      "src/fsm/",
      "src/transport/",
      "src/http/",
    ]) {
      expect(files.some((file) => file.startsWith(area))).toBe(true);
    }
  });

  test("docs/mutants.md has a row for each, with its class and story, none missed by everything", () => {
    const [, after = ""] = read("docs/mutants.md").split("\n## Catalogue\n");
    const [section = ""] = after.split("\n## ");
    const rows = [
      ...section.matchAll(/^\| `([^`]+)`\s*\| (\S+)\s*\| (.+?)\s*\| (.+?)\s*\| (.+?)\s*\|$/gm),
    ];
    const listed = rows.map(([, name, of, story]) => ({ name, of, story }));
    expect(listed).toEqual(MUTANTS.map(({ name, class: of, story }) => ({ name, of, story })));
    for (const [, name, , , simulator = "", tests = ""] of rows) {
      const isFound =
        /^(?:seed \d+|the (?:first seed|seed behind \d+)) \(\d+\)/.test(simulator) ||
        /^[\d.]+ s: /.test(tests);
      expect([name, isFound]).toEqual([name, true]);
    }
  });
});
