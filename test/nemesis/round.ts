// One round: a fresh cluster, clients, a plan of faults, and then the question whether all of it held.
//
// In the rest behind each episode nothing is wrong any more, so writes must go on within a bound: a cluster
// that only comes back when the round is over would otherwise look alive.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toError } from "../../src/base/assert.ts";
import { History } from "../../src/sim/history.ts";
import { type Answer, type Judge, problemOf } from "../../src/sim/judge.ts";
import { SimRandom } from "../../src/sim/sim-random.ts";
import { until } from "../system/process-cluster.ts";
import { type Scene, carryOut, count } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import type { Machine } from "./machine.ts";
import { type Plan, describeStep } from "./plan.ts";
import { Shop } from "./shop.ts";
import { judgeCluster } from "./verdict.ts";

/** From when every node is up again behind an episode to the next acknowledged write. */
const RECOVERY_MS_MAX = 60_000;
/** From the end of all faults until every request has its answer. */
const ANSWERS_MS_MAX = 90_000;

export interface RoundResult {
  readonly plan: Plan;
  readonly violations: readonly string[];
  /** Null: it did not come to that. */
  readonly judged: Answer["verdict"] | null;
  readonly counts: ReadonlyMap<string, number>;
  readonly requests: Shop["counts"];
  readonly worst: Shop["worst"];
  readonly recoveryMs: number;
  readonly terms: number;
  readonly ms: number;
}

export interface RoundOptions {
  readonly machine: Machine;
  readonly folder: string;
  /** Where a failed round leaves its nodes' folders, logs and history. */
  readonly keepIn: string;
  readonly judge: Judge;
  /** Told what is done, as it is done. */
  readonly watch: (note: string) => void;
}

export async function playRound(plan: Plan, options: RoundOptions): Promise<RoundResult> {
  const round = new Round(plan, options);
  try {
    await round.play();
  } catch (thrown) {
    round.report(toError(thrown).stack ?? String(thrown));
  } finally {
    await round.end();
  }
  return round.result();
}

class Round {
  readonly #plan: Plan;
  readonly #options: RoundOptions;
  readonly #random: SimRandom;
  readonly #history: History;
  readonly #violations: string[] = [];
  readonly #notes: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly #beganAt = performance.now();
  #fleet: Fleet | null = null;
  #shop: Shop | null = null;
  #picture: string | null = null;
  #judged: Answer["verdict"] | null = null;
  #recoveryMs = 0;
  #terms = 0;

  constructor(plan: Plan, options: RoundOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#random = new SimRandom(plan.seed).fork();
    this.#history = new History(`nemesis ${plan.seed}`);
  }

  report(violation: string): void {
    this.#violations.push(violation);
    this.#note(`VIOLATION: ${violation}`);
  }

