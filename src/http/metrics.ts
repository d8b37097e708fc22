// What Prometheus scrapes at /metrics: the node's own numbers, read at the moment of the scrape,
// and the durations of HTTP requests, counted in durations.ts. The registry is the server's own, not
// prom-client's global one, because a process may hold several nodes. Every metric of the node
// exists from the start with its zero: an alert on a counter that never moved must not be an alert
// on nothing.
//
// Names and meanings follow etcd's where it has them, so that people find what they know.

import { Counter, Gauge, Registry } from "prom-client";

import type { NodeCounter, NodeStatus } from "../node/api.ts";
import { Durations } from "./durations.ts";

/** The server's part of what is shown. */
export interface ServerStatus {
  readonly ready: boolean;
  readonly liveStreams: number;
}

interface Shown {
  readonly help: string;
  readonly of: (node: NodeStatus, server: ServerStatus) => number;
}

const counter = (name: NodeCounter, help: string): Shown => ({
  help,
  of: (node) => node.counters[name],
});

const GAUGES: Readonly<Record<string, Shown>> = {
  raft3d_has_leader: {
    help: "1 if this node knows of a leader.",
    of: (node) => (node.leaderId === null ? 0 : 1),
  },
  raft3d_is_leader: {
    help: "1 if this node is the leader.",
    of: (node) => (node.role === "leader" ? 1 : 0),
  },
  raft3d_ready: { help: "1 if /readyz answers 200.", of: (_, server) => (server.ready ? 1 : 0) },
  raft3d_term: { help: "The Raft term.", of: (node) => node.term },
  raft3d_commit_index: {
    help: "Log index up to which entries are known to be committed.",
    of: (node) => node.commitIndex,
  },
  raft3d_applied_index: {
    help: "Log index up to which entries are applied.",
    of: (node) => node.appliedIndex,
  },
  raft3d_last_contact_seconds: {
    help: "Time since this node last knew itself in touch with a leader; 0 at a leader, +Inf if never since it started.",
    of: (node) => (node.lastContactMs ?? Number.POSITIVE_INFINITY) / 1000,
  },
  raft3d_proposals_pending: counter(
    "proposals_pending",
    "Commands of this node that are proposed and not settled.",
  ),
  raft3d_reads_pending: counter(
    "reads_pending",
    "Linearizable reads of this node that wait for confirmation.",
  ),
  raft3d_peers: { help: "Other members of the cluster.", of: (node) => others(node).length },
  raft3d_peers_reachable: {
    help: "Other members to which this node has a working connection.",
    of: (node) => others(node).filter((member) => member.reachable).length,
  },
  raft3d_event_streams: {
    help: "Clients that follow the live event stream.",
    of: (_, server) => server.liveStreams,
  },
};

const COUNTERS: Readonly<Record<string, Shown>> = {
  raft3d_leader_changes_total: counter("leader_changes", "Changes of the leader seen."),
  // As in etcd these two count entries of the cluster, not commands of this node: the difference
  // between them is what alerts look at.
  raft3d_proposals_committed_total: {
    help: "Log entries known to be committed since the cluster began.",
    of: (node) => node.commitIndex,
  },
  raft3d_proposals_applied_total: {
    help: "Log entries applied since the cluster began.",
    of: (node) => node.appliedIndex,
  },
  raft3d_proposals_submitted_total: counter(
    "proposals_submitted",
    "Commands that clients of this node had proposed.",
  ),
  raft3d_proposals_answered_total: counter(
    "proposals_applied",
    "Commands of this node that were applied and answered.",
  ),
  raft3d_proposals_failed_total: counter(
    "proposals_failed",
    "Commands of this node that ended without a known outcome.",
  ),
  raft3d_proposals_repeated_total: counter(
    "proposals_repeated",
    "Times a command of this node was proposed again under its number.",
  ),
  raft3d_reads_served_total: counter("reads_served", "Linearizable reads confirmed."),
  // The rates of these two give the average duration.
  raft3d_log_sync_seconds_total: counter(
    "log_sync_seconds",
    "Seconds spent in writing batches to the log durably.",
  ),
  raft3d_log_batches_total: counter("log_batches", "Batches written to the log."),
  raft3d_log_bytes_total: counter("log_bytes", "Bytes written to the log."),
  raft3d_snapshots_taken_total: counter("snapshots_taken", "Snapshots of the own state written."),
  raft3d_snapshots_installed_total: counter(
    "snapshots_installed",
    "Snapshots of another node installed.",
  ),
  raft3d_snapshots_sent_total: counter("snapshots_sent", "Snapshots sent to other nodes."),
  raft3d_peer_messages_sent_total: counter("peer_messages_sent", "Raft messages sent to peers."),
  raft3d_peer_messages_dropped_total: counter(
    "peer_messages_dropped",
    "Raft messages dropped because a peer was away or too slow.",
  ),
  raft3d_peer_sent_bytes_total: counter("peer_bytes_sent", "Bytes sent to peers."),
  raft3d_peer_received_bytes_total: counter("peer_bytes_received", "Bytes received from peers."),
};

function others(node: NodeStatus): NodeStatus["members"] {
  return node.members.filter((member) => member.id !== node.nodeId);
}

export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #gauges: readonly (readonly [Gauge, Shown])[];
  readonly #counters: readonly (readonly [Counter, Shown])[];
  readonly #durations = new Durations();

  constructor() {
    const registers = [this.#registry];
    this.#gauges = Object.entries(GAUGES).map(([name, shown]) => [
      new Gauge({ name, help: shown.help, registers }),
      shown,
    ]);
    this.#counters = Object.entries(COUNTERS).map(([name, shown]) => [
      new Counter({ name, help: shown.help, registers }),
      shown,
    ]);
  }

  get mediaType(): string {
    return this.#registry.contentType;
  }

  observe(route: string, method: string, status: number, seconds: number): void {
    this.#durations.count(route, method, status, seconds);
  }

  /** The text of a scrape. */
  async render(node: NodeStatus, server: ServerStatus): Promise<string> {
    for (const [gauge, shown] of this.#gauges) gauge.set(shown.of(node, server));
    for (const [total, shown] of this.#counters) {
      // prom-client's counters only know steps; the node counts in absolute numbers.
      total.reset();
      total.inc(shown.of(node, server));
    }
    return `${await this.#registry.metrics()}\n${this.#durations.text()}`;
  }
}
