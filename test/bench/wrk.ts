// The load: wrk, the same for every system. Closed loops: each connection sends its next request when the
// answer to the last has come.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { output } from "./processes.ts";

const SCRIPT = fileURLToPath(new URL("load.lua", import.meta.url));
/** wrk counts an answer that takes longer as an error. */
const ANSWER_SECONDS_MAX = 15;

export interface Load {
  readonly method: "GET" | "PATCH" | "POST";
  /** May hold one %d, in whose place the numbers from 1 to `objects` come in turn. */
  readonly path: string;
  readonly objects?: number;
  /** May hold one %s, in whose place a number comes that is another one each time. Empty: none. */
  readonly body: string;
}

/** Durations in microseconds. */
export interface Closed {
  readonly requests: number;
  readonly us: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Answers that were no success. */
  readonly failed: number;
  /** Connections that broke, and answers that did not come. */
  readonly broken: number;
}

export function hasWrk(): boolean {
  return spawnSync("wrk", ["-v"]).error === undefined;
}

/** A run's numbers for %s; enough for any run, and no run has those of another. */
const NUMBERS_EACH = 1e9;
let runs = 0;

/** Where the numbers of one more run begin. They have twelve digits. */
export function nextNumbers(): number {
  runs += 1;
  if (runs === 1000) throw new Error("a thousand runs have used up all numbers of twelve digits");
  return runs * NUMBERS_EACH;
}

/** Connections are spread evenly over the addresses. */
export async function drive(
  addresses: readonly string[],
  load: Load,
  connections: number,
  seconds: number,
): Promise<Closed> {
  const threads = Math.min(addresses.length, connections);
  const args = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, "--latency"];
  args.push(`--timeout=${ANSWER_SECONDS_MAX}s`, "-s", SCRIPT, `http://${addresses[0]}/`);
  const text = await output("wrk", args, {
    BENCH_ADDRESSES: addresses.slice(0, threads).join(" "),
    BENCH_METHOD: load.method,
    BENCH_PATH: load.path,
    BENCH_BODY: load.body,
    BENCH_TYPE: "application/json",
    BENCH_OBJECTS: String(load.objects ?? 0),
    BENCH_FIRST: String(nextNumbers()),
    BENCH_STRIDE: String(NUMBERS_EACH / threads),
  });
  const found = /^BENCH (.*)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error(`wrk did not say what it measured:\n${text}`);
  return JSON.parse(found) as Closed; // as load.lua writes it
}
