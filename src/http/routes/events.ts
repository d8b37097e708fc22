// /api/v1/events: the event log in pages, and live.

import { Type } from "typebox";

import { askQuery } from "../ask.ts";
import { NDJSON_MEDIA_TYPE, sendLive, sendPage, SSE_MEDIA_TYPE } from "../events.ts";
import type { Exchange } from "../exchange.ts";
import { JSON_MEDIA_TYPE } from "../exchange.ts";
import { fieldProblem } from "../problems.ts";
import * as query from "../query.ts";
import { settle } from "../read.ts";
import type { Route } from "../route.ts";
import { ANY_PROBLEMS, READ_PROBLEMS } from "../route.ts";
import { event } from "../schemas.ts";

const PATH = "/api/v1/events";

const PAGE_QUERY = {
  after: query.after,
  limit: query.eventsLimit,
  consistency: query.consistency,
};

const page: Route = {
  method: "GET",
  path: PATH,
  operation: {
    id: "listEvents",
    tag: "Events",
    summary: "Read the event log",
    description:
      "Events in the order of the log. Ask again with after set to Raft3D-Events-Through to go on. With `Accept: application/x-ndjson` the answer is one event a line.",
    query: PAGE_QUERY,
    answers: {
      200: {
        description: "The events.",
        content: { [JSON_MEDIA_TYPE]: Type.Array(event), [NDJSON_MEDIA_TYPE]: Type.String() },
        headers: ["Raft3D-Events-Through", "Link", "Raft3D-Last-Contact-Ms"],
      },
    },
    problems: [...READ_PROBLEMS, "events_gone", "events_missing"],
  },
  handle: async (exchange) => {
    const asked = askQuery(exchange, PAGE_QUERY);
    if (asked === null || !(await settle(exchange, asked.consistency))) return;
    await sendPage(exchange, asked.after ?? 0, asked.consistency !== "stale", asked.limit);
  },
};

const LIVE_QUERY = { after: query.afterLive };

/** The index after which the stream begins; null if that has been answered. */
function beginning(exchange: Exchange): number | null {
  const asked = askQuery(exchange, LIVE_QUERY);
  if (asked === null) return null;
  const header = exchange.request.headers["last-event-id"];
  // A browser that reconnects repeats the address with its old `after`: where it has come to is in
  // the header.
  if (header === undefined) return asked.after ?? exchange.context.node.events.lastIndex;
  const index = query.integer(String(header), 0, Number.MAX_SAFE_INTEGER);
  if (index === null) {
    const message = "must be the id of an event, which is a log index: a whole number";
    exchange.problem(fieldProblem("invalid_header", [{ field: "Last-Event-ID", message }]));
  }
  return index;
}

const live: Route = {
  method: "GET",
  path: `${PATH}/stream`,
  operation: {
    id: "streamEvents",
    tag: "Events",
    summary: "Follow the event log live",
    description:
      "Server-Sent Events: id is the log index, event the type, data the event as JSON. A client that reconnects with Last-Event-ID meets neither a gap nor a repeat, at whichever node. A comment line comes every 15 seconds. Answered from this node's own log, without a quorum.",
    query: LIVE_QUERY,
    headers: ["Last-Event-ID"],
    answers: {
      200: { description: "The stream.", content: { [SSE_MEDIA_TYPE]: Type.String() } },
    },
    problems: [...ANY_PROBLEMS, "invalid_header", "events_gone", "events_missing"],
  },
  // No barrier: a stream is never current but always catching up, and must go on without a quorum.
  handle: async (exchange) => {
    const after = beginning(exchange);
    if (after === null) return;
    const field =
      exchange.request.headers["last-event-id"] === undefined ? "after" : "Last-Event-ID";
    await sendLive(exchange, after, field);
  },
};

export const eventRoutes: readonly Route[] = [page, live];
