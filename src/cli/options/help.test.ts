import { describe, expect, test } from "vitest";
import { textWidth } from "../text.ts";
import { COMMAND_NAMES, commandRow } from "./commands.ts";
import { commandHelp, familyHelp, programHelp } from "./help.ts";
import { optionsOf } from "./arguments.ts";
import { resolve } from "./resolve.ts";
import { environmentName } from "./sources.ts";
import { OPTIONS } from "./table.ts";

function everyHelp(): string {
  const texts = [
    programHelp(),
    familyHelp("jobs"),
    ...COMMAND_NAMES.map((name) => commandHelp(name)),
  ];
  return texts.join(`\n${"=".repeat(80)}\n`);
}

describe("help", () => {
  test("reads as it did when somebody last looked at it (vitest -u after reading the difference)", async () => {
    await expect(everyHelp()).toMatchFileSnapshot("./testdata/help.txt");
  });

  test("fits 80 columns", () => {
    const tooLong = everyHelp()
      .split("\n")
      .filter((line) => textWidth(line) > 80);
    expect(tooLong).toEqual([]);
  });

  test("of a command lists every option with its variable, and the program lists every command", () => {
    for (const name of COMMAND_NAMES) {
      const help = commandHelp(name);
      for (const row of optionsOf(name)) {
        expect(help).toContain(`--${row.name}`);
        expect(help).toContain(environmentName(row));
      }
      const word = name.split(" ").at(-1) ?? name;
      if (commandRow(name).hidden === undefined) expect(programHelp()).toContain(word);
      else expect(programHelp()).not.toContain(word);
    }
  });

  test("is what --help, -h, help and a family's name alone ask for, whatever else is there", () => {
    const asks = [
      ["serve", "--help"],
      ["serve", "--id", "zero", "-h"],
      ["help", "serve"],
    ];
    for (const argv of asks) {
      expect(resolve(argv, {}, () => ({ ok: false, reason: "" }))).toEqual({
        kind: "help",
        text: commandHelp("serve"),
      });
    }
    for (const argv of [["jobs"], ["help", "jobs"], ["jobs", "--help"]]) {
      const resolved = resolve(argv, {}, () => ({ ok: false, reason: "" }));
      expect(resolved).toEqual({ kind: "help", text: familyHelp("jobs") });
    }
    for (const argv of [[], ["--help"], ["help"], ["help", "nothing"]]) {
      const resolved = resolve(argv, {}, () => ({ ok: false, reason: "" }));
      expect(resolved).toEqual({ kind: "help", text: programHelp() });
    }
  });

  test("examples are command lines that the program understands", () => {
    const examples = COMMAND_NAMES.flatMap((name) => {
      const text = (commandRow(name).examples ?? []).join("\n");
      // A line that ends with a backslash goes on in the next.
      return text === "" ? [] : text.replaceAll("\\\n", " ").split("\n");
    });
    expect(examples.length).toBeGreaterThan(8);
    for (const example of examples) {
      const [program, ...argv] = example.trim().split(/\s+/);
      expect(program).toBe("raft3d");
      const resolved = resolve(argv, {}, () => ({ ok: false, reason: "" }));
      expect(resolved.kind, example).toBe("run");
    }
  });
});

describe("the table of options", () => {
  test("no command has two options of one name, and no two commands share a variable by accident", () => {
    const kinds = new Map<string, string>();
    for (const name of COMMAND_NAMES) {
      const names = optionsOf(name).map((row) => row.name);
      expect(new Set(names).size).toBe(names.length);
    }
    for (const row of OPTIONS) {
      const variable = environmentName(row);
      const kind = kinds.get(variable) ?? row.kind;
      expect(`${variable} ${row.kind}`).toBe(`${variable} ${kind}`);
      kinds.set(variable, kind);
    }
  });

  test("every option that takes a value says what stands for it, and every default can be read", () => {
    for (const row of OPTIONS) {
      if (row.kind !== "flag") expect("value" in row, row.name).toBe(true);
    }
    for (const name of COMMAND_NAMES) {
      const required = optionsOf(name).filter((row) => row.required);
      const words = name.split(" ");
      const operands = commandRow(name).operands.filter((one) => !one.startsWith("["));
      const resolved = resolve([...words, ...operands], {}, () => ({ ok: false, reason: "" }));
      const problems = resolved.kind === "bad" ? resolved.problems : [];
      const others = problems.filter((one) => !/ is missing: |Nothing to change/.test(one));
      expect(others, name).toEqual([]);
      expect(problems.length - others.length).toBeGreaterThanOrEqual(required.length);
    }
  });
});
