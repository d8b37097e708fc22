// What befalls the cluster: crashes and restarts, cut links, clocks set wrong, worse and better weather.
// It never waits for anything, so a cluster may well lose its majority; what it acknowledged before must
// still be there afterwards.

import type { NodeId } from "../base/brand.ts";
import { PERFECT_LINKS } from "./packet-network.ts";
import type { SimRandom } from "./sim-random.ts";
import { type FateWeights, type Swarm, drawLinks } from "./swarm.ts";
import type { World } from "./world.ts";

const RESTART_MS_MAX = 8000;
const CLOCK_SHIFT_MS_MAX = 7_200_000;

export class Fate {
  readonly #world: World;
  readonly #swarm: Swarm;
  readonly #random: SimRandom;
  #ended = false;
  crashes = 0;
  partitions = 0;

  constructor(world: World, swarm: Swarm) {
    this.#world = world;
    this.#swarm = swarm;
    this.#random = world.random.fork();
    world.wire.weather(swarm.links);
    world.watch((event) => {
      // A node that ended itself is started again by whoever supervises it.
      if (event.kind === "fatal") this.#restartLater(event.node);
    });
    this.#schedule();
  }

  #schedule(): void {
    const delay = this.#random.unit() * 2 * this.#swarm.fateMs;
    this.#world.clock.after(delay, () => {
      if (this.#ended) return;
      this.#act();
      this.#schedule();
    });
  }

  #act(): void {
    switch (this.#drawKind()) {
      case "kill":
      case "power": {
        const running = this.#world.places.filter(
          (place) => place.life !== null || this.#world.isStarting(place.id),
        );
        if (running.length === 0) return;
        return this.#crash(this.#random.pick(running).id);
      }
      case "partition":
        return this.#partition();
      case "heal":
        this.#world.trace("fate: links heal");
        return this.#world.wire.healAll();
      case "clock": {
        const { alive } = this.#world;
        if (alive.length === 0) return;
        const { place, life } = this.#random.pick(alive);
        const byMs = this.#random.between(-CLOCK_SHIFT_MS_MAX, CLOCK_SHIFT_MS_MAX);
        this.#world.trace(`fate: the wall clock of node ${place.id} jumps by ${byMs} ms`);
        return life.clock.shiftWall(byMs);
      }
      case "weather": {
        const links = drawLinks(this.#random, false);
        this.#world.trace(`fate: weather ${JSON.stringify(links)}`);
        return this.#world.wire.weather(links);
      }
    }
  }

  #drawKind(): keyof FateWeights {
    const { weights } = this.#swarm;
    const kinds = Object.entries(weights) as [keyof FateWeights, number][]; // its own keys
    const total = kinds.reduce((sum, [, weight]) => sum + weight, 0);
    let at = this.#random.unit() * total;
    for (const [kind, weight] of kinds) {
      at -= weight;
      if (at < 0) return kind;
    }
    return "heal";
  }

  #crash(first: NodeId): void {
    const { places } = this.#world;
    const how = this.#random.chance(0.5) ? "power" : "kill";
    const all = this.#random.chance(this.#swarm.allAtOnce);
    for (const { id } of all ? places : [this.#world.place(first)]) this.#crashOne(id, how);
  }

  #crashOne(id: NodeId, how: "kill" | "power"): void {
    if (this.#world.place(id).life === null && !this.#world.isStarting(id)) return;
    this.crashes += 1;
    this.#world.crash(id, how);
    this.#restartLater(id);
  }

  /**
   * A client has just been told that something is done. The worst moment for the power to fail: whatever
   * was acknowledged before it was on a majority of disks is lost now.
   */
  acknowledged(): void {
    if (this.#ended || !this.#random.chance(this.#swarm.powerOnAcknowledge)) return;
    this.#world.trace("fate: the power fails everywhere");
    for (const { id } of this.#world.places) this.#crashOne(id, "power");
  }

  #restartLater(id: NodeId): void {
    this.#world.clock.after(this.#random.unit() * RESTART_MS_MAX, () => this.#restart(id));
  }

  #restart(id: NodeId): void {
    const { life } = this.#world.place(id);
    if (life === null && !this.#world.isStarting(id)) this.#world.start(id);
  }

  #partition(): void {
    const ids = this.#world.places.map((place) => place.id);
    if (ids.length < 2) return;
    this.partitions += 1;
    const shuffled = this.#random.shuffled(ids);
    const side = new Set(shuffled.slice(0, this.#random.between(1, ids.length - 1)));
    const oneWay = this.#random.chance(0.3);
    this.#world.trace(`fate: ${[...side].join(",")} cut off${oneWay ? " one way" : ""}`);
    for (const from of ids) {
      for (const to of ids) {
        if (from === to || side.has(from) === side.has(to)) continue;
        if (!oneWay || side.has(from)) this.#world.wire.cut(from, to);
      }
    }
  }

  /** The faults are over: links are whole and every node is started. */
  end(): void {
    this.#ended = true;
    this.#world.trace("fate: the faults are over");
    this.#world.wire.healAll();
    this.#world.wire.weather(PERFECT_LINKS);
    for (const { id } of this.#world.places) this.#restart(id);
  }
}
