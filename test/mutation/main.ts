// `npm run mutants`: plants bugs, one at a time, and sees whether the suite finds them.
//   --list          names the catalogue
//   --only NAME     one of them, or all whose names begin so; may be repeated
//   --sample N      N of them, spread over the catalogue
//   --seeds N       how many seeds of the simulator each has to get past, the corpus first, …
//   --seconds N     … and the processor time after which no new one is begun
//   --every         runs the tests beside the code also for what the simulator has caught
//   --quick         runs these tests first, and the simulator only for what gets past them
//   --results FILE  keeps what was found there, and goes on from what it holds
//   --write         writes docs/mutants.md (of the whole catalogue only)

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sha256Hex } from "../../src/base/hash.ts";
import { MUTANTS } from "./catalogue.ts";
import { type Outcome, type SeedBudget, runSeeds, runUnits } from "./checks.ts";
import { type Mutant, isInCore, plant, tryPlant } from "./mutant.ts";
import { type Result, isCaught, renderPage, summarise, summaryText } from "./report.ts";
import { ROOT, Workshop } from "./workshop.ts";

const LANES = 2;
const SEEDS = 60;
const SEED_SECONDS = 30;
const PAGE = "docs/mutants.md";
const BUILD_MS_MAX = 300_000;

const { values } = parseArgs({
  options: {
    list: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    sample: { type: "string" },
    seeds: { type: "string", default: String(SEEDS) },
    seconds: { type: "string", default: String(SEED_SECONDS) },
    every: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    results: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function chosen(): readonly Mutant[] {
  const { only, sample } = values;
  const unknown = only.filter((name) => !MUTANTS.some((mutant) => mutant.name.startsWith(name)));
  if (unknown.length > 0) throw new Error(`no such mutant: ${unknown.join(", ")}`);
  const named =
    only.length === 0
      ? MUTANTS
      : MUTANTS.filter((mutant) => only.some((name) => mutant.name.startsWith(name)));
  const count = sample === undefined ? named.length : wholeNumber("--sample", sample);
  if (count >= named.length) return named;
  return named.filter(
    (_, at) =>
      Math.floor((at * count) / named.length) !== Math.floor(((at + 1) * count) / named.length),
  );
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option} takes a whole number`);
  return value;
}

/** What cannot be compiled proves nothing: every planted bug must be one that a compiler lets pass. */
async function compileAll(workshop: Workshop, mutants: readonly Mutant[]): Promise<void> {
  let left = mutants.filter((mutant) => !isInCore(mutant));
  while (left.length > 0) {
    // As many at a time as do not change the same place.
    const restores: (() => void)[] = [];
    const later: Mutant[] = [];
    for (const mutant of left) {
      const restore = tryPlant(workshop.root, mutant);
      if (restore === null) later.push(mutant);
      else restores.unshift(restore);
    }
    if (restores.length === 0) throw new Error(`mutant ${left[0]?.name} cannot be planted`);
    const lines: string[] = [];
    const unused = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
    const ended = await workshop.run(
      workshop.bin("tsc"),
      ["-p", ".", "--pretty", "false", ...unused],
      {
        silenceMsMax: BUILD_MS_MAX,
        onLine: (line) => void lines.push(line),
      },
    );
    for (const restore of restores) restore();
    if (ended.code !== 0) throw new Error(`a mutant does not compile:\n${lines.join("\n")}`);
    left = later;
  }
}

async function buildCore(workshop: Workshop, mutant: Mutant): Promise<void> {
  const ended = await workshop.run(process.execPath, ["tools/build-core.mjs"], {
    silenceMsMax: BUILD_MS_MAX,
  });
  if (ended.code !== 0) throw new Error(`mutant ${mutant.name} does not compile:\n${ended.stderr}`);
}

/** The simulator first: what it finds proves the simulator. With --quick the cheaper one first. */
async function ask(
  workshop: Workshop,
  mutant: Mutant,
  budget: SeedBudget,
): Promise<Pick<Result, "simulator" | "units">> {
  const isMet = mutant.outsideSimulator === undefined;
  if (values.quick) {
    const units = await runUnits(workshop, mutant.units);
    const isDone = units.kind === "caught" || !isMet;
    return { simulator: isDone ? null : await runSeeds(workshop, budget), units };
  }
  const simulator = isMet ? await runSeeds(workshop, budget) : null;
  const isDone = simulator?.kind === "caught" && !values.every;
  return { simulator, units: isDone ? null : await runUnits(workshop, mutant.units) };
}

async function examine(workshop: Workshop, mutant: Mutant, budget: SeedBudget): Promise<Result> {
  const restore = plant(workshop.root, mutant);
  try {
    if (isInCore(mutant)) await buildCore(workshop, mutant);
    return { mutant, ...(await ask(workshop, mutant, budget)) };
  } finally {
    restore();
    if (isInCore(mutant)) workshop.restoreCore();
  }
}

function outcomeText(outcome: Outcome | null): string {
  if (outcome === null) return "not asked";
  const time = `${outcome.seconds.toFixed(1)} s`;
  if (outcome.kind === "held") return `missed (${time})`;
  const after = outcome.seeds === undefined ? "" : `, ${outcome.seeds} seeds`;
  return `${outcome.by} (${time}${after}): ${outcome.message}`;
}

function announce(result: Result): void {
  say(`${isCaught(result) ? "caught  " : "SURVIVED"} ${result.mutant.name}`);
  say(`  simulator: ${outcomeText(result.simulator)}`);
  say(`  tests:     ${outcomeText(result.units)}`);
}

/** Without a planted bug the same checks must hold, or their failures say nothing about one. */
async function baseline(
  lanes: readonly Workshop[],
  mutants: readonly Mutant[],
  count: number,
): Promise<void> {
  const [first, second] = lanes;
  if (first === undefined || second === undefined) throw new Error("there are two lanes");
  const units = [...new Set(mutants.flatMap((mutant) => mutant.units))];
  const isAsked = mutants.some((mutant) => mutant.outsideSimulator === undefined);
  // All seeds that any mutant may meet, however long they take.
  const budget = { count: isAsked ? count : 0, seconds: Number.MAX_SAFE_INTEGER };
  const [simulator, tests] = await Promise.all([
    runSeeds(first, budget),
    compileAll(second, mutants).then(() => runUnits(second, units)),
  ]);
  for (const outcome of [simulator, tests]) {
    if (outcome.kind === "held") continue;
    throw new Error(`without a planted bug: ${outcomeText(outcome)}`);
  }
  say(`baseline: ${budget.count} seeds and all tests hold without a planted bug`);
}

/** What earlier runs found, by the planted bug itself: one that was changed is examined anew. */
class Results {
  readonly #path: string | null;
  readonly #found: Record<string, Pick<Result, "simulator" | "units">> = {};

  constructor(path: string | null) {
    this.#path = path;
    if (path === null || !existsSync(path)) return;
    Object.assign(this.#found, JSON.parse(readFileSync(path, "utf8"))); // as `put` wrote it
  }

  get(mutant: Mutant): Result | null {
    const found = this.#found[keyOf(mutant)];
    return found === undefined ? null : { ...found, mutant };
  }

  put({ mutant, simulator, units }: Result): void {
    this.#found[keyOf(mutant)] = { simulator, units };
    if (this.#path !== null) writeFileSync(this.#path, JSON.stringify(this.#found));
  }
}

function keyOf({ name, edits, outsideSimulator, units }: Mutant): string {
  return `${name} ${sha256Hex(JSON.stringify({ edits, outsideSimulator, units }), 16)}`;
}

async function examineAll(
  lanes: readonly Workshop[],
  mutants: readonly Mutant[],
  budget: SeedBudget,
): Promise<readonly Result[]> {
  const results = new Results(values.results ?? null);
  const queue = mutants.filter((mutant) => results.get(mutant) === null);
  const work = async (workshop: Workshop): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const result = await examine(workshop, mutant, budget);
      results.put(result);
      announce(result);
    }
  };
  await Promise.all(lanes.map(work));
  return mutants.flatMap((mutant) => results.get(mutant) ?? []);
}

async function writePage([workshop]: readonly Workshop[], text: string): Promise<void> {
  if (workshop === undefined) throw new Error("there is a lane");
  writeFileSync(join(ROOT, PAGE), text);
  const ended = await workshop.run(workshop.bin("oxfmt"), [join(ROOT, PAGE)], {
    silenceMsMax: BUILD_MS_MAX,
  });
  if (ended.code !== 0) throw new Error(`oxfmt: ${ended.stderr}`);
  say(`${PAGE} was written`);
}

async function main(): Promise<boolean> {
  const mutants = chosen();
  if (values.list) {
    for (const { name, class: of, story } of mutants) say(`${name} (${of}): ${story}`);
    return true;
  }
  if (values.write && mutants.length < MUTANTS.length) throw new Error("--write takes all of them");
  const budget: SeedBudget = {
    count: wholeNumber("--seeds", values.seeds),
    seconds: wholeNumber("--seconds", values.seconds),
  };
  const began = performance.now();
  const lanes = Array.from({ length: LANES }, () => new Workshop());
  const clear = (): void => lanes.forEach((lane) => lane.clear());
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      clear();
      process.exit(1);
    });
  }
  try {
    await baseline(lanes, mutants, budget.count);
    const results = await examineAll(lanes, mutants, budget);
    say(summaryText(summarise(results)));
    say(`${((performance.now() - began) / 60_000).toFixed(1)} minutes`);
    if (values.write) await writePage(lanes, renderPage(results, budget, values.quick));
    return results.every(isCaught);
  } finally {
    clear();
  }
}

process.exitCode = (await main()) ? 0 : 1;
