// What a planted bug has to get past: the simulator, and the tests beside the code. Each check says
// whether everything held, and if not, what it found and how long that took.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SeedLine } from "./seeds.ts";
import type { Workshop } from "./workshop.ts";

/** One seed that takes longer than this hangs; a test's bound is the same (vitest.config.ts). */
const SEED_MS_MAX = 180_000;
/** A run of tests says nothing before its end. Far above what any takes, on a machine with other work. */
const TESTS_MS_MAX = 1_200_000;
const VITEST_REPORT = "vitest-report.json";

export type Outcome =
  | { readonly kind: "held"; readonly seconds: number; readonly seeds?: number }
  | {
      readonly kind: "caught";
      readonly seconds: number;
      /** Which check it was: a seed, a test. */
      readonly by: string;
      readonly message: string;
      /** Seeds that were run, the one that failed included. */
      readonly seeds?: number;
    };

function stopwatch(): () => number {
  const began = performance.now();
  return () => (performance.now() - began) / 1000;
}

export interface SeedBudget {
  /** Seeds at most, the corpus first. */
  readonly count: number;
  /** No new seed after so much processor time. */
  readonly seconds: number;
}

/** Seeds within the budget, until one fails. */
export async function runSeeds(workshop: Workshop, budget: SeedBudget): Promise<Outcome> {
  const seconds = stopwatch();
  const lines: SeedLine[] = [];
  const ended = await workshop.run(
    process.execPath,
    ["--import", "tsx", "test/mutation/seeds.ts", String(budget.count), String(budget.seconds)],
    {
      silenceMsMax: SEED_MS_MAX,
      onLine: (line) => void lines.push(JSON.parse(line) as SeedLine), // seeds.ts prints nothing else
    },
  );
  const last = lines.at(-1);
  if (last !== undefined && last.problem !== null) {
    return caught(seconds(), `seed ${last.seed}`, firstLine(last.problem), lines.length);
  }
  if (ended.code === 0) return { kind: "held", seconds: seconds(), seeds: lines.length };
  const message =
    ended.code === null
      ? "the run does not come to an end"
      : `the process ends: ${crash(ended.stderr)}`;
  const after = last === undefined ? "the first seed" : `the seed behind ${last.seed}`;
  return caught(seconds(), after, message, lines.length + 1);
}

function caught(seconds: number, by: string, message: string, seeds?: number): Outcome {
  return { kind: "caught", seconds, by, message, ...(seeds === undefined ? {} : { seeds }) };
}

/** The tests of these paths, in their order: vitest's, and for `core` those in Go. */
export async function runUnits(workshop: Workshop, paths: readonly string[]): Promise<Outcome> {
  const seconds = stopwatch();
  if (paths.includes("core")) {
    const found = await runGoTests(workshop);
    if (found !== null) return caught(seconds(), found.by, found.message);
  }
  const vitest = paths.filter((path) => path !== "core");
  if (vitest.length > 0) {
    const found = await runVitest(workshop, vitest);
    if (found !== null) return caught(seconds(), found.by, found.message);
  }
  return { kind: "held", seconds: seconds() };
}

interface Finding {
  readonly by: string;
  readonly message: string;
}

async function runGoTests(workshop: Workshop): Promise<Finding | null> {
  const lines: string[] = [];
  const ended = await workshop.run("go", ["test", "-failfast", "-count=1", "./..."], {
    cwd: "core",
    env: { GOTOOLCHAIN: "local" },
    silenceMsMax: TESTS_MS_MAX,
    onLine: (line) => void lines.push(line),
  });
  if (ended.code === 0) return null;
  const at = lines.findIndex((line) => line.startsWith("--- FAIL: "));
  // A test in Go that panics has no such line of its own and ends the whole run.
  const panic = lines.find((line) => line.startsWith("panic: "));
  const name = /^--- FAIL: (\w+)/.exec(lines[at] ?? "")?.[1];
  if (name === undefined && panic === undefined) {
    throw new Error(`go test fails without a test that fails:\n${lines.join("\n")}${ended.stderr}`);
  }
  const message = panic ?? lines[at + 1]?.trim() ?? "";
  return { by: name ?? "go test", message };
}

/** The parts of vitest's report that are looked at. */
interface VitestReport {
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

async function runVitest(workshop: Workshop, paths: readonly string[]): Promise<Finding | null> {
  const file = join(workshop.root, VITEST_REPORT);
  rmSync(file, { force: true });
  const args = ["run", "--project", "unit", "--bail=1", "--maxWorkers=1", "--no-isolate"];
  const ended = await workshop.run(
    workshop.bin("vitest"),
    // The seeds are the other check.
    [
      ...args,
      "--exclude",
      "src/sim/run.test.ts",
      "--reporter=json",
      `--outputFile=${file}`,
      ...paths,
    ],
    { silenceMsMax: TESTS_MS_MAX },
  );
  if (ended.code === null)
    return { by: paths.join(", "), message: "the tests do not come to an end" };
  const report = JSON.parse(readFileSync(file, "utf8")) as VitestReport; // as vitest writes it
  if (report.numTotalTests === 0) throw new Error(`there are no tests below ${paths.join(", ")}`);
  const found = firstFailure(report, workshop.root);
  if (found === null && ended.code !== 0) {
    return { by: paths.join(", "), message: `vitest fails: ${crash(ended.stderr)}` };
  }
  return found;
}

function firstFailure(report: VitestReport, root: string): Finding | null {
  for (const suite of report.testResults) {
    const test = suite.assertionResults.find(({ status }) => status === "failed");
    const name = suite.name.replace(`${root}/`, "");
    if (test !== undefined) {
      return { by: `${name}: ${test.fullName}`, message: firstLine(test.failureMessages[0] ?? "") };
    }
    if (suite.status === "failed") return { by: name, message: firstLine(suite.message) };
  }
  return null;
}

/** What a process said last that is no place in the code. */
function crash(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => /^(?:\w*Error|Uncaught|\w+Trap)\b/.test(line));
  return lines.at(-1) ?? firstLine(stderr);
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
