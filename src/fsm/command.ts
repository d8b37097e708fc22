// What a client asks of the farm. A command holds everything that is not deterministic (who, when,
// which session number), so that every node that applies it comes to the same result.
//
// The shapes are checked at the HTTP edge (types, ranges, lengths); every rule that depends on the
// farm's state is decided in decide.ts, behind the log, and nowhere else.

import type { NodeId } from "../base/brand.ts";
import type { Id, JobStatus, Material } from "./objects.ts";

/** Versions an object may have for the command to be carried out (If-Match); null: any. */
export type Expected = readonly number[] | null;

export type Command =
  | CreatePrinter
  | UpdatePrinter
  | DeletePrinter
  | CreateFilament
  | UpdateFilament
  | DeleteFilament
  | CreateJob
  | ChangeJobStatus;

export interface CreatePrinter {
  readonly kind: "create-printer";
  /** Null: the cluster assigns the next free integer. */
  readonly id: Id | null;
  readonly company: string;
  readonly model: string;
}

export interface UpdatePrinter {
  readonly kind: "update-printer";
  readonly key: string;
  readonly expected: Expected;
  readonly changes: { readonly company?: string; readonly model?: string };
}

export interface DeletePrinter {
  readonly kind: "delete-printer";
  readonly key: string;
  readonly expected: Expected;
}

export interface CreateFilament {
  readonly kind: "create-filament";
  readonly id: Id | null;
  readonly type: Material;
  readonly color: string;
  readonly total_weight_in_grams: number;
  /** Already defaulted to the total; checked at the edge not to exceed it. */
  readonly remaining_weight_in_grams: number;
}

export interface UpdateFilament {
  readonly kind: "update-filament";
  readonly key: string;
  readonly expected: Expected;
  readonly changes: {
    readonly type?: Material;
    readonly color?: string;
    readonly total_weight_in_grams?: number;
    readonly remaining_weight_in_grams?: number;
  };
}

export interface DeleteFilament {
  readonly kind: "delete-filament";
  readonly key: string;
  readonly expected: Expected;
}

export interface CreateJob {
  readonly kind: "create-job";
  readonly id: Id | null;
  readonly printer_id: Id;
  readonly filament_id: Id;
  readonly filepath: string;
  readonly print_weight_in_grams: number;
}

export interface ChangeJobStatus {
  readonly kind: "change-job-status";
  readonly key: string;
  readonly expected: Expected;
  readonly to: JobStatus;
}

/** The format of the envelope below. A node that meets another one stops (DESIGN §6). */
export const COMMAND_VERSION = 1;

/** One entry of the Raft log: a command, who proposed it under which number, and when. */
export interface Envelope {
  readonly v: typeof COMMAND_VERSION;
  /** The session: the node that proposed, and the count of its starts. */
  readonly node: NodeId;
  readonly start: number;
  /** The command's number in the session, from 1. A number is applied once. */
  readonly seq: number;
  /** Every number of this session below `low` is settled: its proposer waits for none of them. */
  readonly low: number;
  /**
   * The proposer's wall clock, milliseconds since 1970 UTC. For people; nothing is decided by it.
   */
  readonly at: number;
  /** The client's Idempotency-Key, and what it was used for. */
  readonly key: string | null;
  readonly fingerprint: string | null;
  readonly command: Command;
}
