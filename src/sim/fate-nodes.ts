// What befalls processes and their clocks: they are killed, lose power at the worst moment, stand still,
// or live in another time.

import type { NodeId } from "../base/brand.ts";
import type { SimRandom } from "./sim-random.ts";
import type { Swarm } from "./swarm.ts";
import type { World } from "./world.ts";

const PAUSE_MS_MAX = 10_000;
const CLOCK_SHIFT_MS_MAX = 7_200_000;
const RATES = [0.5, 0.9, 0.999, 1, 1.001, 1.1, 2];
/** Operations of the disk until a doomed node dies. */
const DOOM_OPERATIONS_MAX = 40;

export class NodeFate {
  readonly #world: World;
  readonly #swarm: Swarm;
  readonly #random: SimRandom;
  /** When something was last done to a node's process or clock; null: it is still in force. */
  readonly #disturbed = new Map<NodeId, number | null>();
  #ended = false;
  crashes = 0;

  constructor(world: World, swarm: Swarm, random: SimRandom) {
    this.#world = world;
    this.#swarm = swarm;
    this.#random = random;
  }

  /** Processes, those included that are being opened. */
  #running(): readonly NodeId[] {
    return this.#world.places.filter((place) => place.clock !== null).map((place) => place.id);
  }

  #pick(): NodeId | null {
    const running = this.#running();
    return running.length === 0 ? null : this.#random.pick(running);
  }

  crash(how: "kill" | "power"): boolean {
    const first = this.#pick();
    if (first === null) return false;
    const all = this.#random.chance(this.#swarm.allAtOnce);
    for (const id of all ? this.#running() : [first]) this.#crash(id, how);
    return true;
  }

  powerCut(): void {
    for (const id of this.#running()) this.#crash(id, "power");
  }

  #crash(id: NodeId, how: "kill" | "power"): void {
    if (this.#world.place(id).clock === null) return;
    this.crashes += 1;
    this.#world.crash(id, how);
    this.restartLater(id);
  }

  /** The node dies in the middle of an operation of its disk: one that is soon to come. */
  doom(): boolean {
    const id = this.#pick();
    if (id === null) return false;
    const { clock, disk } = this.#world.place(id);
    const operations = this.#random.between(1, DOOM_OPERATIONS_MAX);
    const how = this.#random.chance(0.5) ? "kill" : "power";
    this.#world.trace(`fate: node ${id} will die (${how}) at its disk operation ${operations}`);
    disk.stopAt(disk.operations + operations);
    void disk.stopped.then(() => {
      const place = this.#world.place(id);
      if (place.disk === disk && place.clock === clock) this.#crash(id, how);
    });
    return true;
  }

  /** Something has just happened at this node: an election, a snapshot, a refusal, a start. */
  onLine(id: NodeId): void {
    if (this.#ended || !this.#random.chance(this.#swarm.powerOnLine)) return;
    const { clock } = this.#world.place(id);
    // Not in the middle of its code, which a real crash could not tell from before or after it.
    queueMicrotask(() => {
      if (this.#world.place(id).clock !== clock || clock === null) return;
      this.#world.trace(`fate: the power of node ${id} fails at this line`);
      this.#crash(id, "power");
    });
  }

  pause(): boolean {
    const id = this.#pick();
    if (id === null) return false;
    const { clock } = this.#world.place(id);
    if (clock === null || clock.isFrozen) return false;
    this.#world.freeze(id);
    this.#disturbed.set(id, null);
    this.#world.clock.after(this.#random.unit() * PAUSE_MS_MAX, () => {
      if (this.#world.place(id).clock === clock && clock.isFrozen) this.#thaw(id);
    });
    return true;
  }

  shiftWall(): boolean {
    const id = this.#pick();
    if (id === null) return false;
    const byMs = this.#random.between(-CLOCK_SHIFT_MS_MAX, CLOCK_SHIFT_MS_MAX);
    this.#world.trace(`fate: the wall clock of node ${id} jumps by ${byMs} ms`);
    this.#world.place(id).clock?.shiftWall(byMs);
    return true;
  }

  drift(): boolean {
    const id = this.#pick();
    if (id === null) return false;
    const rate = this.#random.pick(RATES);
    this.#world.trace(`fate: the clock of node ${id} runs at ${rate}`);
    this.#drift(id, rate);
    return true;
  }

  #drift(id: NodeId, rate: number): void {
    this.#world.place(id).clock?.drift(rate);
    this.#note(id);
  }

  #thaw(id: NodeId): void {
    this.#world.thaw(id);
    this.#note(id);
  }

  #note(id: NodeId): void {
    this.#disturbed.set(id, this.isWell(id) ? this.#world.clock.monotonicMs() : null);
  }

  /** Since when a node's process has been well, as far as fate knows; null: it is not. */
  undisturbedSince(id: NodeId): number | null {
    if (!this.isWell(id)) return null;
    return this.#disturbed.get(id) ?? 0;
  }

  /** A lull: nobody stands still, and all clocks run as they should. */
  mend(): void {
    for (const { id, clock } of this.#world.places) {
      if (clock === null) continue;
      if (clock.isFrozen) this.#thaw(id);
      if (clock.rate !== 1) this.#drift(id, 1);
    }
  }

  /** Somebody stops a process and starts it again. */
  bounce(id: NodeId): void {
    this.#crash(id, "kill");
  }

  /** Up, awake, and with a clock that keeps time: nothing about the process explains a stall. */
  isWell(id: NodeId): boolean {
    const { clock, life } = this.#world.place(id);
    return life !== null && clock !== null && !clock.isFrozen && Math.abs(clock.rate - 1) < 0.2;
  }

  restartLater(id: NodeId): void {
    const delay = this.#random.unit() * (this.#ended ? 1000 : this.#swarm.restartMsMax);
    this.#world.clock.after(delay, () => this.#restart(id));
  }

  #restart(id: NodeId): void {
    if (this.#world.place(id).clock === null) this.#world.start(id);
  }

  end(canStart: (id: NodeId) => boolean): void {
    this.#ended = true;
    this.mend();
    for (const { id, disk } of this.#world.places) {
      disk.stopAt(Number.POSITIVE_INFINITY);
      if (canStart(id)) this.#restart(id);
    }
  }
}
