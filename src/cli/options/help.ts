// The help of the program and of every command, made from the tables: 80 columns, aligned, grouped.
// Nothing about a command or an option is said here that the tables do not say, so help cannot fall
// behind them.

import { must } from "../../base/assert.ts";
import { wrap } from "../text.ts";
import { optionsOf } from "./arguments.ts";
import {
  COMMAND_GROUPS,
  COMMAND_NAMES,
  type CommandGroup,
  type CommandName,
  commandRow,
} from "./commands.ts";
import { environmentName } from "./sources.ts";
import type { OptionRow } from "./row.ts";

const WIDTH = 80;
/** Where the help of a command or an option begins. */
const COLUMN = 24;

export function programHelp(): string {
  const lines = [
    "raft3d keeps a print farm on several machines at once, so that losing one of",
    "them loses nothing.",
    "",
    "Usage: raft3d COMMAND [OPTIONS]",
  ];
  for (const group of COMMAND_GROUPS) lines.push("", `${group}:`, ...groupLines(group));
  lines.push(
    "",
    "raft3d COMMAND --help explains a command and lists its options. Each option can",
    "also be set in the environment, as RAFT3D_…, or in a JSON file (--config).",
    "",
    "To begin with:",
    "  raft3d up               a cluster of three on this machine",
    "  raft3d demo             see a leader die, and nothing be lost",
  );
  return `${lines.join("\n")}\n`;
}

/** One line for a command; those of one family share a line: printers list|get|create. */
function groupLines(group: CommandGroup): readonly string[] {
  const names = COMMAND_NAMES.filter(
    (name) => commandRow(name).group === group && commandRow(name).hidden === undefined,
  );
  const families = new Map<string, CommandName[]>();
  for (const name of names) {
    const word = name.split(" ")[0] ?? name;
    families.set(word, [...(families.get(word) ?? []), name]);
  }
  return [...families].flatMap(([word, members]) => {
    const first = must(members[0], "a command of a family");
    if (members.length === 1) return entry(first, commandRow(first).summary);
    const verbs = members.map((name) => name.slice(word.length + 1));
    return entry(`${word} ${verbs.join("|")}`, FAMILIES[word] ?? "");
  });
}

const FAMILIES: Readonly<Record<string, string>> = {
  printers: "the printers",
  filaments: "the filament spools",
  jobs: "the print jobs",
  events: "what happened, in order",
  wal: "the log of a node",
};

export function familyHelp(word: string): string {
  const names = COMMAND_NAMES.filter((name) => name.startsWith(`${word} `));
  const lines = [`Usage: raft3d ${word} COMMAND [OPTIONS]`, ""];
  for (const name of names) lines.push(...entry(signature(name), commandRow(name).summary));
  lines.push("", `raft3d ${word} COMMAND --help lists the options of one of them.`);
  return `${lines.join("\n")}\n`;
}

function signature(name: CommandName): string {
  return [name, ...commandRow(name).operands].join(" ");
}

export function commandHelp(name: CommandName): string {
  const row = commandRow(name);
  const rows = optionsOf(name);
  const lines = [...usage(name, rows), "", ...wrap(`${capitalized(row.summary)}.`, WIDTH)];
  for (const paragraph of row.about ?? []) lines.push("", ...wrap(paragraph, WIDTH));
  for (const section of sectionsOf(rows)) {
    lines.push("", `${section}:`);
    for (const option of rows) {
      if (sectionOf(option) === section) lines.push(...optionEntry(option));
    }
  }
  if (row.examples !== undefined) {
    lines.push("", row.examples.length === 1 ? "Example:" : "Examples:");
    lines.push(...row.examples.map((example) => `  ${example}`));
  }
  return `${lines.join("\n")}\n`;
}

function usage(name: CommandName, rows: readonly OptionRow[]): readonly string[] {
  const required = rows.filter((row) => row.required).map((row) => `--${row.name} ${row.value}`);
  const words = [signature(name), ...required, "[OPTIONS]"];
  const indent = " ".repeat("Usage: raft3d ".length);
  // Options stay with their values: a line breaks between words of this list only.
  const [first = "", ...rest] = wrap(words.join("\u0000 "), WIDTH - indent.length, "\u0000 ");
  return [`Usage: raft3d ${first}`, ...rest.map((line) => indent + line)];
}

function sectionOf(row: OptionRow): string {
  return row.section ?? "Options";
}

function sectionsOf(rows: readonly OptionRow[]): readonly string[] {
  return [...new Set(rows.map(sectionOf))];
}

function optionEntry(row: OptionRow): readonly string[] {
  const flag = row.kind === "flag" ? `--${row.name}` : `--${row.name} ${row.value ?? "VALUE"}`;
  const notes = [
    ...(row.required ? ["required"] : []),
    ...(row.default === undefined ? [] : [`default ${row.default}`]),
    environmentName(row),
  ];
  return [...entry(flag, row.help), ...wrap(`(${notes.join(", ")})`, WIDTH - COLUMN).map(indented)];
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function indented(line: string): string {
  return " ".repeat(COLUMN) + line;
}

/** A name, and what it means beside it; under it where the name is too long. */
function entry(name: string, meaning: string): readonly string[] {
  const text = wrap(meaning, WIDTH - COLUMN);
  const head = `  ${name}`;
  if (head.length > COLUMN - 2) return [head, ...text.map(indented)];
  return text.map((line, at) => (at === 0 ? head.padEnd(COLUMN) + line : indented(line)));
}
