// The event log, in pages and live.
//
// A page is what one read of the log gives: at most `limit` events and about a megabyte, so it may
// hold fewer events than asked for although there are more; the Link header says so. The live
// stream reads the same log in the same order, from the place the client names, and waits where it
// ends: there is no second source of events that could be ahead of it or miss one, which is why a
// client that resumes meets neither a gap nor a repeat.

import { EVENTS_PAGE_DEFAULT, STREAM_EVENTS_MAX, STREAM_HEARTBEAT_MS } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import type { EventPage, EventSource } from "../node/api.ts";
import type { Exchange } from "./exchange.ts";
import { JSON_MEDIA_TYPE } from "./exchange.ts";
import type { Outlet } from "./outlet.ts";
import { fieldProblem, type Problem } from "./problems.ts";

export const NDJSON_MEDIA_TYPE = "application/x-ndjson";
export const SSE_MEDIA_TYPE = "text/event-stream";

type Page = EventPage & { kind: "page" };

/** What a page that cannot be had is answered with. */
function pageProblem(page: Exclude<EventPage, Page>, after: number): Problem {
  if (page.kind === "gone") {
    return {
      code: "events_gone",
      detail: `The events after ${after} are no longer kept; the oldest kept is at index ${page.oldest}. Read the objects anew and follow the events from that answer's Raft3D-Index.`,
      members: { oldest_index: page.oldest },
    };
  }
  return {
    code: "events_missing",
    detail: `This node caught up by a snapshot and is still fetching the events after ${after} from another node. Try again shortly, or ask another node.`,
  };
}

/** A position behind the end of the log is one of another cluster: nothing would ever follow it. */
function aheadProblem(field: string, after: number, appliedIndex: number): Problem {
  const code = field === "after" ? "invalid_query" : "invalid_header";
  const message = `is ${after}, and the log ends at ${appliedIndex}: it is a position in the log of another cluster, or of one that was made anew. Begin at 0, or at the Raft3D-Index of an answer`;
  return fieldProblem(code, [{ field, message }]);
}

/** `isCurrent`: the node's state is known to hold everything that had been acknowledged. */
export async function sendPage(
  exchange: Exchange,
  after: number,
  isCurrent: boolean,
  limit = EVENTS_PAGE_DEFAULT,
): Promise<void> {
  const { events, appliedIndex } = exchange.context.node;
  // What the log ends with when the read begins belongs to this answer, whatever is added
  // meanwhile.
  const { lastIndex } = events;
  if (isCurrent && after > appliedIndex) {
    exchange.problem(aheadProblem("after", after, appliedIndex));
    return;
  }
  exchange.describes(appliedIndex);
  const page = await events.read(after, limit);
  if (page.kind !== "page") {
    exchange.problem(pageProblem(page, after));
    return;
  }
  // Read as it is, this node's log may not have come to `after` yet: then the page is empty and the
  // client stays where it is.
  const through = Math.max(page.through, after);
  exchange.header("Raft3D-Events-Through", String(through));
  if (through < lastIndex) exchange.header("Link", nextLink(exchange, through));
  const lines = page.events.map((event) => event.line);
  exchange.header("Vary", "Accept");
  if (accepts(exchange, NDJSON_MEDIA_TYPE)) {
    exchange.send(200, NDJSON_MEDIA_TYPE, lines.map((line) => `${line}\n`).join(""));
  } else {
    exchange.send(200, JSON_MEDIA_TYPE, `[${lines.join(",")}]`);
  }
}

function accepts(exchange: Exchange, mediaType: string): boolean {
  const { accept = "" } = exchange.request.headers;
  return accept
    .split(",")
    .some((part) => part.split(";", 1)[0]?.trim().toLowerCase() === mediaType);
}

function nextLink(exchange: Exchange, through: number): string {
  const [path = "", search = ""] = exchange.request.url.split("?", 2);
  const query = new URLSearchParams(search);
  query.set("after", String(through));
  return `<${path}?${query.toString()}>; rel="next"`;
}

