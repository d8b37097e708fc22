// What befalls the links between nodes: they are cut, both ways or one, clogged, slow, and lossy.

import type { NodeId } from "../base/brand.ts";
import { type LinkConditions, PERFECT_LINKS } from "./packet-network.ts";
import type { SimRandom } from "./sim-random.ts";
import { type Swarm, drawLinks } from "./swarm.ts";
import type { World } from "./world.ts";

const CLOG_MS_MAX = 5000;
/** What elections of ten ticks and more do not mind. */
const FAIR_LOSS_MAX = 0.02;
const FAIR_TICKS_MAX = 1.5;

export class LinkFate {
  readonly #world: World;
  readonly #random: SimRandom;
  /** Directed: "1>2". */
  readonly #cuts = new Set<string>();
  readonly #clogs = new Map<string, number>();
  readonly #swarm: Swarm;
  /** Since when messages get through as a rule, and within a fraction of an election; null: they do not. */
  fairSinceMs: number | null = null;
  partitions = 0;

  constructor(world: World, swarm: Swarm, random: SimRandom) {
    this.#world = world;
    this.#swarm = swarm;
    this.#random = random;
    this.#change(swarm.links);
  }

  #change(links: LinkConditions): void {
    this.#world.wire.weather(links);
    const isFair =
      links.loss <= FAIR_LOSS_MAX && links.delayMsMax <= FAIR_TICKS_MAX * this.#swarm.tickMs;
    if (!isFair) this.fairSinceMs = null;
    else this.fairSinceMs ??= this.#world.clock.monotonicMs();
  }

  /** Some nodes on one side, the others on the other; or one way; or a ring, each reaching the next. */
  partition(): boolean {
    const ids = this.#world.places.map((place) => place.id);
    if (ids.length < 2) return false;
    this.partitions += 1;
    const shape = this.#random.pick(["halves", "halves", "one way", "ring"] as const);
    const shuffled = this.#random.shuffled(ids);
    const side = new Set(shuffled.slice(0, this.#random.between(1, ids.length - 1)));
    this.#world.trace(`fate: partition, ${shape}: ${shuffled.join(",")}, ${side.size} aside`);
    for (const [at, from] of shuffled.entries()) {
      for (const [where, to] of shuffled.entries()) {
        if (from === to) continue;
        const apart = side.has(from) !== side.has(to);
        const isNext = (at + 1) % ids.length === where || (where + 1) % ids.length === at;
        const cut =
          shape === "ring" ? !isNext : shape === "halves" ? apart : apart && side.has(from);
        if (cut) this.#cut(from, to);
      }
    }
    return true;
  }

  #cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
    this.#world.wire.cut(from, to);
  }

  clog(): boolean {
    const ids = this.#world.places.map((place) => place.id);
    if (ids.length < 2) return false;
    const [from, to] = this.#random.shuffled(ids);
    if (from === undefined || to === undefined) return false;
    const ms = this.#random.unit() * CLOG_MS_MAX;
    this.#world.trace(`fate: nothing passes from ${from} to ${to} for ${ms.toFixed(0)} ms`);
    this.#clogs.set(`${from}>${to}`, this.#world.clock.monotonicMs() + ms);
    this.#world.wire.clog(from, to, ms);
    return true;
  }

  weather(): boolean {
    const links = drawLinks(this.#random, false);
    this.#world.trace(`fate: weather ${JSON.stringify(links)}`);
    this.#change(links);
    return true;
  }

  /** A lull: everybody hears everybody, in fair weather. */
  mend(): void {
    this.heal();
    this.#world.trace("fate: fair weather");
    this.#change(PERFECT_LINKS);
  }

  heal(): boolean {
    this.#world.trace("fate: links heal");
    this.#cuts.clear();
    this.#clogs.clear();
    this.#world.wire.healAll();
    return true;
  }

  /** Whether these two hear each other, apart from the weather. */
  areLinked(a: NodeId, b: NodeId): boolean {
    return this.#isOpen(a, b) && this.#isOpen(b, a);
  }

  #isOpen(from: NodeId, to: NodeId): boolean {
    const clogged = (this.#clogs.get(`${from}>${to}`) ?? 0) > this.#world.clock.monotonicMs();
    return !clogged && !this.#cuts.has(`${from}>${to}`);
  }

  end(): void {
    this.mend();
  }
}
