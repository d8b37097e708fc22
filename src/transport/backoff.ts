// How long to wait before the next attempt to connect: exponential, with full jitter, so that nodes
// that lost each other at one moment do not come back at one moment.

import { RECONNECT_MAX_MS, RECONNECT_MIN_MS, RECONNECT_SETTLED_MS } from "../base/limits.ts";
import { below, type Random } from "../env/random.ts";

export class Backoff {
  readonly #random: Random;
  #ceilingMs = RECONNECT_MIN_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next wait: uniform up to a ceiling that doubles each time. */
  nextMs(): number {
    const waitMs = 1 + below(this.#random, this.#ceilingMs);
    this.#ceilingMs = Math.min(2 * this.#ceilingMs, RECONNECT_MAX_MS);
    return waitMs;
  }

  /**
   * A connection ended that was up for `upMs`. Only one that lasted counts as a success: a peer
   * that accepts and hangs up at once must be left in peace like one that does not answer.
   */
  ended(upMs: number): void {
    if (upMs >= RECONNECT_SETTLED_MS) this.#ceilingMs = RECONNECT_MIN_MS;
  }
}
