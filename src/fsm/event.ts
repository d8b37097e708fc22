// What happened: one event for each accepted command, in the order of the log. Folding the events
// from the beginning gives the farm (`evolve`); the event log on disk and the live stream carry
// these.

import type { Id, JobStatus, Material } from "./objects.ts";

export type FarmEvent =
  | {
      readonly type: "printer.created";
      readonly data: { readonly id: Id; readonly company: string; readonly model: string };
    }
  | {
      readonly type: "printer.updated";
      readonly data: {
        readonly id: Id;
        readonly changes: { readonly company?: string; readonly model?: string };
      };
    }
  | { readonly type: "printer.deleted"; readonly data: { readonly id: Id } }
  | {
      readonly type: "filament.created";
      readonly data: {
        readonly id: Id;
        readonly type: Material;
        readonly color: string;
        readonly total_weight_in_grams: number;
        readonly remaining_weight_in_grams: number;
      };
    }
  | {
      readonly type: "filament.updated";
      readonly data: {
        readonly id: Id;
        readonly changes: {
          readonly type?: Material;
          readonly color?: string;
          readonly total_weight_in_grams?: number;
          readonly remaining_weight_in_grams?: number;
        };
      };
    }
  | { readonly type: "filament.deleted"; readonly data: { readonly id: Id } }
  | {
      readonly type: "print_job.created";
      readonly data: {
        readonly id: Id;
        readonly printer_id: Id;
        readonly filament_id: Id;
        readonly filepath: string;
        readonly print_weight_in_grams: number;
      };
    }
  | {
      readonly type: "print_job.running" | "print_job.done" | "print_job.canceled";
      readonly data: {
        readonly id: Id;
        readonly from: JobStatus;
        readonly filament_id: Id;
        /** Grams the job no longer reserves (done, canceled), or still does (running). */
        readonly print_weight_in_grams: number;
        /** Grams taken off the spool: the job's weight when it is done, 0 otherwise. */
        readonly deducted_weight_in_grams: number;
      };
    };

/** An event with its place in the log. */
export interface RecordedEvent {
  /** Log index of the entry that caused it; at most one event for each. */
  readonly index: number;
  readonly term: number;
  /** Milliseconds since 1970 UTC, the proposer's clock. The index is the order, not the time. */
  readonly at: number;
  readonly event: FarmEvent;
}
