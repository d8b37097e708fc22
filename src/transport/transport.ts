// What the node's shell sees of the other nodes. PeerTransport (peer-transport.ts) does it over
// byte streams; the simulator may do the same at the level of messages.
//
// Promises of an implementation:
//   - Messages to one peer arrive in the order in which they were sent, or not at all. Nothing is
//     said about arrival, and a message may arrive twice only if it was sent twice.
//   - No handler is called from inside a call of Transport: the owner is never entered a second
//     time while it is sending. After `stop` was called no handler is called at all.
//   - Whoever is handed up was checked first: the cluster, who it is, whom it wants to reach, and
//     what the owner's `admit` says about it. Both ends check; nothing passes before both are
//     satisfied.

import type { LogIndex, NodeId, Term } from "../base/brand.ts";

export interface Transport {
  /** Listens and begins to dial; rejects with a NetworkError if the address cannot be had. */
  start(): Promise<void>;
  /**
   * Ends every connection, timer and transfer. Resolves when the sources and sinks of transfers are
   * released, so it waits for a disk that is slow. Once only; there is no second start.
   */
  stop(): Promise<void>;
  /** Replaces the list of peers (without the node itself). Connections of those gone are ended. */
  setPeers(peers: readonly PeerAddress[]): void;
  /**
   * Gathers a message for `to`. Never blocks, makes no promise: it is dropped if there is no
   * connection or too much is waiting, and then `unreachable` is called after the next `flush`. The
   * bytes are copied before this returns.
   */
  send(to: NodeId, bytes: Uint8Array): void;
  /** Sends what `send` gathered. The owner calls it at the end of each of its turns. */
  flush(): void;
  /**
   * Streams a snapshot. Ends in exactly one `snapshotSent`, unless stopped before, and in exactly
   * one `source.close()` in any case. One transfer to a peer at a time: another one fails at once.
   */
  sendSnapshot(to: NodeId, snapshot: OutgoingSnapshot): void;
  /**
   * Asks a peer for its events with an index in (after, through]. Yields blocks of whole NDJSON
   * lines as the peer's `serveEvents` made them; throws a TransportError if that ends early.
   * Leaving the loop ends the request.
   */
  requestEvents(from: NodeId, after: number, through: number): AsyncIterable<Uint8Array>;
  /**
   * While paused no messages are read, so that the senders are held up; a few may still come in.
   */
  setPaused(paused: boolean): void;
  /** By id. */
  peers(): readonly PeerStatus[];
  counters(): TransportCounters;
}

/** What the owner does with what comes in. Nothing here may throw, but for a broken invariant. */
export interface TransportHandlers {
  /**
   * A message of the raft protocol. The bytes are the callee's to keep; nothing overwrites them.
   */
  message(from: NodeId, bytes: Uint8Array): void;
  /** Messages to this peer were dropped. At most once for each flush. */
  unreachable(peer: NodeId): void;
  /**
   * The connection that carries this node's messages to `peer` is lost, and with it, perhaps, what
   * was sent last. Follows each `connected`, at the first sign of the end.
   */
  disconnected(peer: NodeId): void;
  /** The connection that carries this node's messages to `peer` is up. */
  connected(peer: NodeId, facts: NodeFacts): void;
  /**
   * Decides about another node, beyond what the transport checks itself (cluster, ids, versions).
   * Asked by both ends for every connection, before anything passes over it. May write to the disk
   * first (what was seen of a peer must be remembered before it is acted on). A rejection means
   * "cannot say now": the connection is ended and tried again.
   */
  admit(introduction: Introduction): Promise<Admission>;
  /**
   * A connection with `peer` was refused, by this node or by the other. Called when the reason
   * changes, not for every attempt. For a connection refused by this node `peer` is only a claim.
   */
  refused(peer: NodeId, refusal: Refusal): void;
  /** The end of a transfer begun with `sendSnapshot`: `ok` if the receiver has it safely. */
  snapshotSent(to: NodeId, index: LogIndex, ok: boolean): void;
  /** A snapshot is offered; null refuses it (busy, or not wanted). */
  receiveSnapshot(from: NodeId, offer: SnapshotOffer): Promise<SnapshotSink | null>;
  /** After the sink's `finish` has resolved: the raft message that the file belongs to. */
  snapshotReceived(from: NodeId, received: ReceivedSnapshot): void;
  /**
   * Events with an index in (after, through], as blocks of whole lines; null if this node lacks
   * some.
   */
  serveEvents(from: NodeId, after: number, through: number): AsyncIterable<Uint8Array> | null;
}

