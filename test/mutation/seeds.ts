// Runs seeds of the simulator, the fixed corpus first, until one fails; one line of JSON for each. A
// program of its own, because a planted bug may end the process or never come to an end.
//   seeds.ts COUNT SECONDS   at most so many seeds, and no new one after so much processor time

import { readFileSync } from "node:fs";
import { CORPUS } from "../../src/sim/corpus.ts";
import { Judge } from "../../src/sim/judge.ts";
import { runJudged } from "../../src/sim/judged.ts";

export interface SeedLine {
  readonly seed: number;
  readonly problem: string | null;
}

/** Fresh seeds begin here: far from those that the corpus was chosen from. */
const FRESH_FROM = 1001;

const [count = 1, seconds = 1] = process.argv.slice(2).map(Number);
const fresh = Array.from({ length: count }, (_, at) => FRESH_FROM + at);
const wasm = new URL("../../dist/core.wasm", import.meta.url);
const core = await WebAssembly.compile(readFileSync(wasm));
const judge = new Judge();
for (const seed of [...CORPUS, ...fresh].slice(0, count)) {
  // Not the time on the clock: how far a search goes must not depend on what else the machine does.
  const { user, system } = process.cpuUsage();
  if ((user + system) / 1e6 >= seconds) break;
  const result = await runJudged(seed, core, judge);
  // That the judge came to no end is a failure elsewhere; here it would pass for a bug that was found.
  const problem = result.answer?.verdict === "undecided" ? null : result.problem;
  const line: SeedLine = { seed, problem };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (problem !== null) break;
}
// A bug that was found may have left something behind that would go on for ever.
process.exit(0);
