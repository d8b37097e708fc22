/** Time, from outside. Nothing but an implementation of this reads a clock or sets a timer. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. For every duration and timeout. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC. May jump either way; only for stamps that people read. */
  wallMs(): number;
  /** Runs `run` once, `delayMs` from now or later. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` after the inputs that are waiting in this turn of the event loop have been taken. */
  defer(run: () => void): void;
}

export interface Timer {
  cancel(): void;
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((done) => void clock.after(delayMs, done));
}
