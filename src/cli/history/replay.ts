// Folds the history into the state it gives, one line at a time, and holds each line to the hash it
// carries: the farm's hash after its event, as the node had it that wrote the line. Pure.
//
// Stops at the first line that does not fit. What comes behind it would be compared with a state
// that is already known to be another.

import { AssertionError } from "../../base/assert.ts";
import { parseRfc3339 } from "../../base/time.ts";
import type { FarmEvent, RecordedEvent } from "../../fsm/event.ts";
import { evolve } from "../../fsm/evolve.ts";
import { Farm } from "../../fsm/farm.ts";
import { isObject, parseObject } from "../json.ts";

export interface Difference {
  /**
   * Log index of the event at which the history stops giving the state; 0 if the line names none.
   */
  readonly index: number;
  readonly what: string;
}

interface EventLine {
  readonly recorded: RecordedEvent;
  readonly hash: string;
}

export class Replay {
  readonly farm = Farm.empty();
  readonly #counts = new Map<string, number>();
  #index = 0;
  #events = 0;

  /** Log index of the last event folded; 0 before the first. */
  get index(): number {
    return this.#index;
  }

  get events(): number {
    return this.#events;
  }

  /** How many events of each type. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  get hash(): string {
    return this.farm.digest();
  }

  /** Null: the line fits. */
  push(text: string): Difference | null {
    const line = parseLine(text);
    if (line === null) {
      return { index: indexOf(text), what: "the line is not an event of this version" };
    }
    const { hash, recorded } = line;
    const { event, index } = recorded;
    if (index <= this.#index) return { index, what: `it stands behind event ${this.#index}` };
    try {
      evolve(this.farm, recorded);
    } catch (error) {
      // evolve asserts what an event relies on: that it does not hold is what is looked for here.
      if (!(error instanceof AssertionError || error instanceof TypeError)) throw error;
      return { index, what: `the event does not fit the state before it (${error.message})` };
    }
    this.#index = index;
    this.#events += 1;
    this.#counts.set(event.type, (this.#counts.get(event.type) ?? 0) + 1);
    if (this.hash === hash) return null;
    return { index, what: `the fold gives ${this.hash}, the event says ${hash}` };
  }
}

function parseLine(text: string): EventLine | null {
  const object = parseObject(text);
  if (object === null) return null;
  const { data, hash, index, term, time, type } = object;
  const at = typeof time === "string" ? parseRfc3339(time) : null;
  if (!isCount(index) || !isCount(term) || at === null) return null;
  if (typeof type !== "string" || !isObject(data) || typeof hash !== "string") return null;
  // What the type and the data are is for `evolve` to find out: it asserts what it relies on, and
  // the hash tells on what it does not.
  const event = { type, data } as unknown as FarmEvent;
  return { recorded: { index, term, at, event }, hash };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0; // a number, if that holds
}

function indexOf(text: string): number {
  const index = parseObject(text)?.["index"];
  return isCount(index) ? index : 0;
}
