// The event log as the node's clients see it: what was applied, readable at once, with the parts that a
// snapshot jumped over fetched from a peer that has them.

import { toError } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { EventLog } from "../storage/events/event-log.ts";
import type { EventPage, EventSource } from "./api.ts";
import { eventLine } from "./event-line.ts";
import type { AppliedEvent } from "./steps.ts";

/** One page of events, in bytes; a single longer event is given all the same. */
const PAGE_BYTES_MAX = 1024 * 1024;
const FILL_RETRY_MS = 2000;

export interface EventServiceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly log: EventLog;
  /** Peers that could have what is missing here; asked in this order. */
  readonly peers: () => readonly NodeId[];
  readonly request: (from: NodeId, after: number, through: number) => AsyncIterable<Uint8Array>;
}

export class EventService implements EventSource {
  readonly #options: EventServiceOptions;
  readonly #wakes = new Set<() => void>();
  #filling = false;
  #stopped = false;
  #timer: Timer | null = null;

  constructor(options: EventServiceOptions) {
    this.#options = options;
  }

  get lastIndex(): number {
    return this.#options.log.through;
  }

  append(events: readonly AppliedEvent[], through: number): void {
    this.#options.log.append(events.map(eventLine), through);
    if (events.length > 0) for (const wake of this.#wakes) wake();
  }

  read(after: number, limit: number): Promise<EventPage> {
    return this.#options.log.read(after, limit, PAGE_BYTES_MAX);
  }

  subscribe(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => void this.#wakes.delete(wake);
  }

  /** For a peer whose snapshot jumped over a part; null if this node lacks some of it too. */
  serve(after: number, through: number): AsyncIterable<Uint8Array> | null {
    return this.#options.log.serve(after, through);
  }

  /** Fetches what is missing, until nothing is or the node stops. */
  fillGaps(): void {
    if (this.#filling || this.#stopped) return;
    this.#filling = true;
    void this.#fill().finally(() => {
      this.#filling = false;
      if (this.#stopped || this.#options.log.gaps().length === 0) return;
      this.#timer = this.#options.clock.after(FILL_RETRY_MS, () => this.fillGaps());
    });
  }

  async #fill(): Promise<void> {
    const { log, logger, peers, request } = this.#options;
    for (const gap of log.gaps()) {
      for (const peer of peers()) {
        if (this.#stopped) return;
        try {
          await log.fill(gap, request(peer, gap.from - 1, gap.to));
          logger.info("events completed from a peer", { peer, from: gap.from, to: gap.to });
          for (const wake of this.#wakes) wake();
          break;
        } catch (thrown) {
          // The peer may lack them too, or be away; another one is asked, and all of them again later.
          logger.debug("events could not be had from a peer", {
            peer,
            reason: toError(thrown).message,
          });
        }
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wakes.clear();
  }
}
