// The inputs and effects of a replica: everything that happens to it, and everything it wants done.
// `Replica.step` turns the first into the second without waiting for anything; the shell carries the
// effects out and brings what came of them back as inputs.

import type { NodeId } from "../base/brand.ts";
import type { Command } from "../fsm/command.ts";
import type { RecordedEvent } from "../fsm/event.ts";
import type { Machine, MachineHashes, MachineView } from "../fsm/machine.ts";
import type { HardState, RaftRole, SnapshotPoint } from "../raft/messages.ts";
import type { BarrierResult, IdempotencyKey, SubmitResult } from "./api.ts";

export type Input =
  /** One tick of the logical clock. */
  | { readonly kind: "tick" }
  /** A raft message from a peer whose connection was admitted. */
  | { readonly kind: "message"; readonly from: NodeId; readonly bytes: Uint8Array }
  /** A client's write. Answered by exactly one `reply` under the same `request`. */
  | {
      readonly kind: "submit";
      readonly request: number;
      readonly command: Command;
      readonly key: IdempotencyKey | null;
      /** Wall clock, milliseconds since 1970 UTC. */
      readonly at: number;
    }
  /** What is committed was held back for long enough: time to apply it, also if nobody waits for it. */
  | { readonly kind: "apply" }
  /** A linearizable read. Answered by exactly one `readable` under the same `request`. */
  | { readonly kind: "read"; readonly request: number }
  /** Every append up to this ticket is on the disk. */
  | { readonly kind: "appended"; readonly ticket: number }
  /** The snapshot asked for by `take-snapshot` is on the disk, and the log says so. */
  | { readonly kind: "snapshot-taken"; readonly point: SnapshotPoint }
  /** It could not be written (a full disk); the log stays long and it is tried again later. */
  | { readonly kind: "snapshot-failed" }
  /** A snapshot from the leader is on the disk and has been read: the machine it holds. */
  | {
      readonly kind: "snapshot-received";
      readonly from: NodeId;
      readonly message: Uint8Array;
      readonly index: number;
      readonly term: number;
      readonly machine: Machine;
    }
  /** The file of this snapshot turned out to be spoilt and is out of use. */
  | { readonly kind: "snapshot-lost"; readonly index: number }
  | {
      readonly kind: "snapshot-sent";
      readonly to: NodeId;
      readonly index: number;
      readonly ok: boolean;
    }
  /** A message to this peer was lost; it may be heard again at any time. */
  | { readonly kind: "unreachable"; readonly peer: NodeId }
  /** What was sent to this peer may be lost, and whatever is sent before `connected` will be. */
  | { readonly kind: "disconnected"; readonly peer: NodeId }
  | { readonly kind: "connected"; readonly peer: NodeId }
  | { readonly kind: "transfer-leader"; readonly to: NodeId };

export type Effect =
  /** May leave at once: what must wait for the disk is held back inside the core. */
  | {
      readonly kind: "send";
      readonly to: NodeId;
      readonly bytes: Uint8Array;
      /** `commit`: tells a commit index, and may wait for an `append`, which tells it as well. */
      readonly brings: "commit" | "append" | "other";
    }
  | {
      readonly kind: "send-snapshot";
      readonly to: NodeId;
      readonly index: number;
      readonly term: number;
      readonly message: Uint8Array;
    }
  /** To be written and synced, in this order; then `appended`. */
  | {
      readonly kind: "append";
      readonly ticket: number;
      readonly hardState: HardState;
      readonly snapshot: SnapshotPoint | null;
      readonly entries: Uint8Array;
      readonly entryCount: number;
    }
  | { readonly kind: "reply"; readonly request: number; readonly result: SubmitResult }
  | { readonly kind: "readable"; readonly request: number; readonly result: BarrierResult }
  /** Entries up to `through` were applied; these are the events among them. */
  | {
      readonly kind: "applied";
      readonly events: readonly AppliedEvent[];
      readonly through: number;
      /** The hashes at the checkpoints among them, for comparing with other nodes. */
      readonly checkpoints: readonly MachineHashes[];
    }
  | {
      readonly kind: "take-snapshot";
      readonly point: SnapshotPoint;
      readonly view: MachineView;
    }
  /** The machine was replaced: events in (from, to] were never applied here. */
  | { readonly kind: "installed"; readonly from: number; readonly point: SnapshotPoint }
  /** Who leads has changed, as far as this node knows. */
  | {
      readonly kind: "leadership";
      readonly role: RaftRole;
      readonly leader: NodeId | null;
      readonly term: number;
    }
  /** An append has been under way for too long: the disk hangs. */
  | { readonly kind: "disk-stalled"; readonly ticks: number };

export interface AppliedEvent {
  readonly recorded: RecordedEvent;
  /** The farm's digest after it. */
  readonly digest: string;
}
