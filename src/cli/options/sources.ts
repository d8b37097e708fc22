// Where an option's text comes from: the command line, else the environment, else the configuration
// file, else the default. Each text knows its source, so that a problem names the place to correct.

import { LATER_OPTIONS } from "./commands.ts";
import { suggest } from "./suggest.ts";
import type { OptionRow } from "./row.ts";
import { OPTIONS } from "./table.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration file: its text, or why it cannot be read. */
export type ReadConfig = (path: string) => ConfigText;
export type ConfigText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

export interface Source {
  readonly text: string;
  /** What to call it: --id, RAFT3D_ID, id in farm.json. */
  readonly name: string;
}

const PREFIX = "RAFT3D_";

function settingName(row: OptionRow): string {
  const name = row.scope === undefined ? row.name : `${row.scope}-${row.name}`;
  return name.replaceAll("-", "_");
}

export function environmentName(row: OptionRow): string {
  return PREFIX + settingName(row).toUpperCase();
}

/** An empty variable counts as absent: that is how shells and compose files leave one out. */
export function fromEnvironment(row: OptionRow, environment: Environment): Source | null {
  const name = environmentName(row);
  const text = environment[name];
  return text === undefined || text === "" ? null : { text, name };
}

/**
 * Variables that are nearly the name of an option, and so were meant to be one. Others that begin
 * with RAFT3D_ are let pass: orchestrators set such variables for a service of this name.
 */
export function mistypedVariables(environment: Environment): readonly string[] {
  const rows: readonly OptionRow[] = OPTIONS;
  const known = rows.map(environmentName);
  const problems: string[] = [];
  for (const name of Object.keys(environment).sort()) {
    if (!name.startsWith(PREFIX) || known.includes(name)) continue;
    const later = laterOption(name.slice(PREFIX.length).toLowerCase());
    const near = suggest(name, known);
    if (later !== null) problems.push(`${name}: ${later}.`);
    else if (near !== null) problems.push(`There is no variable ${name}. Did you mean ${near}?`);
  }
  return problems;
}

function laterOption(setting: string): string | null {
  return Object.hasOwn(LATER_OPTIONS, setting) ? (LATER_OPTIONS[setting] ?? null) : null;
}

export interface Config {
  readonly path: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

export function fromConfig(row: OptionRow, config: Config): Source | null {
  const name = settingName(row);
  const text = config.settings.get(name);
  return text === undefined ? null : { text, name: `${name} in ${config.path}` };
}

export function parseConfig(path: string, file: ConfigText): Config {
  const fail = (problem: string): Config => ({ path, settings: new Map(), problems: [problem] });
  if (!file.ok) return fail(`The configuration file ${path} cannot be read: ${file.reason}.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(file.text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(`The configuration file ${path} is not JSON: ${reason}.`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return fail(`The configuration file ${path} must hold one JSON object.`);
  }
  const rows: readonly OptionRow[] = OPTIONS;
  const known = rows.map(settingName).filter((name) => name !== "config");
  const settings = new Map<string, string>();
  const problems: string[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    const text = settingText(value);
    const later = laterOption(name);
    if (later !== null) {
      problems.push(`${name} in ${path}: ${later}.`);
    } else if (!known.includes(name)) {
      const near = suggest(name, known);
      const hint = near === null ? "" : ` Did you mean "${near}"?`;
      problems.push(`There is no setting "${name}", in ${path}.${hint}`);
    } else if (text === null) {
      problems.push(
        `${name} in ${path} must be a text, a number, true, false, a list or an object.`,
      );
    } else {
      settings.set(name, text);
    }
  }
  return { path, settings, problems };
}

/** A JSON value as somebody would write it on the command line; null if there is no such way. */
function settingText(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return joined(value.map(settingText));
  if (typeof value !== "object" || value === null) return null;
  // {"1": "host:port"} is the natural way to write the members of a cluster in JSON.
  const pairs = Object.entries(value).map(([key, member]) =>
    typeof member === "string" ? `${key}=${member}` : null,
  );
  return joined(pairs);
}

function joined(pieces: readonly (string | null)[]): string | null {
  const texts = pieces.flatMap((piece) => (piece === null ? [] : [piece]));
  return texts.length === pieces.length ? texts.join(",") : null;
}
