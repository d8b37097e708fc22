// Options of everything that talks to a cluster, and of every command.

import { CLIENTS, READS } from "./client-commands.ts";
import { COMMAND_NAMES } from "./commands.ts";
import type { OptionRow } from "./row.ts";

const LOG_LEVEL_NAMES = ["debug", "info", "warn", "error", "silent"] as const;

const COMMON = { commands: COMMAND_NAMES, section: "Everywhere" } as const;
const CLIENT = { section: "The cluster to talk to" } as const;

export const COMMON_ROWS = [
  // --- Clients
  {
    ...CLIENT,
    name: "endpoint",
    kind: "endpoints",
    value: "URL",
    default: "http://127.0.0.1:8001",
    commands: [...CLIENTS, "bench"],
    help: "A node's HTTP address. May be repeated or comma separated: the next is tried when one does not answer.",
  },
  {
    ...CLIENT,
    name: "timeout",
    kind: "count",
    value: "SECONDS",
    default: "15",
    min: 1,
    max: 3600,
    commands: CLIENTS,
    help: "How long to try again while there is no leader, or the outcome is not known.",
  },
  {
    ...CLIENT,
    name: "consistency",
    kind: "choice",
    value: "HOW",
    default: "linearizable",
    choices: ["linearizable", "stale"],
    commands: [...READS, "events tail", "events replay"],
    help: "linearizable: sees every write that was answered before. stale: what the node has, at once, even without a quorum.",
  },
  {
    name: "json",
    kind: "flag",
    commands: [...CLIENTS, "events replay", "wal dump", "wal verify", "snapshot inspect", "bench"],
    section: "Output",
    help: "Prints JSON instead of tables and sentences.",
  },

  // --- Everywhere
  {
    ...COMMON,
    name: "config",
    kind: "text",
    value: "FILE",
    help: "A JSON file with options by their names in snake_case. Flags beat the environment, which beats the file.",
  },
  {
    ...COMMON,
    name: "log-level",
    kind: "choice",
    value: "LEVEL",
    default: "info",
    choices: LOG_LEVEL_NAMES,
    help: "debug, info, warn, error or silent. debug also shows where an unexpected error came from.",
  },
] as const satisfies readonly OptionRow[];
