// What a command came to. A refusal is a value with a stable code, the same on every node; the HTTP
// layer turns it into a status and a sentence, and decides nothing.

import type { RecordedEvent } from "./event.ts";
import type { FarmObject, Id, JobStatus } from "./objects.ts";

export type ObjectKind = "printer" | "filament" | "print_job";

export type Rejection =
  /** The object named in the path does not exist. */
  | { readonly code: "not_found"; readonly kind: ObjectKind; readonly key: string }
  /** A field names an object that does not exist; every such field at once. */
  | {
      readonly code: "unknown_reference";
      readonly fields: readonly {
        readonly field: "printer_id" | "filament_id";
        readonly id: Id;
      }[];
    }
  | { readonly code: "duplicate_id"; readonly kind: ObjectKind; readonly id: Id }
  | {
      readonly code: "transition_not_allowed";
      readonly from: JobStatus;
      readonly to: JobStatus;
      readonly allowed: readonly JobStatus[];
    }
  | {
      readonly code: "not_enough_filament";
      readonly filament_id: Id;
      readonly remaining: number;
      readonly reserved: number;
      readonly asked: number;
    }
  /** A printer or filament with Queued or Running jobs cannot be deleted. */
  | {
      readonly code: "in_use";
      readonly kind: "printer" | "filament";
      readonly id: Id;
      readonly jobs: number;
    }
  /** A change of a spool's weights that its other weight or its reservations do not allow. */
  | {
      readonly code: "weight_conflict";
      readonly total: number;
      readonly remaining: number;
      readonly reserved: number;
    }
  | { readonly code: "version_mismatch"; readonly version: number }
  | { readonly code: "idempotency_key_reused" };

export type RejectionCode = Rejection["code"];

export type Reply =
  /** The object after the change; null if it was deleted. */
  | { readonly ok: true; readonly object: FarmObject | null }
  | { readonly ok: false; readonly rejection: Rejection };

/** What became of one committed entry. */
export type Applied =
  /** An entry without a command: a leader's first entry, a configuration change. */
  | { readonly kind: "empty" }
  /** This number was applied before, or its session has ended: nothing was changed. */
  | {
      readonly kind: "duplicate";
      readonly node: number;
      readonly start: number;
      readonly seq: number;
    }
  | {
      readonly kind: "replied";
      readonly node: number;
      readonly start: number;
      readonly seq: number;
      readonly reply: Reply;
      /** True if the reply is the remembered one of an earlier command with the same key. */
      readonly replayed: boolean;
      /** Null for refusals and replays. */
      readonly event: RecordedEvent | null;
    };
