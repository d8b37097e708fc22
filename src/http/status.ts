// The status of a print job as people and scripts write it: in any letter case, with the British
// "cancelled", and with quotes around it that a shell or a URL builder left there.

import type { JobStatus } from "../fsm/objects.ts";

const STATUSES: ReadonlyMap<string, JobStatus> = new Map([
  ["queued", "Queued"],
  ["running", "Running"],
  ["done", "Done"],
  ["canceled", "Canceled"],
  ["cancelled", "Canceled"],
]);

/** Longer than any status with a quote on each side, percent-encoded or not. */
const STATUS_CHARS_MAX = 32;

const QUOTES = /^(?:["'“”‘’]|%2[27])+|(?:["'“”‘’]|%2[27])+$/g;

/** The status that is meant; null if none is. */
export function jobStatus(written: string): JobStatus | null {
  const exact = STATUSES.get(written);
  if (exact !== undefined) return exact;
  if (written.length > STATUS_CHARS_MAX) return null;
  return STATUSES.get(written.replace(QUOTES, "").toLowerCase()) ?? null;
}