export interface PeerAddress {
  readonly id: NodeId;
  /** host:port */
  readonly address: string;
}

/** What a node says about itself when it meets another. */
export interface NodeFacts {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** Drawn when the data directory was made: another one under the same id is another directory. */
  readonly instance: string;
  /** How often this directory was started; it only grows, unless the directory was rolled back. */
  readonly starts: number;
  /** Whether the directory has a log, so that losing it would matter. */
  readonly founded: boolean;
  /** Drawn by each process: two live ones under one id and instance are a copied directory. */
  readonly run: string;
  /** Where the node serves people, host:port. */
  readonly http: string;
  /** The newest version known of each format that nodes exchange or replicate, by its name. */
  readonly formats: Readonly<Record<string, number>>;
}

/** What a connection is for; it carries nothing else. */
export type Purpose = "messages" | "snapshot" | "events";

export interface Introduction {
  readonly facts: NodeFacts;
  readonly purpose: Purpose;
  /** "dialled": this node called the other one. */
  readonly side: "dialled" | "accepted";
}

export type Admission =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: RefusalCode; readonly message: string };

/**
 * Why a node refuses another. The first five are the transport's own checks, the rest the owner's.
 */
export type RefusalCode =
  | "wrong-cluster"
  /** "I am not the node you want to reach": an address is wrong. */
  | "wrong-node"
  | "unknown-peer"
  /** No version of the protocol that both speak. */
  | "version"
  | "same-id-twice"
  | "data-replaced"
  | "data-rolled-back"
  | "removed"
  | "not-ready";

export interface Refusal {
  /** A RefusalCode, or what a newer version says. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  readonly by: "us" | "them";
}

/** A snapshot file, to be streamed from. */
export interface SnapshotSource {
  readonly bytes: number;
  /** Of all the bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Exactly `length` bytes from `at`, within the file. */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface OutgoingSnapshot {
  /** The raft message (MsgSnap) that goes with the file; copied before `sendSnapshot` returns. */
  readonly message: Uint8Array;
  readonly index: LogIndex;
  readonly term: Term;
  readonly source: SnapshotSource;
}

export interface SnapshotOffer {
  readonly index: LogIndex;
  readonly term: Term;
  readonly bytes: number;
  readonly sha256: string;
  /** The raft message that the file belongs to. */
  readonly message: Uint8Array;
}

/**
 * Where a snapshot goes. Calls come one after the other, `write` in order and without holes.
 * Exactly one of two things ends it: a `finish` that resolves, after bytes with the offered SHA-256
 * were written; or `abort`, also after a `write` or `finish` that rejected.
 */
export interface SnapshotSink {
  /** The chunk is left alone until this resolves. */
  write(at: number, chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface ReceivedSnapshot {
  readonly index: LogIndex;
  readonly term: Term;
  readonly message: Uint8Array;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly address: string;
  /** Where it serves people; null until it was met. */
  readonly http: string | null;
  /** Whether this node's connection for messages to it is up. */
  readonly connected: boolean;
  /** Round-trip time, smoothed; null until measured on the present connection. */
  readonly rttMs: number | null;
  /** When anything last came from it, by the monotonic clock; null if never. */
  readonly lastHeardMs: number | null;
  /** Bytes for it that have not been handed to the operating system. */
  readonly queuedBytes: number;
  readonly droppedMessages: number;
  /** Over all connections with it, frames and handshakes included. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Why there is no connection, if somebody refused it. */
  readonly refusal: Refusal | null;
}

/** Since the start; peers that were removed stay counted. */
export interface TransportCounters {
  readonly messagesSent: number;
  readonly messagesReceived: number;
  readonly messagesDropped: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Connections for messages that came up, and those of them that were lost. */
  readonly connects: number;
  readonly disconnects: number;
  readonly snapshotsSent: number;
  readonly snapshotsReceived: number;
  /** Transfers either way that did not come to their end. */
  readonly snapshotsFailed: number;
}

/**
 * A request to a peer that could not be completed. Nothing is known to be wrong here; try again.
 */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly peer: NodeId;

  constructor(peer: NodeId, message: string) {
    super(`peer ${peer}: ${message}`);
    this.peer = peer;
  }
}
