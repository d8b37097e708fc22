// The files of the event log and what their names say of their content.
//
//   <first>-<last>.ndjson   sealed: holds every event with an index from first to last
//   <first>.ndjson          open: from first on, growing
//   <first>-<last>.gone     empty: these events were dropped on purpose
//   ….damaged               put out of use, for people to look at
//   ….tmp                   never finished

import { EVENT_FOLDER, hex16, parseName } from "../names.ts";

const LINES_SUFFIX = ".ndjson";
const GONE_SUFFIX = ".gone";
export const DAMAGED_SUFFIX = ".damaged";
export const TEMPORARY_SUFFIX = ".tmp";

/** The first index that can have an event: index 1 is the founding state. */
export const FIRST_EVENT_INDEX = 2;

/** Log indexes, both ends included. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export type EventFileName =
  | { readonly kind: "sealed"; readonly range: Range }
  | { readonly kind: "open"; readonly first: number }
  | { readonly kind: "gone"; readonly range: Range }
  | { readonly kind: "temporary" | "damaged" | "unknown" };

export function sealedPath(range: Range): string {
  return `${EVENT_FOLDER}/${hex16(range.from)}-${hex16(range.to)}${LINES_SUFFIX}`;
}

export function openPath(first: number): string {
  return `${EVENT_FOLDER}/${hex16(first)}${LINES_SUFFIX}`;
}

export function gonePath(range: Range): string {
  return `${EVENT_FOLDER}/${hex16(range.from)}-${hex16(range.to)}${GONE_SUFFIX}`;
}

export function parseEventFileName(name: string): EventFileName {
  if (name.endsWith(TEMPORARY_SUFFIX)) return { kind: "temporary" };
  if (name.endsWith(DAMAGED_SUFFIX)) return { kind: "damaged" };
  const isGone = name.endsWith(GONE_SUFFIX);
  const numbers = parseName(name, isGone ? GONE_SUFFIX : LINES_SUFFIX) ?? [];
  const [from, to] = numbers;
  if (from === undefined || numbers.length > 2) return { kind: "unknown" };
  if (to === undefined) return isGone ? { kind: "unknown" } : { kind: "open", first: from };
  if (to < from) return { kind: "unknown" };
  return { kind: isGone ? "gone" : "sealed", range: { from, to } };
}
