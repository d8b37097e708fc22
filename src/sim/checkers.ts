// What must hold in every run, checked while it goes on and when it has come to rest. A checker that finds
// something wrong says so in one sentence; it never repairs, retries or forgives.

import { must, toError } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { parseRfc3339 } from "../base/time.ts";
import { evolve } from "../fsm/evolve.ts";
import { Farm } from "../fsm/farm.ts";
import type { FarmEvent } from "../fsm/event.ts";
import type { Filament } from "../fsm/objects.ts";
import { isActive } from "../fsm/transitions.ts";
import { type Clock, sleep } from "../env/clock.ts";
import type { FarmNode, FarmReader } from "../node/api.ts";
import type { Ready } from "../raft/messages.ts";
import { LogMatching } from "./log-matching.ts";
import type { Workload } from "./workload.ts";
import type { World, WorldEvent } from "./world.ts";

/** What the checkers look at: of the world, of its nodes, and of what clients were told. */
export interface Watched {
  watch(watcher: (event: WorldEvent) => void): void;
}
export interface Rested extends Pick<World, "settled"> {
  readonly clock: Clock;
  readonly alive: readonly { readonly life: { readonly node: RestedNode } }[];
}
type RestedNode = Pick<FarmNode, "id" | "appliedIndex" | "farm"> & {
  readonly events: Pick<FarmNode["events"], "read">;
};
export type Told = Pick<Workload, "requests" | "violation" | "acknowledged" | "mayBeDeleted">;

export class Checkers {
  readonly #logs = new LogMatching();
  readonly #leaders = new Map<number, NodeId>();
  /** The hashes at each index, by the first node that stopped there. */
  readonly #states = new Map<number, { readonly node: NodeId; readonly hashes: string }>();
  #problem: string | null = null;

  constructor(world: Watched) {
    world.watch((event) => this.#watch(event));
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** Terms that somebody led. */
  get leaderships(): number {
    return this.#leaders.size;
  }

  /** Whether each of the checks above was told of what it watches: else that it found nothing means nothing. */
  get #sawAnything(): boolean {
    return this.leaderships > 0 && this.#states.size > 0 && this.#logs.entries > 0;
  }

  #watch(event: WorldEvent): void {
    switch (event.kind) {
      case "applied":
        return this.#equalStates(event.node, event.index, event.hashes);
      case "ready":
        this.#oneLeaderPerTerm(event.node, event.ready);
        return this.#found(this.#logs.ready(event.node, event.ready));
      case "opened":
        return this.#logs.opened(event.node, event.base);
      case "loaded":
        return this.#found(this.#logs.loaded(event.node, event.block));
      case "start":
      case "line":
      case "gone":
      case "fatal":
        return; // fate knows whether something explains it
    }
  }

