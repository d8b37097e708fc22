// One process's clock in the simulated world: its wall clock may be off, its idea of how fast time passes
// may be wrong, it may stand still for a while, and once the process is killed nothing that it scheduled
// happens any more.

import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { SimClock } from "./sim-clock.ts";

export class ProcessClock implements Clock {
  readonly #world: SimClock;
  readonly #timers = new Set<Timer>();
  /** What was due while the process stood still; null while it runs. */
  #overdue: (() => void)[] | null = null;
  #wallOffsetMs: number;
  #halted = false;
  #rate = 1;
  /** The moment, on both clocks, since which `rate` holds. */
  #since: { readonly worldMs: number; readonly ownMs: number };

  constructor(world: SimClock, wallOffsetMs = 0) {
    this.#world = world;
    this.#wallOffsetMs = wallOffsetMs;
    this.#since = { worldMs: world.monotonicMs(), ownMs: world.monotonicMs() };
  }

  monotonicMs(): number {
    const { worldMs, ownMs } = this.#since;
    return ownMs + (this.#world.monotonicMs() - worldMs) * this.#rate;
  }

  wallMs(): number {
    return this.#world.wallMs() + this.#wallOffsetMs;
  }

  shiftWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** From now on this clock runs `rate` times as fast as the world's; what is scheduled stays. */
  drift(rate: number): void {
    assert(rate > 0, () => `a clock that runs at ${rate}`);
    this.#since = { worldMs: this.#world.monotonicMs(), ownMs: this.monotonicMs() };
    this.#rate = rate;
  }

  get rate(): number {
    return this.#rate;
  }

  after(delayMs: number, run: () => void): Timer {
    // Code of a dead process may still be running in a microtask; what it schedules is lost.
    if (this.#halted) return { cancel: () => undefined };
    const fire = (): void => {
      if (this.#timers.delete(timer)) run();
    };
    const inner = this.#world.after(delayMs / this.#rate, () => this.whenRunning(fire));
    const timer: Timer = {
      cancel: () => {
        inner.cancel();
        this.#timers.delete(timer);
      },
    };
    this.#timers.add(timer);
    return timer;
  }

  defer(run: () => void): void {
    this.after(0, run);
  }

  /** Runs `run` now; once the process goes on, if it stands still; never, if it is dead. */
  whenRunning(run: () => void): void {
    if (this.#halted) return;
    if (this.#overdue === null) run();
    else this.#overdue.push(run);
  }

  /** How many of this process's events are still to come. */
  get pending(): number {
    return this.#timers.size;
  }

  get isFrozen(): boolean {
    return this.#overdue !== null;
  }

  /** The process stands still (SIGSTOP, a paused virtual machine); time passes without it. */
  freeze(): void {
    this.#overdue ??= [];
  }

  /** It goes on: what was due meanwhile happens now, late, in the order in which it was due. */
  thaw(): void {
    const overdue = this.#overdue ?? [];
    this.#overdue = null;
    for (const run of overdue) this.#world.after(0, () => this.whenRunning(run));
  }

  get isHalted(): boolean {
    return this.#halted;
  }

  /** The process is killed. */
  halt(): void {
    this.#halted = true;
    this.#overdue = null;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
