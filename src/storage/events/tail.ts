// The newest events, in memory: all that are not written yet, and as many more as there is room for, so
// that those who follow along need no disk.

import { must } from "../../base/assert.ts";
import { EVENT_TAIL_BYTES } from "../../base/limits.ts";
import type { EventLine } from "./line.ts";

export class Tail {
  #lines: EventLine[] = [];
  /** Every event above it is here. */
  #floor: number;
  #chars = 0;
  #charsMax: number;

  constructor(floor: number, charsMax = EVENT_TAIL_BYTES) {
    this.#floor = floor;
    this.#charsMax = charsMax;
  }

  get floor(): number {
    return this.#floor;
  }

  add(lines: readonly EventLine[]): void {
    for (const line of lines) {
      this.#lines.push(line);
      this.#chars += line.line.length;
    }
  }

  /** Lets go of old events, of those that have been written only. */
  trim(writtenThrough: number): void {
    let count = 0;
    while (this.#chars > this.#charsMax && count < this.#lines.length) {
      const { index, line } = must(this.#lines[count], "line");
      if (index > writtenThrough) break;
      this.#chars -= line.length;
      this.#floor = index;
      count += 1;
    }
    if (count > 0) this.#lines = this.#lines.slice(count);
  }

  /** Forgets everything; the next event is above `floor`. */
  restart(floor: number): void {
    this.#lines = [];
    this.#chars = 0;
    this.#floor = floor;
  }

  /** The events from `index` on, which must be above the floor. */
  *from(index: number): Generator<EventLine> {
    let [low, high] = [0, this.#lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (must(this.#lines[middle], "line").index < index) low = middle + 1;
      else high = middle;
    }
    // By place in the array as it was: a page is put together in one go, nothing is trimmed meanwhile.
    for (let at = low; at < this.#lines.length; at++) yield must(this.#lines[at], "line");
  }
}
