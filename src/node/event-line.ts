// One event as one line of JSON, the form in which people and integrations read it.

import { rfc3339 } from "../base/time.ts";
import type { AppliedEvent } from "./steps.ts";

/** The line without its end; the event log adds a checksum of its own. */
export function eventLine(applied: AppliedEvent): {
  readonly index: number;
  readonly text: string;
} {
  const { index, term, at, event } = applied.recorded;
  // Only what people have written needs JSON's escapes; the rest is put down as it is, which is faster.
  const head = `{"index":${index},"term":${term},"time":"${rfc3339(at)}","type":"${event.type}"`;
  return {
    index,
    text: `${head},"data":${JSON.stringify(event.data)},"hash":"${applied.digest}"}`,
  };
}
