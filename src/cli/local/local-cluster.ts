// A cluster on this machine: one process for each node, their logs, their ends.
//
// A node that ends by itself stays down. To start it again behind its owner's back would hide why
// it ended, and a node that ended because its disk failed must not come back before somebody has
// looked.

import { must } from "../../base/assert.ts";
import type { Timer } from "../../env/clock.ts";
import { DiskError } from "../../env/disk.ts";
import { nodeDisk } from "../../env/node/disk.ts";
import { type Child, type ChildEnd, startSelf } from "../../env/node/process.ts";
import { type ClusterView, peekCluster } from "../client/cluster.ts";
import { probe } from "../client/probe.ts";
import type { Session } from "../session.ts";
import { LogTail } from "./log-tail.ts";
import { type LogLine, parseLogLine } from "./log-line.ts";
import { type LocalNode, type LocalPlan, serveArguments } from "./plan.ts";
import { isFulfilledWithin, waitFor } from "./wait.ts";

/** Longer than a server gives its requests to end, and a leader to hand over. */
const STOP_MS_MAX = 15_000;
const KILL_MS_MAX = 5000;
const LOG_POLL_MS = 200;
const PROBE_MS_MAX = 500;

export interface LocalClusterOptions {
  readonly session: Session;
  readonly plan: LocalPlan;
  /** The nodes are killed if this process exits, and their data is not meant to outlive it. */
  readonly throwAway: boolean;
  readonly onLog?: (node: LocalNode, line: LogLine) => void;
  /** A node ended that was not told to. */
  readonly onEnd?: (node: LocalNode, end: ChildEnd, lastError: string | null) => void;
}

/** One run of one node. */
interface Run {
  readonly child: Child;
  readonly tail: LogTail;
  /** It was told to end. */
  isExpected: boolean;
  lastError: string | null;
  /** The process has ended and the last of its log was read. */
  done: Promise<void>;
}

export class LocalCluster {
  readonly plan: LocalPlan;
  readonly #options: LocalClusterOptions;
  readonly #runs = new Map<LocalNode, Run>();
  #timer: Timer | null = null;
  #isStopping = false;
  /** The start under way: a node that is not in `#runs` yet must not be overlooked by `stop`. */
  #starting: Promise<void> = Promise.resolve();

  constructor(options: LocalClusterOptions) {
    this.plan = options.plan;
    this.#options = options;
    this.#schedulePoll();
  }

  /** The nodes whose processes run. */
  get running(): readonly LocalNode[] {
    return this.plan.nodes.filter((node) => this.#runs.has(node));
  }

  async startAll(): Promise<void> {
    for (const node of this.plan.nodes) {
      if (!this.#isStopping) await this.start(node);
    }
  }

  start(node: LocalNode): Promise<void> {
    this.#starting = this.#start(node);
    return this.#starting;
  }

  async #start(node: LocalNode): Promise<void> {
    const disk = nodeDisk(node.data);
    // Where this run's lines begin, taken before there can be any.
    const before = (await disk.stat("log"))?.bytes ?? 0;
    const child = await startSelf(serveArguments(this.plan, node), {
      logPath: node.logPath,
      throwAway: this.#options.throwAway,
    });
    const tail = await LogTail.open(disk, "log", before);
    const run: Run = {
      child,
      tail,
      isExpected: false,
      lastError: null,
      done: child.ended.then((end) => this.#ended(node, run, end)),
    };
    this.#runs.set(node, run);
  }

  pidOf(node: LocalNode): number {
    return must(this.#runs.get(node), "the run of a running node").child.pid;
  }

  /** Kills a node as a power cut would: it gets no chance to do anything. */
  async kill(node: LocalNode): Promise<void> {
    const run = must(this.#runs.get(node), "the run of a node to kill");
    run.isExpected = true;
    run.child.signal("SIGKILL");
    await run.done;
  }

  /** Asks every node to end in good order, and ends those by force that do not. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#starting.catch(() => undefined); // the failure belongs to whoever started it
    const runs = [...this.#runs.values()];
    for (const run of runs) {
      run.isExpected = true;
      run.child.signal("SIGTERM");
    }
    const { clock } = this.#options.session;
    const done = Promise.all(runs.map((run) => run.done));
    if (!(await isFulfilledWithin(clock, STOP_MS_MAX, done))) {
      for (const run of runs) if (!run.child.hasEnded) run.child.signal("SIGKILL");
      await isFulfilledWithin(clock, KILL_MS_MAX, done);
    }
    this.#timer?.cancel();
  }

  /** Waits until every node that runs is ready; resolves with those that are not, in time. */
  async ready(boundMs: number): Promise<readonly LocalNode[]> {
    const { clock, http } = this.#options.session;
    const isReady = async (node: LocalNode): Promise<boolean> => {
      const request = { origin: node.origin, method: "GET", path: "/readyz" };
      const answer = await probe(http, { ...request, timeoutMs: PROBE_MS_MAX });
      return answer?.status === 200;
    };
    let unready = this.running;
    await waitFor(clock, boundMs, async () => {
      const now = this.running;
      const ready = await Promise.all(now.map(isReady));
      unready = now.filter((_, at) => ready[at] === false);
      return unready.length === 0 || this.#isStopping ? true : null;
    });
    return unready;
  }

  /** What each running node says about the cluster; null where one does not answer. */
  async views(): Promise<ReadonlyMap<LocalNode, ClusterView | null>> {
    const nodes = this.running;
    const { session } = this.#options;
    const views = await Promise.all(nodes.map((node) => peekCluster(session, node.origin)));
    return new Map(nodes.map((node, at) => [node, views[at] ?? null]));
  }

  async #ended(node: LocalNode, run: Run, end: ChildEnd): Promise<void> {
    await this.#readLog(node, run);
    await run.tail.close();
    this.#runs.delete(node);
    if (!run.isExpected) this.#options.onEnd?.(node, end, run.lastError);
  }

  #schedulePoll(): void {
    this.#timer = this.#options.session.clock.after(LOG_POLL_MS, () => {
      void this.#pollLogs().then(() => {
        if (!this.#isStopping) this.#schedulePoll();
      });
    });
  }

  async #pollLogs(): Promise<void> {
    for (const [node, run] of this.#runs) {
      if (!run.child.hasEnded) await this.#readLog(node, run);
    }
  }

  async #readLog(node: LocalNode, run: Run): Promise<void> {
    for (const text of await newLines(run.tail)) {
      const line = parseLogLine(text);
      if (line.level === "error") run.lastError = line.message;
      // Node.js's own last words count where the logger had none.
      else if (line.level === null && /error|bug/i.test(text)) run.lastError ??= text.trim();
      this.#options.onLog?.(node, line);
    }
  }
}

/** A log that cannot be read is no reason to give up the cluster whose log it is. */
async function newLines(tail: LogTail): Promise<readonly string[]> {
  try {
    return await tail.lines();
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}
