// `npm run sim`: runs seeds and says what came of them.

import { parseArgs } from "node:util";
import { nodeClock } from "../env/node/clock.ts";
import { readPackageFile } from "../env/node/package-file.ts";
import { CORPUS, FAILED_ONCE } from "./corpus.ts";
import { Judge } from "./judge.ts";
import { runJudged } from "./judged.ts";
import { describeRun } from "./report.ts";
import { type RunResult, runSeed } from "./run.ts";
import { serveSoak, soak } from "./soak.ts";

const USAGE = `npm run sim -- …
  --seed N          one seed; --trace prints its trace, --twice runs it twice and compares the traces
  --seeds FROM..TO  a range
  --corpus          the seeds that are run every time, and those that failed once
  --hours H         soaks: seed after seed, in as many processes as --jobs says (2), until H hours of
                    simulated time have passed in all; --from N is the first seed`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    seed: { type: "string" },
    seeds: { type: "string" },
    corpus: { type: "boolean", default: false },
    hours: { type: "string" },
    from: { type: "string" },
    jobs: { type: "string" },
    worker: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    twice: { type: "boolean", default: false },
  },
});

function wholeNumber(flag: string, text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new Error(`--${flag} takes a whole number`);
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (Number.isFinite(hours) && hours > 0) return hours;
  throw new Error("--hours takes a number above zero");
}

function seeds(): readonly number[] {
  if (values.corpus) return [...CORPUS, ...FAILED_ONCE];
  if (values.seeds === undefined) return [wholeNumber("seed", values.seed ?? "1")];
  const range = /^(\d+)\.\.(\d+)$/.exec(values.seeds);
  if (range === null) throw new Error("--seeds takes FROM..TO");
  const from = wholeNumber("seeds", range[1] ?? "");
  const to = wholeNumber("seeds", range[2] ?? "");
  if (to < from) throw new Error("--seeds takes FROM..TO, the smaller one first");
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

async function runSeeds(core: WebAssembly.Module, judge: Judge): Promise<boolean> {
  const all = seeds();
  let failed = 0;
  for (const seed of all) {
    const began = nodeClock.monotonicMs();
    const onTrace = values.trace ? (line: string): void => console.log(line) : undefined;
    const result = await runJudged(seed, core, judge, onTrace);
    console.log(describeRun(result, nodeClock.monotonicMs() - began));
    const isSame = !values.twice || (await isRepeated(result, core));
    if (result.problem !== null || !isSame) failed += 1;
  }
  if (all.length > 1) console.log(`${all.length - failed} held, ${failed} failed`);
  return failed === 0;
}

async function isRepeated(result: RunResult, core: WebAssembly.Module): Promise<boolean> {
  const again = await runSeed(result.swarm.seed, core);
  const same = again.traceDigest === result.traceDigest;
  console.log(`  ${same ? "the same trace twice" : "TWO TRACES DIFFER"}: ${again.traceDigest}`);
  return same;
}

async function main(): Promise<boolean> {
  if (values.help) {
    console.log(USAGE);
    return true;
  }
  if (values.hours !== undefined) {
    return soak({
      hours: hoursOf(values.hours),
      from: wholeNumber("from", values.from ?? "1"),
      jobs: wholeNumber("jobs", values.jobs ?? "2"),
    });
  }
  const core = await WebAssembly.compile(await readPackageFile("dist/core.wasm"));
  const judge = new Judge();
  try {
    if (!values.worker) return await runSeeds(core, judge);
    await serveSoak(core, judge);
    return true;
  } finally {
    await judge.close();
  }
}

process.exitCode = (await main()) ? 0 : 1;
