// Takes a command line apart: the command, the values behind it, and what was given for each
// option. Knows the names of options and which of them are flags; what their values mean is judged
// later.
//
// Help wins over everything: whoever asks for it in the middle of a wrong command line gets it. A
// value never begins with two dashes, so that an option whose value was forgotten does not swallow
// the next one; --name=--value says it all the same.

import {
  COMMAND_NAMES,
  type CommandName,
  LATER,
  LATER_OPTIONS,
  commandRow,
  isCommand,
} from "./commands.ts";
import { isRepeatable } from "./kinds.ts";
import { suggest } from "./suggest.ts";
import type { OptionRow } from "./row.ts";
import { OPTIONS } from "./table.ts";

interface Parsed {
  readonly kind: "command";
  readonly command: CommandName;
  readonly operands: readonly string[];
  /** By the name of the option; the values of a repeated one are joined with commas. */
  readonly given: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

export type Split =
  | Parsed
  /** `about` is a command, the first word of several, or "" for the program. */
  | { readonly kind: "help"; readonly about: string }
  | { readonly kind: "version" }
  | { readonly kind: "unknown-command"; readonly problem: string };

export function optionsOf(command: CommandName): readonly OptionRow[] {
  const rows: readonly OptionRow[] = OPTIONS;
  return rows.filter((row) => row.commands.includes(command));
}

/** Whether commands begin with this word, like `cluster` or `jobs`. */
function isFamily(word: string): boolean {
  return COMMAND_NAMES.some((name) => name.startsWith(`${word} `));
}

export function splitArguments(argv: readonly string[]): Split {
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  const words = argv.slice(0, firstOption(argv));
  if (words[0] === "help") return { kind: "help", about: topic(words.slice(1)) };
  if (before.some((word) => word === "--help" || word === "-h")) {
    return { kind: "help", about: topic(words) };
  }
  if (words[0] === "version") return { kind: "version" };
  if (words.length === 0) {
    const asksVersion = argv[0] === "--version" || argv[0] === "-V";
    if (asksVersion) return { kind: "version" };
    if (argv.length === 0) return { kind: "help", about: "" };
    return unknown(`The first word must be a command, and "${argv[0]}" is none.`);
  }
  const command = commandIn(words);
  if (command === null) return unknownCommand(words);
  return parse(command, argv.slice(command.split(" ").length));
}

function firstOption(argv: readonly string[]): number {
  const at = argv.findIndex((word) => word.startsWith("-"));
  return at < 0 ? argv.length : at;
}

function commandIn(words: readonly string[]): CommandName | null {
  const two = words.slice(0, 2).join(" ");
  const one = words[0] ?? "";
  if (isCommand(two)) return two;
  return isCommand(one) ? one : null;
}

function topic(words: readonly string[]): string {
  const first = words[0] ?? "";
  return commandIn(words) ?? (isFamily(first) ? first : "");
}

function unknown(problem: string): Split {
  return { kind: "unknown-command", problem };
}

function unknownCommand(words: readonly string[]): Split {
  const first = words[0] ?? "";
  const two = words.slice(0, 2).join(" ");
  const later = Object.hasOwn(LATER, two) ? LATER[two] : undefined;
  if (later !== undefined) return unknown(`\`raft3d ${two}\`: ${later}.`);
  if (isFamily(first)) {
    if (words.length === 1) return { kind: "help", about: first };
    const near = suggest(two, COMMAND_NAMES);
    const hint = near === null ? "" : ` Did you mean \`raft3d ${near}\`?`;
    return unknown(`There is no command \`raft3d ${two}\`.${hint}`);
  }
  const families = COMMAND_NAMES.map((name) => name.split(" ")[0] ?? name);
  const near = suggest(two, COMMAND_NAMES) ?? suggest(first, families);
  const hint = near === null ? "" : ` Did you mean \`raft3d ${near}\`?`;
  return unknown(`There is no command \`raft3d ${first}\`.${hint}`);
}

function parse(command: CommandName, words: readonly string[]): Parsed {
  const rows = new Map(optionsOf(command).map((row) => [row.name, row]));
  const given = new Map<string, string>();
  const operands: string[] = [];
  const problems: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = (equals < 0 ? word : word.slice(0, equals)).replace(/^--/, "");
    const row = word.startsWith("--") ? rows.get(name) : undefined;
    const next = words[at + 1];
    const nextIsValue = next !== undefined && !next.startsWith("--");
    if (row === undefined) {
      problems.push(unknownOption(command, word, [...rows.keys()]));
      // Whatever stands behind an option that does not exist was probably meant for it.
      if (equals < 0 && nextIsValue) at += 1;
      continue;
    }
    let value: string | null;
    if (equals >= 0) value = word.slice(equals + 1);
    else if (row.kind === "flag") value = "true";
    else if (nextIsValue) [value, at] = [next, at + 1];
    else value = null;
    if (value === null)
      problems.push(`--${name} needs a value: --${name} ${row.value ?? "VALUE"}.`);
    else problems.push(...take(given, row, value));
  }
  return {
    kind: "command",
    command,
    operands,
    given,
    problems: [...problems, ...miscounted(command, operands)],
  };
}

function take(given: Map<string, string>, row: OptionRow, value: string): readonly string[] {
  const before = given.get(row.name);
  if (before === undefined) given.set(row.name, value);
  else if (isRepeatable(row.kind)) given.set(row.name, `${before},${value}`);
  // Twice the same is a wrapper script's doing, and harmless.
  else if (before !== value) {
    return [`--${row.name} is given twice, as "${before}" and as "${value}".`];
  }
  return [];
}

function unknownOption(command: CommandName, word: string, known: readonly string[]): string {
  const flag = word.split("=")[0] ?? word;
  const name = flag.replace(/^-+/, "");
  const later = Object.hasOwn(LATER_OPTIONS, name) ? LATER_OPTIONS[name] : undefined;
  if (later !== undefined) return `${flag}: ${later}.`;
  const near = known.includes(name) ? name : suggest(name, known);
  const hint = near === null ? "" : ` Did you mean --${near}?`;
  return `There is no option ${flag} for \`raft3d ${command}\`.${hint}`;
}

function miscounted(command: CommandName, operands: readonly string[]): readonly string[] {
  const wanted = commandRow(command).operands;
  const missing = wanted.slice(operands.length).filter((name) => !name.startsWith("["));
  const extra = operands.slice(wanted.length);
  return [
    ...missing.map((name) => `${name} is missing: raft3d ${command} ${wanted.join(" ")}.`),
    ...extra.map((word) => `"${word}" is one word too many.`),
  ];
}
