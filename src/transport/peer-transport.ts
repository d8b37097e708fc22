// The transport over byte streams: who is a peer, who is let in, and what belongs to whom. What
// happens on a connection is in the files named after it; the protocol is in DESIGN.md.
//
// Each node dials every peer. A connection carries its dialler's traffic of one purpose; only
// answers to it come back. So two nodes have two connections for messages, and neither depends on
// the other.

import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { PEER_CONNECTIONS_MAX } from "../base/limits.ts";
import type { Connection, Listener } from "../env/network.ts";
import { TransportContext, type TransportEnv } from "./context.ts";
import { requestEvents, serveEvents } from "./events.ts";
import type { FrameStream } from "./frame-stream.ts";
import { accept } from "./handshake.ts";
import { PROTOCOL, type VersionRange } from "./hello.ts";
import { Meter } from "./meter.ts";
import { Peer } from "./peer.ts";
import { closeSource } from "./snapshot-sender.ts";
import {
  TransportError,
  type NodeFacts,
  type OutgoingSnapshot,
  type PeerAddress,
  type PeerStatus,
  type Transport,
  type TransportCounters,
  type TransportHandlers,
} from "./transport.ts";

export interface PeerTransportOptions {
  readonly env: TransportEnv;
  /** Where to listen, host:port. */
  readonly listen: string;
  /**
   * What this node says about itself; asked anew for every handshake. The node id never changes.
   */
  readonly facts: () => NodeFacts;
  readonly peers: readonly PeerAddress[];
  readonly handlers: TransportHandlers;
  /**
   * The versions of the protocol to speak; all that this program knows, unless a test says less.
   */
  readonly protocol?: VersionRange;
}

export class PeerTransport implements Transport {
  readonly #context: TransportContext;
  readonly #listen: string;
  readonly #ownId: NodeId;
  /** In the order of their ids, so that what goes over all of them is the same in every run. */
  #peers = new Map<NodeId, Peer>();
  /** Peers that lost a message since the last flush. */
  readonly #dropped = new Set<NodeId>();
  #listener: Listener | null = null;
  #isStarted = false;
  #stopped: Promise<void> | null = null;
  #isPaused = false;

  constructor(options: PeerTransportOptions) {
    const { env, handlers, facts, protocol = PROTOCOL } = options;
    this.#context = new TransportContext(env, handlers, facts, protocol);
    this.#listen = options.listen;
    this.#ownId = facts().nodeId;
    this.setPeers(options.peers);
  }

  /**
   * Where it listens: the port is the one that was given where 0 was asked for. Null before
   * `start`.
   */
  get address(): string | null {
    return this.#listener?.address ?? null;
  }

  async start(): Promise<void> {
    assert(!this.#isStarted, "started twice");
    assert(!this.#context.isStopped, "started after it was stopped");
    this.#isStarted = true;
    const listener = await this.#context.env.network.listen(this.#listen, (connection) =>
      this.#take(connection),
    );
    if (this.#context.isStopped) {
      await listener.close();
      return;
    }
    this.#listener = listener;
    for (const peer of this.#peers.values()) peer.link.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    // First the flag that keeps handlers from being called, then everything that would call them.
    const stopped = this.#context.stop();
    for (const peer of this.#peers.values()) peer.stop();
    await this.#listener?.close();
    await stopped;
  }

  setPeers(peers: readonly PeerAddress[]): void {
    const before = this.#peers;
    const sorted = peers.toSorted((a, b) => a.id - b.id);
    this.#peers = new Map();
    for (const wanted of sorted) {
      assert(wanted.id !== this.#ownId, "a node is not its own peer");
      assert(!this.#peers.has(wanted.id), () => `peer ${wanted.id} is listed twice`);
      const present = before.get(wanted.id);
      const isSame = present !== undefined && present.address === wanted.address;
      this.#peers.set(wanted.id, isSame ? present : this.#create(wanted, present));
    }
    // The old ones end before the new ones begin: a peer that moved shares its counts with itself.
    for (const peer of before.values()) {
      if (this.#peers.get(peer.id) !== peer) peer.stop();
    }
    if (this.#listener === null) return;
    for (const peer of this.#peers.values()) {
      if (before.get(peer.id) !== peer) peer.link.start();
    }
  }

  /** A peer that only moved keeps its counts. */
  #create(wanted: PeerAddress, moved: Peer | undefined): Peer {
    return new Peer(this.#context, wanted, moved?.meter ?? new Meter(this.#context.totals));
  }

  send(to: NodeId, bytes: Uint8Array): void {
    const peer = this.#peers.get(to);
    if (peer !== undefined && peer.link.send(bytes)) return;
    if (peer === undefined) this.#context.totals.messagesDropped += 1;
    else peer.meter.dropped();
    this.#dropped.add(to);
  }

  flush(): void {
    for (const peer of this.#peers.values()) peer.link.flush();
    if (this.#dropped.size === 0) return;
    const dropped = [...this.#dropped];
    this.#dropped.clear();
    this.#context.later(() => {
      for (const id of dropped) this.#context.handlers.unreachable(id);
    });
  }

  sendSnapshot(to: NodeId, snapshot: OutgoingSnapshot): void {
    const peer = this.#peers.get(to);
    if (!this.#context.isStopped && peer !== undefined && peer.sendSnapshot(snapshot)) return;
    this.#context.run(closeSource(this.#context, snapshot.source));
    this.#context.later(() => this.#context.handlers.snapshotSent(to, snapshot.index, false));
  }

  async *requestEvents(
    from: NodeId,
    after: number,
    through: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const peer = this.#peers.get(from);
    if (this.#context.isStopped) throw new TransportError(from, "stopped");
    if (peer === undefined) throw new TransportError(from, "no peer of this node");
    yield* requestEvents(this.#context, peer, { after, through });
  }

  setPaused(paused: boolean): void {
    this.#isPaused = paused;
    for (const peer of this.#peers.values()) peer.setPaused(paused);
  }

  peers(): readonly PeerStatus[] {
    return Array.from(this.#peers.values(), (peer) => peer.status());
  }

  counters(): TransportCounters {
    return { ...this.#context.totals };
  }

  /** Somebody connects. */
  #take(connection: Connection): void {
    // Whoever can open sockets without end must not take this node's memory with them.
    if (this.#context.isStopped || this.#context.openStreams >= PEER_CONNECTIONS_MAX) {
      connection.destroy();
      return;
    }
    this.#context.run(this.#receive(this.#context.open(connection)));
  }

  async #receive(stream: FrameStream): Promise<void> {
    const accepted = await accept(this.#context, stream, (id) => this.#peers.get(id) ?? null);
    if (accepted === null) return;
    const { purpose, facts, target } = accepted;
    // Others may have run since the check: the list is looked at once more.
    const peer = this.#peers.get(target.id);
    if (peer !== target || !stream.isOpen) {
      stream.destroy();
      return;
    }
    peer.met(facts);
    switch (purpose) {
      case "messages":
        peer.receiveMessages(stream, this.#isPaused);
        break;
      case "snapshot":
        await peer.receiveSnapshot(stream);
        break;
      case "events":
        await serveEvents(this.#context, peer, stream);
        break;
    }
  }
}