/**
 * Follows the log from `after`, which came in `field`, until the client or the server ends the stream.
 */
export async function sendLive(exchange: Exchange, after: number, field: string): Promise<void> {
  const { clock, node } = exchange.context;
  // This node may be behind the one at which the client was before. Only a node that is current can say
  // that a position lies past the end; without a quorum none is, and the stream waits.
  if (after > node.appliedIndex && (await node.barrier()).kind === "ok") {
    const { appliedIndex } = node;
    if (after > appliedIndex) {
      exchange.problem(aheadProblem(field, after, appliedIndex));
      return;
    }
  }
  // It listens before the first read: what is added while that is under way must not be slept
  // through.
  const follower = new Follower(node.events, clock);
  try {
    const first = await node.events.read(after, STREAM_EVENTS_MAX);
    if (first.kind !== "page") {
      exchange.problem(pageProblem(first, after));
      return;
    }
    exchange.header("Cache-Control", "no-store");
    // nginx would otherwise gather the events of minutes before it passes them on.
    exchange.header("X-Accel-Buffering", "no");
    const outlet = exchange.streamLive(SSE_MEDIA_TYPE);
    if (!exchange.isHead) await follower.run(outlet, first, after);
    outlet.end();
  } finally {
    follower.stop();
  }
}

/** Milliseconds after which a client that lost the stream connects again. */
const RETRY_MS = 1000;

/** One client of the live stream. Holds one page of events at most. */
class Follower {
  readonly #events: EventSource;
  readonly #clock: Clock;
  readonly #unsubscribe: () => void;
  /** Set by what happens while nobody waits. */
  #woken = false;
  #wake: (() => void) | null = null;

  constructor(events: EventSource, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    this.#unsubscribe = events.subscribe(() => this.#nudge());
  }

  stop(): void {
    this.#unsubscribe();
  }

  /**
   * Resolves when the client has gone, the server has ended the stream, or a part of the log is
   * gone.
   */
  async run(outlet: Outlet, first: Page, after: number): Promise<void> {
    outlet.onClose(() => this.#nudge());
    if (await outlet.write(`retry: ${RETRY_MS}\n\n`)) await this.#follow(outlet, first, after);
  }

  async #follow(outlet: Outlet, first: Page, after: number): Promise<void> {
    let at = after;
    let page: EventPage = first;
    // Each turn sends what was read, waits if that was all, and reads on.
    for (;;) {
      // The part that the client needs next was given up while it was slow: it connects again and
      // is told so by a 410.
      if (page.kind === "gone") return;
      const isBehind = page.kind === "page" && page.through > at;
      if (page.kind === "page") {
        if (page.events.length > 0 && !(await outlet.write(frames(page)))) return;
        at = Math.max(at, page.through);
      }
      if (!isBehind && !(await this.#more(outlet))) return;
      page = await this.#events.read(at, STREAM_EVENTS_MAX);
    }
  }

  /** Waits for more to read, with heartbeats; false if the stream has ended. */
  async #more(outlet: Outlet): Promise<boolean> {
    while (!this.#woken && !outlet.isClosed) {
      const isNudged = await new Promise<boolean>((resolve) => {
        const heartbeat = this.#clock.after(STREAM_HEARTBEAT_MS, () => resolve(false));
        this.#wake = () => {
          heartbeat.cancel();
          resolve(true);
        };
      });
      this.#wake = null;
      if (!isNudged && !(await outlet.write(": still here\n\n"))) return false;
    }
    this.#woken = false;
    return !outlet.isClosed;
  }

  #nudge(): void {
    this.#woken = true;
    this.#wake?.();
  }
}

function frames(page: Page): string {
  // A line of JSON holds no line break, so one data field holds it whole.
  return page.events
    .map(({ index, type, line }) => `id: ${index}\nevent: ${type}\ndata: ${line}\n\n`)
    .join("");
}
