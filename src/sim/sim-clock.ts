// The simulated world's time. It owns the queue of everything that will happen, ordered by time
// and, at one time, by the order of scheduling, so that a run depends on nothing but its seed. Time
// passes only when somebody runs the queue; an event that runs sees the time it was due.
//
// Code with promises goes on in microtasks. `advance` and `runUntil` therefore let every microtask
// finish after each event (one turn of the real event loop), so that what an event set in motion is
// done before the next one. `step` does not: it is for worlds without promises.

import { setImmediate } from "node:timers";
import { assert, must, toError } from "../base/assert.ts";
import type { Clock, Timer } from "../env/clock.ts";

interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  /** Null once it ran or was cancelled. */
  run: (() => void) | null;
}

/** 2026-01-01T00:00:00Z. */
const WALL_START_MS = 1_767_225_600_000;

/**
 * The least time that a wait takes, as with real timers. A wait that is lost in the rounding of a sum
 * would let whoever waits for the rest of a time wait for ever, at one moment (seed 142).
 */
const RESOLUTION_MS = 0.001;

/** More events at one moment than any run has; a loop without time in it must end as a failure. */
const EVENTS_AT_ONCE_MAX = 1_000_000;

/** Cancelled entries stay in the heap until they are due; past this many they are swept out. */
const CANCELLED_MAX = 1024;

export class SimClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #sequence = 0;
  #atThisMoment = 0; // events run since time last moved
  /** A binary heap: the entry at i is due no later than those at 2i + 1 and 2i + 2. */
  #heap: Scheduled[] = [];
  #pending = 0;

  constructor(wallStartMs = WALL_START_MS) {
    this.#wallOffsetMs = wallStartMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#nowMs) + this.#wallOffsetMs;
  }

  /** Makes the wall clock jump, as an operator or NTP may. */
  shiftWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  after(delayMs: number, run: () => void): Timer {
    assert(Number.isFinite(delayMs), () => `bad delay ${delayMs}`);
    const entry: Scheduled = {
      atMs: this.#nowMs + (delayMs > 0 ? Math.max(delayMs, RESOLUTION_MS) : 0),
      sequence: this.#sequence++,
      run,
    };
    this.#push(entry);
    this.#pending += 1;
    return { cancel: () => this.#cancel(entry) };
  }

  /** What was scheduled earlier for this moment counts as the inputs that are waiting. */
  defer(run: () => void): void {
    this.after(0, run);
  }

  /** How many events are still to come. */
  get pending(): number {
    return this.#pending;
  }

  /** When the next event is due; null if there is none. */
  get nextMs(): number | null {
    for (let next = this.#heap[0]; next !== undefined; next = this.#heap[0]) {
      if (next.run !== null) return next.atMs;
      this.#pop();
    }
    return null;
  }

  /** Runs the next event, at its time. False if there is none. */
  step(): boolean {
    const atMs = this.nextMs;
    if (atMs === null) return false;
    const next = this.#pop();
    const run = must(next.run, "event");
    next.run = null;
    this.#pending -= 1;
    assert(atMs >= this.#nowMs, "time goes forward");
    this.#atThisMoment = atMs === this.#nowMs ? this.#atThisMoment + 1 : 0;
    assert(this.#atThisMoment < EVENTS_AT_ONCE_MAX, () => `time stands still at ${atMs} ms`);
    this.#nowMs = atMs;
    run();
    return true;
  }

  /** Lets `byMs` pass, with everything that is due in it. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    await turns(() => {
      const atMs = this.nextMs;
      return atMs !== null && atMs <= endMs && this.step();
    });
    this.#nowMs = endMs;
  }

  /** Lets time pass until `holds`, at most `withinMs`; true if it came to hold. */
  async runUntil(holds: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = this.#nowMs + withinMs;
    let held = false;
    await turns(() => {
      held = holds();
      const atMs = this.nextMs;
      return !held && atMs !== null && atMs <= endMs && this.step();
    });
    if (!held) this.#nowMs = endMs;
    return held;
  }

  #cancel(entry: Scheduled): void {
    if (entry.run === null) return;
    entry.run = null;
    this.#pending -= 1;
    // A world that sets and cancels timeouts all day must not grow.
    if (this.#heap.length > 2 * this.#pending + CANCELLED_MAX) this.#sweep();
  }

  #sweep(): void {
    const live = this.#heap.filter((entry) => entry.run !== null);
    this.#heap = [];
    for (const entry of live) this.#push(entry);
  }

  #push(entry: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = must(heap[parentAt], "parent");
      if (isBefore(parent, entry)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = entry;
  }

  #pop(): Scheduled {
    const heap = this.#heap;
    const top = must(heap[0], "top");
    const last = must(heap.pop(), "last");
    if (heap.length > 0) this.#sink(last);
    return top;
  }

  /** Puts `entry` at the top and lets it down to its place. */
  #sink(entry: Scheduled): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const leftAt = 2 * at + 1;
      const left = heap[leftAt];
      if (left === undefined) break;
      const right = heap[leftAt + 1];
      const rightIsNext = right !== undefined && isBefore(right, left);
      const child = rightIsNext ? right : left;
      if (isBefore(entry, child)) break;
      heap[at] = child;
      at = rightIsNext ? leftAt + 1 : leftAt;
    }
    heap[at] = entry;
  }
}

/** Turns asked for at once: one round through the system's poll for many events. */
const TURNS_AT_ONCE = 64;

/** Calls `body` until it returns false, each time when every microtask of the time before has run. */
function turns(body: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const turn = (): void => {
      if (isOver) return;
      try {
        isOver = !body();
        if (isOver) resolve();
      } catch (thrown) {
        isOver = true;
        reject(toError(thrown));
      }
    };
    const round = (): void => {
      if (isOver) return;
      for (let n = 0; n < TURNS_AT_ONCE; n++) setImmediate(turn); // Node runs microtasks between two
      setImmediate(round);
    };
    round();
  });
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
