// Options of the tools: the event log, the files of a node, the load generator.

import { LOCAL_NODES_MAX } from "../../base/limits.ts";
import type { OptionRow } from "./row.ts";

const TAIL = { commands: ["events tail"], scope: "events" } as const;
const BENCH = { commands: ["bench"], scope: "bench" } as const;

export const TOOL_ROWS = [
  // --- History
  {
    name: "after",
    kind: "count",
    value: "INDEX",
    ...TAIL,
    help: "Begins with the event after this log index; 0 begins with the first.",
  },
  {
    name: "lines",
    kind: "count",
    value: "N",
    default: "10",
    max: 100_000,
    ...TAIL,
    help: "Without --after: begins with so many of the newest.",
  },
  {
    name: "follow",
    kind: "flag",
    ...TAIL,
    help: "Goes on with each event as it happens, until Ctrl-C.",
  },
  {
    name: "data",
    kind: "text",
    value: "DIR",
    commands: ["events replay"],
    help: "Replays the files of this node's data folder, running or not.",
  },
  {
    name: "endpoint",
    kind: "endpoints",
    value: "URL",
    commands: ["events replay"],
    help: "Replays what this node serves (default: http://127.0.0.1:8001, unless --data is given).",
  },

  // --- Files of a node
  {
    name: "data",
    kind: "text",
    value: "DIR",
    required: true,
    commands: ["wal dump", "wal verify"],
    help: "The data folder of a node, running or not. Nothing in it is changed.",
  },
  {
    name: "data",
    kind: "text",
    value: "DIR",
    commands: ["snapshot inspect"],
    help: "The data folder of a node: every snapshot in it is checked. Nothing is changed.",
  },
  {
    name: "after",
    kind: "count",
    value: "INDEX",
    default: "0",
    commands: ["wal dump"],
    scope: "wal",
    help: "Only entries after this log index.",
  },

  // --- bench
  {
    ...BENCH,
    name: "operation",
    kind: "choice",
    value: "WHAT",
    default: "create-printers",
    choices: ["create-printers", "create-jobs", "get", "mixed"],
    help: "create-printers; create-jobs, all on one large spool made for the run; get, the linearizable read of one printer; mixed, one create-printers to three gets.",
  },
  {
    ...BENCH,
    name: "through",
    kind: "choice",
    value: "WHOM",
    default: "leader",
    choices: ["leader", "followers", "endpoints"],
    help: "Whom the load goes to: leader or followers, found by way of the endpoints when the run begins; or the endpoints themselves, in turn (with --local, every node).",
  },
  {
    ...BENCH,
    name: "connections",
    kind: "count",
    value: "N",
    default: "64",
    min: 1,
    max: 4096,
    help: "Keep-alive connections, each with one request in flight.",
  },
  {
    ...BENCH,
    name: "seconds",
    kind: "count",
    value: "N",
    default: "10",
    min: 1,
    max: 3600,
    help: "Length of one measurement.",
  },
  {
    ...BENCH,
    name: "warm-up",
    kind: "count",
    value: "N",
    default: "2",
    max: 600,
    help: "Seconds of the same load before each measurement.",
  },
  { ...BENCH, name: "local", kind: "flag", help: "Starts a throw-away cluster for the run." },
  {
    ...BENCH,
    name: "nodes",
    kind: "count",
    value: "N",
    default: "3",
    min: 1,
    max: LOCAL_NODES_MAX,
    help: "Nodes of the throw-away cluster.",
  },
  {
    ...BENCH,
    name: "baseline",
    kind: "flag",
    help: "Also measures the bare echo server, in turns with the cluster.",
  },
  {
    ...BENCH,
    name: "rounds",
    kind: "count",
    value: "N",
    min: 1,
    max: 99,
    help: "How often to measure; medians are printed (3 with --baseline, else 1).",
  },
  {
    name: "http",
    kind: "listen",
    value: "ADDR",
    required: true,
    scope: "bench-echo",
    commands: ["bench-echo"],
    help: "Where to listen.",
  },
] as const satisfies readonly OptionRow[];
