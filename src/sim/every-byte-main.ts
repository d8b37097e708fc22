// `npm run every-byte`: damages each byte of a node's folder in turn and says what came of it.
//   --sample N   so many cases of each folder instead of all; --seed S says which
//   --folder K   one of the folders only, by its number
//   --only PATTERN damage of files whose path matches it
//   --jobs N     so many processes (2)
// --part K/N is for its own processes: a share of the cases, and the tally as JSON.

import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { must } from "../base/assert.ts";
import { nodeClock } from "../env/node/clock.ts";
import { readPackageFile } from "../env/node/package-file.ts";
import { EveryByte, FOLDERS, Tally } from "./every-byte.ts";
import { sampleOf } from "./every-byte-damage.ts";
import { findingsText, tableText } from "./every-byte-report.ts";
import { SimRandom } from "./sim-random.ts";

const PROGRESS_MS = 20_000;

const { values } = parseArgs({
  options: {
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    folder: { type: "string" },
    only: { type: "string", default: "" },
    jobs: { type: "string", default: "2" },
    part: { type: "string" },
  },
});

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`);
  return value;
}

const seed = wholeNumber("seed", values.seed);
const sample = values.sample === undefined ? null : wholeNumber("sample", values.sample);
const folders = FOLDERS.filter(
  (_folder, at) => values.folder === undefined || at + 1 === Number(values.folder),
);

async function runPart(part: number, parts: number): Promise<Tally> {
  const core = await WebAssembly.compile(await readPackageFile("dist/core.wasm"));
  const tally = new Tally();
  for (const folder of folders) {
    const { name } = folder;
    const everyByte = await EveryByte.make({ ...folder, seed, core });
    const only = new RegExp(values.only);
    const damages = everyByte.damages.filter(({ path }) => only.test(path));
    const chosen = sample === null ? damages : sampleOf(damages, sample, new SimRandom(seed));
    if (part === 0) tally.addFolder(name, everyByte.folder);
    let told = nodeClock.monotonicMs();
    for (const [at, damage] of chosen.entries()) {
      if (at % parts !== part) continue;
      tally.add(name, await everyByte.run(damage));
      if (nodeClock.monotonicMs() - told < PROGRESS_MS) continue;
      told = nodeClock.monotonicMs();
      const found = tally.findings.length;
      console.error(`${part + 1}/${parts} ${name}: ${at}/${chosen.length}, ${found} not allowed`);
    }
  }
  return tally;
}

/** The same program, for one share of the cases. */
function spawnPart(part: number, parts: number): Promise<Tally> {
  const program = must(process.argv[1], "the program");
  const own = [`--seed=${seed}`, `--part=${part + 1}/${parts}`, `--only=${values.only}`];
  if (sample !== null) own.push(`--sample=${sample}`);
  if (values.folder !== undefined) own.push(`--folder=${values.folder}`);
  const child = spawn(process.execPath, [...process.execArgv, program, ...own], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (output += piece));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(Tally.parse(output));
      else reject(new Error(`part ${part + 1} of ${parts} ended with ${code}`));
    });
  });
}

const asPart = /^(\d+)\/(\d+)$/.exec(values.part ?? "");
if (asPart !== null) {
  const tally = await runPart(Number(must(asPart[1], "part")) - 1, Number(asPart[2]));
  process.stdout.write(JSON.stringify(tally));
} else {
  const began = nodeClock.monotonicMs();
  const jobs = Math.max(1, wholeNumber("jobs", values.jobs));
  const parts = Array.from({ length: jobs }, (_, part) => spawnPart(part, jobs));
  const tally = Tally.merged(await Promise.all(parts));
  console.log(tableText(tally));
  console.log(findingsText(tally));
  const seconds = Math.round((nodeClock.monotonicMs() - began) / 1000);
  const found = tally.findings.length;
  console.log(`seed ${seed}: ${tally.cases} cases in ${seconds} s, ${found} not allowed`);
  process.exitCode = found === 0 ? 0 : 1;
}
