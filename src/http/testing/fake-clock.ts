// Time for tests: it stands still until a test moves it.

import type { Clock, Timer } from "../../env/clock.ts";

interface Waiting {
  readonly atMs: number;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 1;
  readonly #waiting = new Set<Waiting>();
  /** How often other work was let go first. */
  deferred = 0;
  /** What happens in between; for tests of what goes on meanwhile. */
  onDefer: (() => void) | null = null;

  /** Timers that are set. */
  get timers(): number {
    return this.#waiting.size;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const waiting = { atMs: this.#nowMs + delayMs, run };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  defer(run: () => void): void {
    this.deferred += 1;
    this.onDefer?.();
    void Promise.resolve().then(run);
  }

  /** Lets time pass; the timers that fall due run in their order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const due = [...this.#waiting]
        .filter((waiting) => waiting.atMs <= untilMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#waiting.delete(due);
      this.#nowMs = due.atMs;
      due.run();
    }
    this.#nowMs = untilMs;
  }
}
