// Whether a write of the log hangs. The replica watches the appends it waits for; the log also writes what
// nobody waits for, where a snapshot is, and that can hang as well (soak, seed 400488).
//
// Counted in ticks at which the same write is found under way, not in time: a process that was stopped for an
// hour and continued has not seen its disk hang.

export class LogWatch {
  readonly #stallTicks: number;
  #write: { readonly sinceMs: number; ticks: number } | null = null;

  /** A write that takes longer than this many ticks means that the disk hangs. */
  constructor(stallTicks: number) {
    this.#stallTicks = stallTicks;
  }

  /** One tick, and since when a write is under way; true once for each that hangs. */
  tick(writingSinceMs: number | null): boolean {
    if (writingSinceMs === null) {
      this.#write = null;
      return false;
    }
    if (this.#write?.sinceMs !== writingSinceMs) {
      this.#write = { sinceMs: writingSinceMs, ticks: 0 };
      return false;
    }
    this.#write.ticks += 1;
    return this.#write.ticks === this.#stallTicks;
  }
}
