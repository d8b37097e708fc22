// npm run nemesis -- --minutes 10           rounds of real processes and real faults, on fresh seeds
// npm run nemesis -- --rounds 1 --seed 7    the same plan of faults again
//   --nodes 3, --faults kill,partition      instead of what the seed draws
//   --episodes 4                            faults in a round, one after the other
//   --verbose                               what is done, as it is done
//
// A seed gives the same plan and the same choices; what the machine makes of them differs each time.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Judge } from "../../src/sim/judge.ts";
import { SimRandom } from "../../src/sim/sim-random.ts";
import { MAIN } from "../system/process-cluster.ts";
import { type Machine, folderInside, prepareMachine, runInside } from "./machine.ts";
import { FAULT_KINDS, type FaultKind, MENU, type Plan, describeStep, drawPlan } from "./plan.ts";
import { type RoundResult, playRound } from "./round.ts";

const JUDGE_SECONDS_MAX = 120;
/** One broken promise breaks many others. */
const VIOLATIONS_SHOWN = 12;

interface Options {
  readonly minutes: number | null;
  readonly rounds: number | null;
  readonly seed: number;
  readonly size: number | null;
  readonly kinds: readonly FaultKind[];
  readonly episodes: number;
  readonly isVerbose: boolean;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string" },
      rounds: { type: "string" },
      seed: { type: "string" },
      nodes: { type: "string" },
      faults: { type: "string" },
      episodes: { type: "string", default: "8" },
      verbose: { type: "boolean", default: false },
    },
  });
  const kinds = (values.faults?.split(",") ?? [...FAULT_KINDS]).map((name) => {
    const kind = FAULT_KINDS.find((one) => one === name);
    if (kind === undefined) throw new Error(`no fault ${name}; there are ${FAULT_KINDS.join()}`);
    return kind;
  });
  const number = (name: string, text: string | undefined): number | null => {
    if (text === undefined) return null;
    if (!/^\d{1,15}$/.test(text)) throw new Error(`--${name} ${text} is no number`);
    return Number(text);
  };
  const minutes = number("minutes", values.minutes);
  return {
    minutes,
    rounds: number("rounds", values.rounds) ?? (minutes === null ? 1 : null),
    seed: number("seed", values.seed) ?? Date.now(),
    size: number("nodes", values.nodes),
    kinds,
    episodes: number("episodes", values.episodes) ?? 8,
    isVerbose: values.verbose,
  };
}

/** Without those that this machine cannot do. */
function possible(kinds: readonly FaultKind[], machine: Machine): readonly FaultKind[] {
  return kinds.filter((kind) => {
    if (kind === "full-disk") return machine.hasNamespaces;
    if (MENU[kind].on === "network") return machine.wire !== null;
    return MENU[kind].on === "process" || machine.shim !== null;
  });
}

function announce({ clients, episodes, seed, size, ...plan }: Plan): void {
  const faults = episodes.map(({ steps }) => steps.map(describeStep).join(" + ")).join("; ");
  const settings = `tick ${plan.tickMs} ms, snapshots ${plan.snapshotEntries}/${plan.trailingEntries}`;
  say(`seed ${seed}: ${size} nodes, ${clients} clients, ${settings}: ${faults}`);
}

function tell({ plan, requests, worst, ...result }: RoundResult): void {
  const { asked, ok, refused, tries, unknown } = requests;
  const verdict = result.violations.length === 0 ? "held" : "FAILED";
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const judged = result.judged ?? "not judged";
  const parts = [
    judged === "ok" ? "linearizable" : judged,
    `${plan.size} nodes`,
    `${asked} requests in ${tries} tries: ${ok} done, ${refused} refused, ${unknown} unknown`,
    `${result.terms} terms`,
    `worst ${seconds(worst.writesMs)} without a write, ${seconds(worst.answerMs)} for an answer`,
    `back after ${seconds(result.recoveryMs)} at most`,
    seconds(result.ms),
  ];
  say(`seed ${plan.seed}: ${verdict} (${parts.join(", ")})`);
}

function tellCounts(counts: ReadonlyMap<string, number>): void {
  for (const [what, times] of [...counts].toSorted(([a], [b]) => a.localeCompare(b))) {
    say(`${String(times).padStart(9)}  ${what}`);
  }
}

async function runRounds(options: Options, folder: string): Promise<number> {
  const machine = prepareMachine(folder);
  for (const note of machine.notes) say(`note: ${note}`);
  const kinds = possible(options.kinds, machine);
  if (kinds.length === 0) throw new Error("this machine can do none of these faults");
  const pictures = join(folder, "pictures");
  mkdirSync(pictures);
  const judge = new Judge({ timeoutSeconds: JUDGE_SECONDS_MAX, visualize: pictures });
  const end = options.minutes === null ? Infinity : performance.now() + options.minutes * 60_000;
  const totals = new Map<string, number>();
  let [held, failed] = [0, 0];
  for (let n = 0; n < (options.rounds ?? Infinity) && performance.now() < end; n++) {
    const seed = options.seed + n;
    const plan = drawPlan(new SimRandom(seed), seed, { ...options, kinds });
    announce(plan);
    const keepIn = join(tmpdir(), `raft3d-nemesis-failed-${seed}`);
    rmSync(keepIn, { recursive: true, force: true }); // of an earlier run
    const place = { folder: join(folder, `round-${n}`), keepIn };
    const watch = options.isVerbose ? say : () => undefined;
    const result = await playRound(plan, { machine, judge, watch, ...place });
    tell(result);
    for (const [what, times] of result.counts) totals.set(what, (totals.get(what) ?? 0) + times);
    if (result.violations.length === 0) held += 1;
    else {
      failed += 1;
      tellFailure(result, keepIn, options.episodes);
    }
  }
  await judge.close();
  tellCounts(totals);
  say(`${held} held, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function tellFailure({ plan, violations }: RoundResult, keepIn: string, episodes: number): void {
  for (const violation of violations.slice(0, VIOLATIONS_SHOWN)) say(`  ${violation}`);
  const rest = violations.length - VIOLATIONS_SHOWN;
  if (rest > 0) say(`  and ${rest} more, in story.txt`);
  say(`  kept in ${keepIn}: story.txt, node-*.log, history.jsonl, the folders of the nodes`);
  say(`  node ${MAIN} wal verify --data ${keepIn}/node-1/data`);
  say(`  again: npm run nemesis -- --rounds 1 --seed ${plan.seed} --episodes ${episodes}`);
}

async function main(): Promise<number> {
  const options = readOptions();
  const inside = folderInside();
  if (inside !== null) return runRounds(options, inside);
  const folder = mkdtempSync(join(tmpdir(), "raft3d-nemesis-"));
  try {
    return (await runInside(folder)) ?? (await runRounds(options, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