  #note(what: string): void {
    const at = ((performance.now() - this.#beganAt) / 1000).toFixed(2);
    this.#notes.push(`${at.padStart(7)} ${what}`);
    this.#options.watch(`${at.padStart(7)} ${what}`);
  }

  async play(): Promise<void> {
    const { clients, seed, size, thinkMsMax } = this.#plan;
    const { folder, judge, machine } = this.#options;
    const tuning = {
      "tick-ms": this.#plan.tickMs,
      "snapshot-entries": this.#plan.snapshotEntries,
      "trailing-entries": this.#plan.trailingEntries,
    };
    const args = Object.entries(tuning).map(([name, value]) => `--${name}=${value}`);
    const report = (violation: string): void => this.report(violation);
    const fleet = await Fleet.found(machine, { folder, seed, size, args }, report);
    this.#fleet = fleet;
    fleet.startAll();
    await fleet.waitAllUp();
    await fleet.cluster.leader();
    // Long file paths where the disk is to be filled: the log must need another segment meanwhile.
    const isFilled = this.#plan.episodes.some(({ steps }) =>
      steps.some(({ kind }) => kind === "full-disk"),
    );
    const padding = isFilled ? 4000 : 0;
    const shop = new Shop(fleet.servers, this.#history, this.#random, report, padding);
    this.#shop = shop;
    shop.open(clients, thinkMsMax);
    const note = (what: string): void => this.#note(what);
    await this.#episodes({ fleet, shop, report, note, counts: this.#counts });
    await this.#calm(fleet, shop);
    for (const what of await judgeCluster(fleet, shop)) this.report(what);
    this.#terms = (await fleet.cluster.settled()).term;
    const answer = await judge.judge(this.#history);
    this.#judged = answer.verdict;
    this.#note(`the judge: ${answer.verdict}, ${answer.steps} steps`);
    const problem = problemOf(answer);
    if (problem === null) return;
    this.report(problem);
    this.#picture = answer.picture ?? null;
  }

  async #episodes(scene: Scene): Promise<void> {
    const { fleet, shop } = scene;
    for (const { restMs, steps } of this.#plan.episodes) {
      await Promise.all(steps.map((step) => carryOut(scene, step)));
      await fleet.heal();
      await fleet.waitAllUp();
      const [began, writes] = [performance.now(), shop.writes];
      await until("writes go on", () => shop.writes > writes, RECOVERY_MS_MAX);
      const tookMs = Math.round(performance.now() - began);
      this.#note(`writes go on after ${tookMs} ms`);
      this.#recoveryMs = Math.max(this.#recoveryMs, tookMs);
      await new Promise((go) => setTimeout(go, restMs));
    }
    for (const [reason, times] of fleet.ends) count(scene, `ended itself: ${reason}`, times);
    if (fleet.wire !== null) {
      const { delayed, doubled, dropped, lost } = await fleet.wire.counts();
      for (const [what, times] of Object.entries({ dropped, lost, delayed, doubled })) {
        count(scene, `packets ${what}`, times);
      }
    }
    if (!fleet.hasShims) return;
    for (const { id } of fleet.servers) {
      for (const [what, times] of Object.entries(fleet.shim(id).counts())) {
        count(scene, `syncs ${what}`, times);
      }
    }
  }

  /** No more faults: every request gets its answer, and every collection is read once more. */
  async #calm(fleet: Fleet, shop: Shop): Promise<void> {
    let isClosed = false;
    const closed = shop.close().then(() => (isClosed = true));
    try {
      await until("every request has its answer", () => isClosed, ANSWERS_MS_MAX);
    } finally {
      shop.giveUp();
      await closed;
    }
    const random = this.#random.fork();
    for (const collection of ["printers", "filaments", "print_jobs"] as const) {
      await shop.ask(0, { kind: "list", collection }, random, `end-${collection}`);
    }
    await fleet.cluster.leader();
  }

  async end(): Promise<void> {
    const { folder, keepIn } = this.#options;
    this.#shop?.giveUp();
    if (this.#violations.length > 0) {
      mkdirSync(keepIn, { recursive: true });
      writeFileSync(join(keepIn, "history.jsonl"), this.#history.text());
      writeFileSync(join(keepIn, "story.txt"), `${this.story()}\n`);
      for (const { id, log } of this.#fleet?.servers ?? []) {
        writeFileSync(join(keepIn, `node-${id}.log`), log);
      }
      if (this.#picture !== null) copyFileSync(this.#picture, join(keepIn, "history.html"));
      this.#fleet?.keep(keepIn);
    }
    // The clients first: they must not take the end of the nodes for one of the faults.
    await this.#shop?.close();
    await this.#fleet?.dispose();
    this.#note(`gone: ${folder}`);
  }

  /** What was done, with seconds since the round began. */
  story(): string {
    const plan = this.#plan.episodes.map(({ steps }) => steps.map(describeStep).join(" + "));
    return [`plan: ${plan.join("; ")}`, ...this.#notes].join("\n");
  }

  result(): RoundResult {
    const none = { asked: 0, ok: 0, refused: 0, unknown: 0, tries: 0 };
    return {
      plan: this.#plan,
      violations: this.#violations,
      judged: this.#judged,
      counts: this.#counts,
      requests: this.#shop?.counts ?? none,
      worst: this.#shop?.worst ?? { answerMs: 0, writesMs: 0 },
      recoveryMs: this.#recoveryMs,
      terms: this.#terms,
      ms: performance.now() - this.#beganAt,
    };
  }
}
