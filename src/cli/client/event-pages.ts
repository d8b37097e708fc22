// The event log of a cluster, page after page.

import { EVENTS_PAGE_MAX } from "../../base/limits.ts";
import { Failure } from "../failure.ts";
import type { Client } from "./client.ts";

export const EVENTS_PATH = "/api/v1/events";

export interface EventPage {
  /** One event in JSON each, in the order of the log. */
  readonly lines: readonly string[];
  /** The log index up to which nothing is left out. */
  readonly through: number;
}

export type Consistency = "linearizable" | "stale";

/** From behind `after` to what is the end when the last page is read. */
export async function* readEvents(
  client: Client,
  after: number,
  consistency: Consistency,
): AsyncGenerator<EventPage, void> {
  // `linearizable` is the server's own default and need not be said.
  const how = consistency === "stale" ? "&consistency=stale" : "";
  let last = after;
  for (;;) {
    const { answer } = await client.ask({
      method: "GET",
      path: `${EVENTS_PATH}?after=${last}&limit=${EVENTS_PAGE_MAX}${how}`,
      headers: { accept: "application/x-ndjson" },
    });
    const lines = answer.body.split("\n").filter((line) => line !== "");
    const through = Number(answer.headers.get("raft3d-events-through") ?? Number.NaN);
    if (!Number.isSafeInteger(through)) {
      throw new Failure("The server does not say how far its events go. Is it a Raft3D node?");
    }
    yield { lines, through };
    // An answer without a new event, or without a `next`, is the end of what there is now.
    if (!answer.headers.has("link") || through <= last) return;
    last = through;
  }
}
