// One event as one line of JSON, the form in which people and integrations read it.

import { rfc3339 } from "../base/time.ts";
import type { AppliedEvent } from "./steps.ts";

/** The line without its end; the event log adds a checksum of its own. */
export function eventLine(applied: AppliedEvent): {
  readonly index: number;
  readonly text: string;
} {
  const { index, term, at, event } = applied.recorded;
  const text = JSON.stringify({
    index,
    term,
    time: rfc3339(at),
    type: event.type,
    data: event.data,
    hash: applied.digest,
  });
  return { index, text };
}