  #found(problem: string | null): void {
    this.#problem ??= problem;
  }

  /** By what the core itself says it is whenever it hands out work: whoever leads has work at once. */
  #oneLeaderPerTerm(node: NodeId, { role, hardState }: Ready): void {
    if (role !== "leader") return;
    const { term } = hardState;
    const leader = this.#leaders.get(term);
    if (leader === undefined) this.#leaders.set(term, node);
    else if (leader !== node) this.#found(`nodes ${leader} and ${node} both led term ${term}`);
  }

  /** The chain is a hash over all that was applied, so equal chains mean equal logs up to there. */
  #equalStates(node: NodeId, index: number, hashes: string): void {
    const known = this.#states.get(index);
    if (known === undefined) this.#states.set(index, { node, hashes });
    else if (known.hashes !== hashes) {
      this.#found(`nodes ${known.node} and ${node} differ at index ${index}`);
    }
  }

  // --- At rest

  /** After the faults, with every node up that can be, and caught up: nothing lost, nothing doubled, all the same. */
  async atRest(world: Rested, workload: Told): Promise<string | null> {
    if (this.#problem !== null) return this.#problem;
    if (workload.violation !== null) return workload.violation;
    if (workload.acknowledged > 0 && !this.#sawAnything) return "the checks saw nothing of the run";
    const nodes = world.alive.map(({ life }) => life.node);
    const digests = new Set(nodes.map((node) => `${node.appliedIndex} ${node.farm.digest()}`));
    if (digests.size !== 1)
      return `nodes come to rest in different states: ${[...digests].join(" | ")}`;
    const { farm } = must(nodes[0], "node");
    const problem = checkRequests(farm, workload) ?? checkSpools(farm);
    if (problem !== null) return problem;
    for (const node of nodes) {
      const wrong = await world.settled(checkEvents(node, world.clock));
      if (wrong !== null) return `node ${node.id}: ${wrong}`;
    }
    return null;
  }
}

/** Each request happened as often as its client may believe: once, at most once, or never. */
function checkRequests(farm: FarmReader, workload: Told): string | null {
  const seen = new Map<string, number>();
  const count = (marker: string): void => void seen.set(marker, (seen.get(marker) ?? 0) + 1);
  for (const printer of farm.printers.values()) count(printer.company);
  for (const filament of farm.filaments.values()) count(filament.color);
  for (const job of farm.jobs.values()) count(job.filepath);
  for (const { command, marker, outcome, created } of workload.requests) {
    if (!command.kind.startsWith("create-")) continue;
    const times = seen.get(marker) ?? 0;
    if (times > 1) return `${marker} happened ${times} times`;
    const isDeleted = created !== null && workload.mayBeDeleted(command, created);
    if (outcome === "done" && times === 0 && !isDeleted)
      return `${marker} was acknowledged and is lost`;
    if (outcome === "unavailable" && times > 0)
      return `${marker} was "never proposed" and happened`;
    if (outcome === "refused" && times > 0) return `${marker} was refused and happened`;
  }
  return checkStatuses(farm, workload);
}

/** Weight is conserved: what is gone from a spool is what its finished jobs took. */
function checkSpools(farm: FarmReader): string | null {
  const used = new Map<Filament, number>();
  const reserved = new Map<Filament, number>();
  for (const job of farm.jobs.values()) {
    const spool = farm.filaments.get(String(job.filament_id));
    // Gone, or another one under the same id.
    if (spool === undefined || spool.created_index > job.created_index) continue;
    const sums = job.status === "Done" ? used : isActive(job.status) ? reserved : null;
    sums?.set(spool, (sums.get(spool) ?? 0) + job.print_weight_in_grams);
  }
  for (const spool of farm.filaments.values()) {
    const { remaining_weight_in_grams: remaining, total_weight_in_grams: total } = spool;
    const gone = used.get(spool) ?? 0;
    const promised = reserved.get(spool) ?? 0;
    if (remaining !== total - gone)
      return `spool ${spool.id} holds ${remaining} of ${total} − ${gone}`;
    if (spool.reserved_weight_in_grams !== promised) return `spool ${spool.id} reserves wrongly`;
    if (promised > remaining) return `spool ${spool.id} is promised ${promised} of ${remaining}`;
  }
  return null;
}

/** An acknowledged end of a job is final. */
function checkStatuses(farm: FarmReader, workload: Told): string | null {
  for (const { command, marker, outcome } of workload.requests) {
    if (command.kind !== "change-job-status" || outcome !== "done") continue;
    const status = farm.jobs.get(command.key)?.status;
    const isFinal = command.to === "Done" || command.to === "Canceled";
    if (isFinal && status !== command.to)
      return `${marker} made job ${command.key} ${command.to}, it is ${status}`;
    if (command.to === "Running" && status === "Queued") return `${marker} was undone`;
  }
  return null;
}

/** Seconds that a node may take to have damaged events replaced. */
const EVENTS_PATIENCE = 120;

interface EventLine {
  readonly index: number;
  readonly term: number;
  readonly time: string;
  readonly type: FarmEvent["type"];
  readonly data: unknown;
  readonly hash: string;
}

/**
 * The event log, folded from its beginning, is the state: at every event, and at the end. So what must hold
 * in every state is asked of every state that there has been.
 */
async function checkEvents(node: RestedNode, clock: Clock): Promise<string | null> {
  const farm = Farm.empty();
  let after = 0;
  let patience = EVENTS_PATIENCE;
  while (after < node.appliedIndex) {
    const page = await node.events.read(after, 500);
    // Rot that was found only now, by reading: a peer has them.
    if (page.kind === "missing" && patience-- > 0) {
      await sleep(clock, 1000);
      continue;
    }
    if (page.kind !== "page") return `its events after ${after} are ${page.kind}`;
    for (const { line } of page.events) {
      const { index, term, time, type, data, hash } = JSON.parse(line) as EventLine; // our own line
      if (index <= after) return `event ${index} comes after ${after}`;
      const event = { type, data } as FarmEvent; // as eventLine wrote it
      try {
        evolve(farm, { index, term, at: must(parseRfc3339(time), "the time of an event"), event });
      } catch (thrown) {
        return `event ${index} cannot follow those before it: ${toError(thrown).message}`;
      }
      if (farm.digest() !== hash) return `event ${index} does not lead to the state it names`;
      const wrong = checkSpools(farm);
      if (wrong !== null) return `after event ${index}: ${wrong}`;
      after = index;
    }
    if (page.events.length === 0) break;
  }
  if (farm.digest() !== node.farm.digest()) return "its events do not lead to its state";
  return null;
}
