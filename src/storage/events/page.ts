// A page of events being put together.

import { type EventLine, eventType } from "./line.ts";

export interface PagedEvent {
  readonly index: number;
  readonly type: string;
  /** The line without its end. */
  readonly line: string;
}

export type EventPage =
  | {
      readonly kind: "page";
      readonly events: readonly PagedEvent[];
      /** The answer is complete up to this index. */
      readonly through: number;
    }
  /** That part is no longer kept; the oldest index that is. */
  | { readonly kind: "gone"; readonly oldest: number }
  /** That part is not here; another node may have it. */
  | { readonly kind: "missing" };

export class PageBuilder {
  readonly #events: PagedEvent[] = [];
  readonly #limit: number;
  readonly #charsMax: number;
  #chars = 0;
  #isFull = false;

  constructor(limit: number, charsMax: number) {
    this.#limit = limit;
    this.#charsMax = charsMax;
    this.#isFull = limit <= 0;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Of the last event taken; null if there is none. */
  get lastIndex(): number | null {
    return this.#events.at(-1)?.index ?? null;
  }

  /** Takes an event if there is room. A first event is taken however long it is. */
  add({ index, line }: EventLine): void {
    const fits = this.#events.length === 0 || this.#chars + line.length <= this.#charsMax;
    if (this.#isFull || !fits) {
      this.#isFull = true;
      return;
    }
    this.#events.push({ index, type: eventType(line), line });
    this.#chars += line.length;
    this.#isFull = this.#events.length >= this.#limit;
  }

  /** `through`: how far the page is complete, unless it is full. */
  finish(through: number): EventPage {
    const last = this.#events.at(-1);
    const complete = this.#isFull && last !== undefined ? last.index : through;
    return { kind: "page", events: this.#events, through: complete };
  }
}
