// What befalls the cluster: an act every now and then, drawn by the swarm's weights. Fate never waits for
// anything, so a cluster may well lose its majority; what it acknowledged before must still be there
// afterwards. The acts themselves stand in fate-nodes.ts, fate-links.ts and fate-disks.ts, which also
// know what of them is still in force: a node that ends itself, or a cluster that stalls, must be
// explained by one of these.

import type { NodeId } from "../base/brand.ts";
import type { FatalError } from "../node/fatal.ts";
import { DiskFate } from "./fate-disks.ts";
import { LinkFate } from "./fate-links.ts";
import { NodeFate } from "./fate-nodes.ts";
import type { SimRandom } from "./sim-random.ts";
import { FATE_KINDS, type FateKind, type Swarm } from "./swarm.ts";
import type { World } from "./world.ts";

export class Fate {
  readonly nodes: NodeFate;
  readonly links: LinkFate;
  readonly disks: DiskFate;
  readonly #world: World;
  readonly swarm: Swarm;
  readonly #random: SimRandom;
  readonly #acts: Readonly<Record<FateKind, () => boolean>>;
  readonly #counts = new Map<FateKind, number>();
  #ended = false;
  /** A node that ended itself without a fault that explains it. */
  #unexplained: string | null = null;

  constructor(world: World, swarm: Swarm) {
    this.#world = world;
    this.swarm = swarm;
    this.#random = world.random.fork();
    const nodes = new NodeFate(world, swarm, this.#random.fork());
    const links = new LinkFate(world, swarm, this.#random.fork());
    const disks = new DiskFate(
      world,
      swarm.tickMs,
      (id) => nodes.undisturbedSince(id),
      (id) => nodes.bounce(id),
      this.#random.fork(),
    );
    this.nodes = nodes;
    this.links = links;
    this.disks = disks;
    this.#acts = {
      kill: () => nodes.crash("kill"),
      power: () => nodes.crash("power"),
      doom: () => nodes.doom(),
      pause: () => nodes.pause(),
      "wall-clock": () => nodes.shiftWall(),
      drift: () => nodes.drift(),
      partition: () => links.partition(),
      clog: () => links.clog(),
      weather: () => links.weather(),
      heal: () => links.heal(),
      "disk-error": () => disks.error(),
      "disk-hang": () => disks.hang(),
      "disk-full": () => disks.fill(),
      rot: () => disks.rot(),
    };
    world.watch((event) => {
      if (event.kind === "fatal") this.#onFatal(event.node, event.error);
      if (event.kind === "line") nodes.onLine(event.node);
    });
    this.#schedule();
  }

  get problem(): string | null {
    return this.#unexplained ?? this.disks.problem;
  }

  /** How often each thing was done. */
  get counts(): ReadonlyMap<FateKind, number> {
    return this.#counts;
  }

  #schedule(): void {
    const delay = this.#random.unit() * 2 * this.swarm.fateMs + this.#lullMs();
    this.#world.clock.after(delay, () => {
      if (this.#ended) return;
      const kind = this.#drawKind();
      if (this.#acts[kind]()) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
      this.#schedule();
    });
  }

  /** A storm of faults is followed by a lull, in which the cluster may find itself again. */
  #lullMs(): number {
    const { lullMs, stormActs } = this.swarm;
    if (lullMs === 0 || !this.#random.chance(1 / stormActs)) return 0;
    if (this.#random.chance(0.7)) {
      this.links.mend();
      this.disks.mend();
      this.nodes.mend();
    }
    return this.#random.unit() * 2 * lullMs;
  }

  #drawKind(): FateKind {
    const { weights } = this.swarm;
    const total = FATE_KINDS.reduce((sum, kind) => sum + weights[kind], 0);
    let at = this.#random.unit() * total;
    for (const kind of FATE_KINDS) {
      at -= weights[kind];
      if (at < 0) return kind;
    }
    return "heal";
  }

  /** A node that ended itself is started again by whoever supervises it, unless its disk is spoilt. */
  #onFatal(node: NodeId, error: FatalError): void {
    const verdict = this.disks.explains(node, error);
    if (verdict === "unexplained") {
      this.#unexplained ??= `node ${node} ended itself: ${error.reason}: ${error.message}`;
    } else if (verdict === "again") this.nodes.restartLater(node);
  }

  /**
   * A client has just been told that something is done. The worst moment for the power to fail: whatever
   * was acknowledged before it was on a majority of disks is lost now.
   */
  acknowledged(): void {
    if (this.#ended || !this.#random.chance(this.swarm.powerOnAcknowledge)) return;
    this.#world.trace("fate: the power fails everywhere");
    this.nodes.powerCut();
  }

  /** The faults are over: links are whole, disks work, and every node is started that can be. */
  end(): void {
    this.#ended = true;
    this.#world.trace("fate: the faults are over");
    this.disks.mend();
    this.links.end();
    this.nodes.end((id) => !this.disks.isLost(id));
  }
}
