// Where a node stands, put together from what its parts know. Local: it needs no quorum and no disk.

import { type NodeId, nodeId } from "../base/brand.ts";
import type { GroupStatus } from "../raft/messages.ts";
import type { Log } from "../storage/wal/log.ts";
import type { Transport } from "../transport/transport.ts";
import type { MemberStatus, NodeCounter, NodeStatus, Role } from "./api.ts";
import type { Replica } from "./replica.ts";
import type { SnapshotService } from "./snapshot-service.ts";

/** A write under way for longer than this makes the node unready: its disk is in trouble. */
const SLOW_WRITE_MS = 2000;
/** A node this many entries behind its own commit index answers stale reads too far in the past. */
const CAUGHT_UP_ENTRIES = 5000;

export interface StatusParts {
  readonly clusterId: string;
  readonly id: NodeId;
  readonly members: readonly { readonly id: NodeId; readonly peer: string }[];
  readonly http: string;
  readonly nowMs: number;
  readonly transport: Transport;
  readonly lastContactMs: number | null;
  /** These three are null until the cluster is founded. */
  readonly replica: Replica | null;
  readonly log: Log | null;
  readonly snapshots: SnapshotService | null;
}

export function nodeStatus(parts: StatusParts): NodeStatus {
  const { clusterId, id, log, nowMs, replica } = parts;
  const group = replica?.status() ?? null;
  const appliedIndex = replica?.machine.appliedIndex ?? 0;
  const leaderId = replica?.leader ?? null;
  const commitIndex = group?.hardState.commit ?? 0;
  const writing = log?.writingSinceMs ?? null;
  return {
    clusterId,
    nodeId: id,
    role: replica?.role ?? "follower",
    leaderId,
    term: group?.hardState.term ?? 0,
    commitIndex,
    appliedIndex,
    members: memberStatuses(parts, group),
    checks: {
      formed: replica !== null,
      leader: leaderId !== null,
      caughtUp: replica !== null && commitIndex - appliedIndex <= CAUGHT_UP_ENTRIES,
      disk:
        (log?.failure ?? null) === null && (writing === null || nowMs - writing < SLOW_WRITE_MS),
    },
    lastContactMs: parts.lastContactMs,
    stateHash: replica?.machine.farm.digest() ?? null,
    counters: counters(parts),
  };
}

function memberStatuses(parts: StatusParts, group: GroupStatus | null): readonly MemberStatus[] {
  const { http, id, replica, transport } = parts;
  const learners = new Set(group?.confState.learners ?? []);
  const progress = new Map(group?.progress.map((peer) => [nodeId(peer.id), peer]));
  const peers = new Map(transport.peers().map((peer) => [peer.id, peer]));
  const last = group?.lastIndex ?? 0;
  return parts.members.map((member) => {
    const self = member.id === id;
    const peer = peers.get(member.id);
    const match = progress.get(member.id)?.match ?? null;
    return {
      id: member.id,
      role: learners.has(member.id) ? "learner" : "voter",
      state: self ? (replica?.role ?? "follower") : stateOf(member.id, replica),
      peer: member.peer,
      http: self ? http : (peer?.http ?? null),
      matchIndex: match,
      lag: match === null ? null : Math.max(0, last - match),
      reachable: self || (peer?.connected ?? false),
    };
  });
}

/** Of another node only this is known for sure: whom the term's leader is, and that others follow. */
function stateOf(member: NodeId, replica: Replica | null): Role | null {
  const leader = replica?.leader ?? null;
  if (leader === null) return null;
  return member === leader ? "leader" : "follower";
}

function counters(parts: StatusParts): Readonly<Record<NodeCounter, number>> {
  const { log, replica, snapshots, transport } = parts;
  const sent = transport.counters();
  const own = replica?.counters;
  return {
    leader_changes: own?.leaderChanges ?? 0,
    proposals_submitted: own?.submitted ?? 0,
    proposals_applied: own?.applied ?? 0,
    proposals_failed: own?.failed ?? 0,
    proposals_repeated: own?.repeated ?? 0,
    proposals_pending: replica?.pendingProposals ?? 0,
    reads_served: own?.readsServed ?? 0,
    reads_pending: replica?.pendingReads ?? 0,
    log_batches: log?.stats.batches ?? 0,
    log_bytes: log?.stats.writtenBytes ?? 0,
    log_sync_seconds: (log?.stats.writeMs ?? 0) / 1000,
    snapshots_taken: snapshots?.taken ?? 0,
    snapshots_installed: own?.snapshotsInstalled ?? 0,
    snapshots_sent: snapshots?.sent ?? 0,
    peer_messages_sent: sent.messagesSent,
    peer_messages_dropped: sent.messagesDropped,
    peer_bytes_sent: sent.bytesSent,
    peer_bytes_received: sent.bytesReceived,
  };
}
