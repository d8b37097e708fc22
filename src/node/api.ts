// What a node offers to whoever serves people: HTTP, the command line's local mode, the simulator's
// clients. HTTP depends on this interface and on nothing else of the node.

import type { NodeId } from "../base/brand.ts";
import type { Command } from "../fsm/command.ts";
import type { Farm } from "../fsm/farm.ts";
import type { Reply } from "../fsm/reply.ts";

export interface FarmNode {
  readonly id: NodeId;
  readonly clusterId: string;
  /**
   * The farm as this node has applied it. Synchronous and possibly stale: for a linearizable read
   * await `barrier` first, then read in the same turn.
   */
  readonly farm: FarmReader;
  readonly events: EventSource;
  /** These three stand in every answer, so reading them costs next to nothing; as in `status`. */
  readonly appliedIndex: number;
  readonly leaderId: NodeId | null;
  readonly lastContactMs: number | null;

  /** Proposes a command and resolves when it is applied here, or when that cannot be awaited. */
  submit(command: Command, key: IdempotencyKey | null): Promise<SubmitResult>;
  /** Resolves with `ok` once this node has applied everything acknowledged before the call. */
  barrier(): Promise<BarrierResult>;
  status(): NodeStatus;
}

/** The farm without the means to change it. */
export type FarmReader = Pick<
  Farm,
  "printers" | "filaments" | "jobs" | "activeJobs" | "digest" | "view"
>;

export interface IdempotencyKey {
  readonly key: string;
  readonly fingerprint: string;
}

/** Why nothing was proposed: trying again is safe. */
/** `not-current`, of reads only: there is a leader, and this node could not catch up with it in time. */
export type Unavailable = "no-leader" | "not-current" | "overloaded" | "forming" | "stopping";

export type SubmitResult =
  | { readonly kind: "replied"; readonly reply: Reply; readonly replayed: boolean }
  | { readonly kind: "unavailable"; readonly reason: Unavailable }
  /** Proposed, and not known to be committed in time: it may still happen. */
  | { readonly kind: "outcome-unknown" };

export type BarrierResult =
  | { readonly kind: "ok" }
  | { readonly kind: "unavailable"; readonly reason: Unavailable };

export type Role = "follower" | "candidate" | "leader" | "pre-candidate";

/** How the leader sees a member, or how this node does where only it can know. */
export interface MemberStatus {
  readonly id: NodeId;
  readonly role: "voter" | "learner";
  /** Leader, follower, …; null where this node cannot know. */
  readonly state: Role | null;
  readonly peer: string;
  /** The member's HTTP address; null until this node has heard from it. */
  readonly http: string | null;
  /** Known at the leader only, else null. */
  readonly matchIndex: number | null;
  /** Entries behind the leader's last; known at the leader only, else null. */
  readonly lag: number | null;
  /** Whether this node has a working connection to it; true for itself. */
  readonly reachable: boolean;
}

export interface NodeStatus {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly role: Role;
  readonly leaderId: NodeId | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly members: readonly MemberStatus[];
  /** What stands in the way of serving, for /readyz; all true when ready. */
  readonly checks: {
    readonly formed: boolean;
    readonly leader: boolean;
    /** Applied as far as the commit index known at the start. */
    readonly caughtUp: boolean;
    readonly disk: boolean;
  };
  /**
   * Milliseconds since this node last knew itself to be in touch with a leader; 0 at a leader; null if it
   * has not been since it was started.
   */
  readonly lastContactMs: number | null;
  /** The farm's digest at `appliedIndex`, 16 hexadecimal digits; null until the cluster is founded. */
  readonly stateHash: string | null;
  readonly counters: Readonly<Record<NodeCounter, number>>;
}

/** Monotonic counts since the process started, in the names of /metrics without the prefix. */
export type NodeCounter =
  | "leader_changes"
  | "proposals_submitted"
  | "proposals_applied"
  | "proposals_failed"
  | "proposals_repeated"
  | "proposals_pending"
  | "reads_served"
  | "reads_pending"
  | "log_batches"
  | "log_bytes"
  | "log_sync_seconds"
  | "snapshots_taken"
  | "snapshots_installed"
  | "snapshots_sent"
  | "peer_messages_sent"
  | "peer_messages_dropped"
  | "peer_bytes_sent"
  | "peer_bytes_received";

/** The event log, for reading. */
export interface EventSource {
  /**
   * Log index up to which events are complete here. Never behind the farm: what an applied entry
   * caused can be read in the turn in which the farm shows it, wherever it is stored by then.
   */
  readonly lastIndex: number;
  /**
   * Events with an index above `after`, oldest first; at most `limit` and about 1 MiB. `lines` are
   * JSON objects without a line end. `through` is the index up to which the answer is complete.
   */
  read(after: number, limit: number): Promise<EventPage>;
  /** Calls back after events have been added, until the returned function is called. */
  subscribe(wake: () => void): () => void;
}

export type EventPage =
  | {
      readonly kind: "page";
      readonly events: readonly {
        readonly index: number;
        readonly type: string;
        readonly line: string;
      }[];
      readonly through: number;
    }
  /** That part is no longer kept; the oldest index that is. */
  | { readonly kind: "gone"; readonly oldest: number }
  /** This node is still fetching that part from a peer; another node has it. */
  | { readonly kind: "missing" };
