// One run of the simulator: a seed in, a verdict out. Faults first, then peace, in which the cluster must
// come to rest; a run that does not is as much a failure as one that loses something.

import { Checkers } from "./checkers.ts";
import { Fate } from "./fate.ts";
import { type Swarm, drawSwarm } from "./swarm.ts";
import { Workload } from "./workload.ts";
import { World } from "./world.ts";

/** After the faults, in simulated time. */
const REST_MS = 120_000;

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
  readonly partitions: number;
  readonly leaderships: number;
}

export async function runSeed(
  seed: number,
  core: WebAssembly.Module,
  onTrace: (line: string) => void = () => undefined,
): Promise<RunResult> {
  const swarm = drawSwarm(seed);
  const world = new World({ ...swarm, core, onTrace });
  world.trace(`swarm: ${JSON.stringify(swarm)}`);
  await world.found();
  const checkers = new Checkers(world);
  for (const { id } of world.places) world.start(id);
  const fate = new Fate(world, swarm);
  const { clients, thinkMsMax } = swarm;
  const workload = new Workload(world, clients, thinkMsMax, () => fate.acknowledged());
  const broken = (): boolean =>
    checkers.problem !== null || world.failure !== null || workload.violation !== null;
  await world.clock.runUntil(broken, swarm.faultsMs);
  fate.end();
  workload.stop();
  const atRest = (): boolean => broken() || (workload.isIdle && isAtRest(world));
  const rested = (await world.clock.runUntil(atRest, REST_MS)) && (await answersReads(world));
  const problem =
    (world.failure === null ? null : (world.failure.stack ?? world.failure.message)) ??
    checkers.problem ??
    workload.violation ??
    (rested ? null : `the cluster did not come to rest: ${describe(world, workload)}`) ??
    (await checkers.atRest(world, workload));
  world.trace(`verdict: ${problem ?? "all held"}`);
  for (const { id, life } of world.places) if (life !== null) world.crash(id, "kill");
  return {
    swarm,
    problem,
    traceDigest: world.traceDigest(),
    traceLines: world.traceLines,
    simulatedMs: world.clock.monotonicMs(),
    requests: workload.requests.length,
    acknowledged: workload.acknowledged,
    reads: workload.reads,
    crashes: fate.crashes,
    partitions: fate.partitions,
    leaderships: checkers.leaderships,
  };
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
  return world.clock.runUntil(() => isAtRest(world), REST_MS);
}

/** Every node is up, knows the leader, has applied everything, and has every event. */
function isAtRest(world: World): boolean {
  const statuses = world.alive.map(({ life }) => life.node.status());
  if (statuses.length < world.places.length) return false;
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
