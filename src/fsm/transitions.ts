// The life of a print job, as a table without holes:
//
//     Queued ──▶ Running ──▶ Done
//        └──────────┴──────▶ Canceled
//
// The compiler refuses the table if a status is forgotten in either direction.

import type { JobStatus } from "./objects.ts";
import { JOB_STATUSES } from "./objects.ts";

export type TransitionEvent = "print_job.running" | "print_job.done" | "print_job.canceled";

/** What happens when a job goes from one status (row) to another (column); null: not allowed. */
export const NEXT = {
  Queued: {
    Queued: null,
    Running: "print_job.running",
    Done: null,
    Canceled: "print_job.canceled",
  },
  Running: { Queued: null, Running: null, Done: "print_job.done", Canceled: "print_job.canceled" },
  Done: { Queued: null, Running: null, Done: null, Canceled: null },
  Canceled: { Queued: null, Running: null, Done: null, Canceled: null },
} as const satisfies Record<JobStatus, Record<JobStatus, TransitionEvent | null>>;

/** The status a job has after an event. */
export const STATUS_AFTER = {
  "print_job.running": "Running",
  "print_job.done": "Done",
  "print_job.canceled": "Canceled",
} as const satisfies Record<TransitionEvent, JobStatus>;

const ALLOWED: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  Queued: targets("Queued"),
  Running: targets("Running"),
  Done: targets("Done"),
  Canceled: targets("Canceled"),
};

function targets(from: JobStatus): readonly JobStatus[] {
  return JOB_STATUSES.filter((to) => NEXT[from][to] !== null);
}

/** The statuses a job may go to, in the order of JOB_STATUSES. */
export function allowed(from: JobStatus): readonly JobStatus[] {
  return ALLOWED[from];
}

/** Whether a job of this status holds a printer and reserves filament. */
export function isActive(status: JobStatus): boolean {
  return status === "Queued" || status === "Running";
}
