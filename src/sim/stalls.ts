// A cluster may stand still while faults keep it from working, and only then. Whenever a majority of the
// nodes has been up, awake, with working disks, and within each other's reach for long enough, there must
// be a leader, and requests must be answered.

import { must } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { Fate } from "./fate.ts";
import type { Swarm } from "./swarm.ts";
import type { World } from "./world.ts";

/** Enough for many elections, also where three messages in ten are lost. */
const PATIENCE_TICKS = 1500;
/**
 * Enough in fair weather: for a leader whose disk hangs and who notices only after 210 ticks
 * (src/node/replica.ts), and some elections after it.
 */
const FAIR_PATIENCE_TICKS = 300;
const LOOK_TICKS = 10;
/** So many in a row, the first of them long ago. */
const UNANSWERED_MAX = 3;

export class Stalls {
  readonly #world: World;
  readonly #fate: Fate;
  readonly #tickMs: number;
  /** Every majority, and since when nothing has been wrong with it; null: something is. */
  readonly #majorities: { readonly nodes: readonly NodeId[]; sinceMs: number | null }[];
  /** By node: when those requests began that it left without an answer, since the last answer of any node. */
  readonly #unanswered = new Map<NodeId, readonly number[]>();
  #leaderSeenMs = 0;
  #isOver = false;
  problem: string | null = null;
  /** How often a majority was well for long enough to be judged. */
  looks = 0;

  constructor(world: World, fate: Fate, swarm: Swarm) {
    this.#world = world;
    this.#fate = fate;
    this.#tickMs = swarm.tickMs;
    const ids = world.places.map((place) => place.id);
    this.#majorities = subsets(ids)
      .filter((nodes) => nodes.length === Math.floor(ids.length / 2) + 1)
      .map((nodes) => ({ nodes, sinceMs: null }));
    const look = (): void => {
      if (this.#isOver) return;
      this.#look();
      world.clock.after(LOOK_TICKS * swarm.tickMs, look);
    };
    look();
    // What happens between two looks counts, too.
    world.watch((event) => {
      if (event.kind === "start" || event.kind === "fatal") this.#broken(event.node);
    });
  }

  /** A client waited in vain, or was told that the cluster is not available. */
  unanswered(node: NodeId, beganMs: number): void {
    this.#unanswered.set(node, [...(this.#unanswered.get(node) ?? []), beganMs]);
  }

  /** A rule was applied or a read served: the cluster works. */
  answered(): void {
    this.#unanswered.clear();
  }

  end(): void {
    this.#isOver = true;
  }

  #broken(node: NodeId): void {
    for (const one of this.#majorities) if (one.nodes.includes(node)) one.sinceMs = null;
  }

  #look(): void {
    const nowMs = this.#world.clock.monotonicMs();
    if (this.#world.alive.some(({ life }) => life.node.status().role === "leader")) {
      this.#leaderSeenMs = nowMs;
    }
    for (const majority of this.#majorities) {
      if (!this.#isWell(majority.nodes)) {
        majority.sinceMs = null;
        continue;
      }
      majority.sinceMs ??= nowMs;
      this.#judge(majority.nodes, majority.sinceMs, PATIENCE_TICKS * this.#tickMs);
      const { fairSinceMs } = this.#fate.links;
      if (fairSinceMs === null) continue;
      const sinceMs = Math.max(majority.sinceMs, fairSinceMs);
      this.#judge(majority.nodes, sinceMs, FAIR_PATIENCE_TICKS * this.#tickMs);
    }
  }

  /** Nothing has been wrong with these nodes since then: what are they waiting for? */
  #judge(nodes: readonly NodeId[], sinceMs: number, patienceMs: number): void {
    const patient = this.#world.clock.monotonicMs() - patienceMs;
    if (sinceMs > patient) return;
    this.looks += 1;
    const who = nodes.join(",");
    if (this.#leaderSeenMs <= patient) {
      this.problem ??= `no leader, although nothing has been wrong with nodes ${who} for long`;
    }
    // Only what was asked when they had been well for long enough.
    const late = nodes
      .flatMap((node) => this.#unanswered.get(node) ?? [])
      .filter((beganMs) => beganMs >= sinceMs + patienceMs);
    // A burst of requests may well meet one election that the weather draws out.
    if (late.length >= UNANSWERED_MAX && Math.min(...late) <= patient) {
      this.problem ??= `no answers, although nothing has been wrong with nodes ${who} for long`;
    }
  }

  #isWell(nodes: readonly NodeId[]): boolean {
    const { disks, links, nodes: processes } = this.#fate;
    return nodes.every(
      (node, at) =>
        processes.isWell(node) &&
        disks.isWell(node) &&
        nodes.slice(at + 1).every((other) => links.areLinked(node, other)),
    );
  }
}

function subsets<T>(of: readonly T[]): readonly (readonly T[])[] {
  if (of.length === 0) return [[]];
  const first = must(of[0], "first");
  const rest = subsets(of.slice(1));
  return [...rest, ...rest.map((one) => [first, ...one])];
}
