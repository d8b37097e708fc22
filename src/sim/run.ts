// One run of the simulator: a seed in, a verdict out. Faults first, then peace, in which the cluster must
// come to rest; a run that does not is as much a failure as one that loses something.

import { inspect } from "node:util";
import { Checkers } from "./checkers.ts";
import { Fate } from "./fate.ts";
import { focused } from "./focus.ts";
import { History } from "./history.ts";
import { Stalls } from "./stalls.ts";
import { type FateKind, type Swarm, drawSwarm } from "./swarm.ts";
import { Tally } from "./tally.ts";
import { Workload, look } from "./workload.ts";
import { World } from "./world.ts";

/** The clients of the workload count from 1. */
const LAST_CLIENT = 0;

/** After the faults, in ticks. */
const REST_TICKS = 3000;

export interface RunResult {
  readonly swarm: Swarm;
  /** Null if everything held. */
  readonly problem: string | null;
  /** SHA-256 over every line of the trace. */
  readonly traceDigest: string;
  readonly traceLines: number;
  readonly simulatedMs: number;
  readonly requests: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly crashes: number;
  /** Nodes that refused a spoilt folder. */
  readonly lost: number;
  readonly faults: ReadonlyMap<FateKind, number>;
  readonly leaderships: number;
  /** How often the cluster had no excuse for not answering. */
  readonly stallLooks: number;
  /** Operations of disks that were made to fail, and to hang. */
  readonly diskFailures: number;
  readonly diskHangs: number;
  /** States replaced by a snapshot of another node. */
  readonly installs: number;
  /** Nodes that ended themselves, by their reason. */
  readonly ends: ReadonlyMap<string, number>;
  /** What the clients asked and were told: for the judge. */
  readonly history: History;
}

export function runSeed(
  seed: number,
  core: WebAssembly.Module,
  onTrace: (line: string) => void = () => undefined,
): Promise<RunResult> {
  return runSwarm(focused(drawSwarm(seed)), core, onTrace);
}

/** As `runSeed`, of a swarm that was drawn and, perhaps, changed. */
export async function runSwarm(
  swarm: Swarm,
  core: WebAssembly.Module,
  onTrace: (line: string) => void = () => undefined,
): Promise<RunResult> {
  const tally = new Tally();
  const noted = (line: string): void => {
    tally.note(line);
    onTrace(line);
  };
  const world = new World({ ...swarm, core, onTrace: noted });
  // A promise that nobody waits for and that fails would end a real process without a word.
  const onUnhandled = (thrown: unknown): void => {
    world.failure ??= new Error("a rejection that nobody handles", { cause: thrown });
  };
  process.on("unhandledRejection", onUnhandled);
  try {
    return await runWorld(world, swarm, tally);
  } catch (thrown) {
    throw new Error(`seed ${swarm.seed} could not be run to its end`, { cause: thrown });
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
}

async function runWorld(world: World, swarm: Swarm, tally: Tally): Promise<RunResult> {
  world.trace(`swarm: ${JSON.stringify(swarm)}`);
  await world.found();
  const checkers = new Checkers(world);
  const history = new History(`seed ${swarm.seed}`);
  for (const { id } of world.places) world.start(id);
  const fate = new Fate(world, swarm);
  const stalls = new Stalls(world, fate, swarm);
  const workload = new Workload(world, swarm.load, history, {
    unanswered: (node, beganMs) => stalls.unanswered(node, beganMs),
    answered: () => stalls.answered(),
    done: () => fate.acknowledged(),
  });
  const broken = (): string | null =>
    (world.failure === null ? null : inspect(world.failure)) ??
    checkers.problem ??
    fate.problem ??
    stalls.problem ??
    workload.violation;
  await world.clock.runUntil(() => broken() !== null, swarm.faultsMs);
  const rested = broken() === null && (await comeToRest(world, fate, stalls, workload, broken));
  const problem =
    broken() ??
    (rested ? null : `the cluster did not come to rest: ${describe(world, workload)}`) ??
    (await checkers.atRest(world, workload));
  if (problem === null) lookAround(world, history);
  world.trace(`end: ${describe(world, workload)}`);
  world.trace(`verdict: ${problem ?? "all held"}`);
  for (const { clock, id } of world.places) if (clock !== null) world.crash(id, "kill");
  return {
    swarm,
    problem,
    traceDigest: world.traceDigest(),
    traceLines: world.traceLines,
    simulatedMs: world.clock.monotonicMs(),
    requests: workload.requests.length,
    acknowledged: workload.acknowledged,
    reads: workload.reads,
    crashes: fate.nodes.crashes,
    lost: fate.disks.lost.size,
    faults: fate.counts,
    leaderships: checkers.leaderships,
    stallLooks: stalls.looks,
    diskFailures: fate.disks.met.failed,
    diskHangs: fate.disks.met.held,
    installs: tally.installs,
    ends: tally.ends,
    history,
  };
}

/** Ends the faults and waits until nothing is left to be done; false if that takes for ever. */
async function comeToRest(
  world: World,
  fate: Fate,
  stalls: Stalls,
  workload: Workload,
  broken: () => string | null,
): Promise<boolean> {
  fate.end();
  stalls.end();
  workload.stop();
  const { swarm } = fate;
  const restMs = REST_TICKS * swarm.tickMs + 2 * swarm.load.patienceMs;
  const atRest = (): boolean => broken() !== null || (workload.isIdle && isAtRest(world, fate));
  if (!(await world.clock.runUntil(atRest, restMs))) return false;
  if (broken() !== null || !(await answersReads(world))) return false;
  return world.clock.runUntil(() => broken() !== null || isAtRest(world, fate), restMs);
}

/**
 * A leader that has just been elected may not yet know how far its log is committed. Once every node
 * serves a linearizable read, each has applied everything that was ever acknowledged.
 */
async function answersReads(world: World): Promise<boolean> {
  for (const { life } of world.alive) {
    const result = await world.settled(life.node.barrier());
    if (result.kind !== "ok") return false;
  }
  return true;
}

/** Somebody reads everything at the end: what is there of requests whose outcome nobody knew? */
function lookAround(world: World, history: History): void {
  const life = world.alive[0]?.life;
  if (life === undefined) return;
  for (const collection of ["printers", "filaments", "print_jobs"] as const) {
    const list = { kind: "list", collection } as const;
    history.call(LAST_CLIENT, list).return(look(life.node.farm, list));
  }
}

/** Every node that can be is up, knows the leader, has applied everything, and has every event. */
function isAtRest(world: World, fate: Fate): boolean {
  const statuses = world.alive.map(({ life }) => life.node.status());
  if (statuses.length < world.places.length - fate.disks.lost.size) return false;
  const first = statuses[0];
  if (first === undefined || first.leaderId === null) return false;
  const alike = statuses.every(
    (status) =>
      status.leaderId === first.leaderId &&
      status.commitIndex === first.commitIndex &&
      status.appliedIndex === first.commitIndex,
  );
  return alike && world.alive.every(({ life }) => life.node.eventGaps === 0);
}

function describe(world: World, workload: Workload): string {
  const nodes = world.places.map(({ id, life }) => {
    if (life === null) return `${id} is down`;
    const { appliedIndex, commitIndex, leaderId, role, term } = life.node.status();
    const gaps = life.node.eventGaps;
    return `${id} ${role} of ${leaderId} in term ${term} at ${appliedIndex}/${commitIndex}, ${gaps} gaps`;
  });
  return `${nodes.join("; ")}; clients ${workload.isIdle ? "idle" : "waiting"}`;
}
