// `npm run sim`: runs seeds and says what came of them.
//   --seed N          one seed; --trace prints its trace, --twice runs it twice and compares the traces
//   --seeds FROM..TO  a range

import { parseArgs } from "node:util";
import { nodeClock } from "../env/node/clock.ts";
import { readPackageFile } from "../env/node/package-file.ts";
import { type RunResult, runSeed } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    trace: { type: "boolean", default: false },
    twice: { type: "boolean", default: false },
  },
});

function seedRange(): { readonly from: number; readonly to: number } {
  const range = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? "");
  if (range !== null) return { from: Number(range[1]), to: Number(range[2]) };
  const seed = Number(values.seed ?? "1");
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error("--seed takes a whole number");
  return { from: seed, to: seed };
}

function report(result: RunResult, realMs: number): void {
  const { swarm, problem, simulatedMs } = result;
  const speed = Math.round(simulatedMs / realMs);
  const counts =
    `${swarm.size} nodes, ${(simulatedMs / 1000).toFixed(0)} s at ${speed}×, ` +
    `${result.acknowledged}/${result.requests} acknowledged, ${result.reads} reads, ` +
    `${result.crashes} crashes, ${result.partitions} partitions, ${result.leaderships} leaderships`;
  console.log(`seed ${swarm.seed}: ${problem === null ? "held" : "FAILED"} (${counts})`);
  if (problem !== null) {
    console.log(`  ${problem}`);
    console.log(`  swarm: ${JSON.stringify(swarm)}`);
    console.log(`  replay: npm run sim -- --seed ${swarm.seed} --trace`);
  }
}

const core = await WebAssembly.compile(await readPackageFile("dist/core.wasm"));
const { from, to } = seedRange();
let failed = 0;
for (let seed = from; seed <= to; seed++) {
  const began = nodeClock.monotonicMs();
  const onTrace = values.trace ? (line: string) => console.log(line) : undefined;
  const result = await runSeed(seed, core, onTrace);
  report(result, nodeClock.monotonicMs() - began);
  if (result.problem !== null) failed += 1;
  if (values.twice) {
    const again = await runSeed(seed, core);
    const same = again.traceDigest === result.traceDigest;
    console.log(`  ${same ? "the same trace twice" : "TWO TRACES DIFFER"}: ${again.traceDigest}`);
    if (!same) failed += 1;
  }
}
if (from !== to) console.log(`${to - from + 1 - failed} held, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
