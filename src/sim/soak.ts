// A soak: seed after seed in several processes, until so many hours of simulated time have passed. The
// processes share nothing but the count; each seed is a world of its own and can be had again alone.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { clearInterval, setInterval } from "node:timers";
import { assert } from "../base/assert.ts";
import { nodeClock } from "../env/node/clock.ts";
import type { Judge } from "./judge.ts";
import { runJudged } from "./judged.ts";
import { describeFailure } from "./report.ts";

const REPORT_MS = 30_000;
/** A process that has run so many seeds makes room for a new one. */
const SEEDS_PER_PROCESS = 400;
const MS_PER_HOUR = 3_600_000;

export interface SoakOptions {
  /** Of simulated time, over all seeds. */
  readonly hours: number;
  readonly from: number;
  /** Processes at once. */
  readonly jobs: number;
}

/** What a process says of one seed. */
interface SeedDone {
  readonly seed: number;
  /** Null if it held, else what people are to read. */
  readonly failure: string | null;
  readonly simulatedMs: number;
  readonly requests: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly crashes: number;
  readonly lost: number;
  readonly leaderships: number;
  readonly stallLooks: number;
  readonly diskFailures: number;
  readonly diskHangs: number;
  /** Operations of the history that the judge was given. */
  readonly judged: number;
  readonly faults: Readonly<Record<string, number>>;
}

/** The other side: runs the seeds it is sent, one at a time, until it is let go. */
export async function serveSoak(core: WebAssembly.Module, judge: Judge): Promise<void> {
  assert(process.send !== undefined, "a worker is started by a soak");
  const tell = process.send.bind(process);
  // Whatever it throws ends this process, with the seed in its message; the soak sees that.
  const take = async (seed: unknown): Promise<void> => {
    assert(typeof seed === "number", "a soak sends seeds");
    tell(await runOne(seed, core, judge));
  };
  process.on("message", (seed) => void take(seed));
  await once(process, "disconnect");
}

async function runOne(seed: number, core: WebAssembly.Module, judge: Judge): Promise<SeedDone> {
  const result = await runJudged(seed, core, judge);
  const { acknowledged, crashes, leaderships, lost, reads, requests } = result;
  return {
    seed,
    failure: result.problem === null ? null : describeFailure(result),
    simulatedMs: result.simulatedMs,
    requests,
    acknowledged,
    reads,
    crashes,
    lost,
    leaderships,
    stallLooks: result.stallLooks,
    diskFailures: result.diskFailures,
    diskHangs: result.diskHangs,
    judged: result.answer?.operations ?? 0,
    faults: Object.fromEntries(result.faults),
  };
}

/** Prints as it goes, and whether everything held. */
export async function soak(options: SoakOptions): Promise<boolean> {
  const tally = new Tally(options);
  console.log(`soaking from seed ${options.from}, ${options.hours} h, ${options.jobs} processes`);
  const report = setInterval(() => console.log(tally.progress()), REPORT_MS);
  try {
    await Promise.all(Array.from({ length: options.jobs }, () => work(tally)));
  } finally {
    clearInterval(report);
  }
  console.log(tally.summary());
  return tally.failed === 0;
}

async function work(tally: Tally): Promise<void> {
  while (!tally.isDone) {
    const child = fork(must(process.argv[1]), ["--worker"], { stdio: "inherit" });
    try {
      for (let n = 0; n < SEEDS_PER_PROCESS && !tally.isDone; n++) await tally.run(child);
    } finally {
      child.disconnect();
    }
  }
}

function must(path: string | undefined): string {
  assert(path !== undefined, "a program has a path");
  return path;
}

class Tally {
  readonly #options: SoakOptions;
  readonly #beganMs = nodeClock.monotonicMs();
  readonly #sums: Record<string, number> = {};
  #next: number;
  #seeds = 0;
  #simulatedMs = 0;
  failed = 0;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#next = options.from;
  }

  get isDone(): boolean {
    return this.#simulatedMs >= this.#options.hours * MS_PER_HOUR;
  }

  /** Has a process run the next seed. */
  async run(child: ChildProcess): Promise<void> {
    const seed = this.#next++;
    const done = await new Promise<SeedDone>((resolve, reject) => {
      const onExit = (code: number | null): void =>
        reject(new Error(`the process that ran seed ${seed} ended with ${code}`));
      child.once("exit", onExit);
      child.once("message", (message) => {
        child.off("exit", onExit);
        resolve(message as SeedDone); // it comes from serveSoak above
      });
      child.send(seed);
    });
    this.#seeds += 1;
    const { failure, faults, seed: _, simulatedMs, ...counts } = done;
    this.#simulatedMs += simulatedMs;
    for (const [name, count] of Object.entries({ ...counts, ...faults })) {
      this.#sums[name] = (this.#sums[name] ?? 0) + count;
    }
    if (failure === null) return;
    this.failed += 1;
    console.log(`seed ${seed}: FAILED\n${failure}`);
  }

  progress(): string {
    const hours = this.#simulatedMs / MS_PER_HOUR;
    const realMs = nodeClock.monotonicMs() - this.#beganMs;
    const speed = Math.round(this.#simulatedMs / realMs);
    return (
      `${this.#seeds} seeds, ${hours.toFixed(1)} h simulated in ${(realMs / 60_000).toFixed(1)} min: ` +
      `${speed} s a second, ${this.#options.jobs} processes; ${this.failed} failed`
    );
  }

  summary(): string {
    const sums = Object.entries(this.#sums).map(([name, count]) => `  ${name.padEnd(14)} ${count}`);
    const last = this.#next - 1;
    return [`seeds ${this.#options.from}..${last}`, this.progress(), ...sums].join("\n");
  }
}
