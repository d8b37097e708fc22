// From what was typed to what is to be done, without touching anything: flags beat the environment,
// which beats the configuration file, which beats the defaults; and everything that is wrong comes
// out at once.
//
// Pure: the file is read by whoever calls. The types of what comes out are derived from the tables;
// the two casts below are where the values that were read by the tables get those types.

import { assert, must } from "../../base/assert.ts";
import { nodeId } from "../../base/brand.ts";
import type { ServeOptions } from "../serve.ts";
import { camelCase } from "../text.ts";
import { optionsOf, splitArguments } from "./arguments.ts";
import { check, httpAddress } from "./checks.ts";
import { type COMMANDS, type CommandName, commandRow, isCommand } from "./commands.ts";
import { commandHelp, familyHelp, programHelp } from "./help.ts";
import { readValue } from "./kinds.ts";
import {
  type Config,
  type Environment,
  type ReadConfig,
  type Source,
  fromConfig,
  fromEnvironment,
  mistypedVariables,
  parseConfig,
} from "./sources.ts";
import type { OptionRow } from "./row.ts";
import type { OptionsOf } from "./table.ts";

type OperandOf<S> = S extends `[${string}]` ? string | null : string;

/** What stands behind the command's name, in its order. */
type OperandsOf<C extends CommandName> = {
  readonly [I in keyof (typeof COMMANDS)[C]["operands"]]: OperandOf<
    (typeof COMMANDS)[C]["operands"][I]
  >;
};

/** One command with everything it takes, each in its own type. */
export type Invocation = {
  readonly [C in CommandName]: {
    readonly command: C;
    readonly options: OptionsOf<C>;
    readonly operands: OperandsOf<C>;
  };
}[CommandName];

export type Resolved =
  | { readonly kind: "run"; readonly invocation: Invocation }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  /** `help` is the command whose help is of use. */
  | { readonly kind: "bad"; readonly help: string; readonly problems: readonly string[] };

export function resolve(
  argv: readonly string[],
  environment: Environment,
  readConfig: ReadConfig,
): Resolved {
  const split = splitArguments(argv);
  switch (split.kind) {
    case "version":
      return { kind: "version" };
    case "help":
      return { kind: "help", text: helpAbout(split.about) };
    case "unknown-command":
      return { kind: "bad", help: "", problems: [split.problem] };
    case "command":
      break;
  }
  const { command } = split;
  const problems = [...split.problems, ...mistypedVariables(environment)];
  const config = loadConfig(split.given, environment, readConfig);
  problems.push(...config.problems);
  const options: Record<string, unknown> = {};
  for (const row of optionsOf(command)) {
    const read = readOption(row, findSource(row, split.given, environment, config));
    if (read.ok) options[camelCase(row.name)] = read.value;
    else problems.push(...read.problems);
  }
  // Each option was read by its own row, from which its type is derived, too.
  problems.push(...check(command, options as Partial<OptionsOf<typeof command>>));
  if (problems.length > 0) return { kind: "bad", help: command, problems };
  const wanted = commandRow(command).operands;
  const operands = wanted.map((_, at) => split.operands[at] ?? null);
  // Every option is there and of its row's type, and the number of operands was checked.
  return { kind: "run", invocation: { command, options, operands } as unknown as Invocation };
}

function helpAbout(about: string): string {
  if (about === "") return programHelp();
  return isCommand(about) ? commandHelp(about) : familyHelp(about);
}

function loadConfig(
  given: ReadonlyMap<string, string>,
  environment: Environment,
  readConfig: ReadConfig,
): Config {
  const path = given.get("config") ?? environment["RAFT3D_CONFIG"] ?? "";
  if (path === "") return { path, settings: new Map(), problems: [] };
  return parseConfig(path, readConfig(path));
}

function findSource(
  row: OptionRow,
  given: ReadonlyMap<string, string>,
  environment: Environment,
  config: Config,
): Source | null {
  const text = given.get(row.name);
  if (text !== undefined) return { text, name: `--${row.name}` };
  const found = fromEnvironment(row, environment) ?? fromConfig(row, config);
  if (found !== null) return found;
  return row.default === undefined ? null : { text: row.default, name: `--${row.name}` };
}

type ReadOption =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly string[] };

function readOption(row: OptionRow, source: Source | null): ReadOption {
  if (source === null) {
    if (row.kind === "flag") return { ok: true, value: false };
    if (row.required === undefined) return { ok: true, value: null };
    return { ok: false, problems: [`--${row.name} is missing: ${row.help}`] };
  }
  const read = readValue(row.kind, source.text, row);
  if (read.ok) return read;
  const subject = source.text === "" ? source.name : `${source.name} ${source.text}`;
  return { ok: false, problems: read.faults.map((fault) => `${subject}: ${fault}.`) };
}

const MIB = 1024 * 1024;

/**
 * The options of `serve` in the form in which a node takes them, with what was left out filled in.
 */
export function serveOptions(options: OptionsOf<"serve">): ServeOptions {
  const { advertiseHttp, advertisePeer, id, initialCluster } = options;
  const own = must(
    initialCluster.find((member) => member.id === id),
    "this node among the founders",
  );
  assert(advertisePeer === null || advertisePeer === own.peer, "advertise-peer was not checked");
  return {
    id: nodeId(id),
    data: options.data,
    http: options.http,
    advertiseHttp: httpAddress(options.http, advertiseHttp, own.peer),
    peer: options.peer,
    members: initialCluster,
    clusterToken: options.clusterToken,
    tickMs: options.tickMs,
    snapshotEntries: options.snapshotEntries,
    trailingEntries: options.trailingEntries,
    segmentBytes: options.segmentMib * MIB,
    requestTimeoutMs: options.requestTimeoutMs,
    leaderWaitMs: options.leaderWaitMs,
    logLevel: options.logLevel,
  };
}
