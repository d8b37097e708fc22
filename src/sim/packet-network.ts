// Nodes that exchange messages over the worst network Raft must live with: messages are lost, delayed,
// doubled and overtake each other, links are cut in one direction or both. It stands in the place of
// PeerTransport, one layer above byte streams, because TCP would hide most of that (stream-network.ts
// is the world below it).

import { type LogIndex, type NodeId, logIndex } from "../base/brand.ts";
import { must, toError } from "../base/assert.ts";
import {
  type NodeFacts,
  type OutgoingSnapshot,
  type PeerStatus,
  type SnapshotSink,
  type Transport,
  type TransportCounters,
  TransportError,
  type TransportHandlers,
} from "../transport/transport.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";

export interface LinkConditions {
  /** Share of messages that are lost. */
  readonly loss: number;
  /** Share of messages that arrive twice. */
  readonly duplication: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

export const PERFECT_LINKS: LinkConditions = {
  loss: 0,
  duplication: 0,
  delayMsMin: 0.2,
  delayMsMax: 0.6,
};

const CHUNK_BYTES = 4096;

interface Attached {
  readonly facts: () => NodeFacts;
  readonly handlers: TransportHandlers;
  /** Differs between two lives of one node: what was sent by the first never reaches the second's ears. */
  readonly life: number;
  /** Resolves when that life is over: what its disk was doing for others never ends. */
  readonly over: Promise<void>;
  readonly end: () => void;
}

export class PacketNetwork {
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #attached = new Map<NodeId, Attached>();
  readonly #cuts = new Set<string>();
  /** Until when nothing passes, by direction. */
  readonly #clogs = new Map<string, number>();
  #lives = 0;
  conditions: LinkConditions = PERFECT_LINKS;

  constructor(clock: SimClock, random: SimRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Stops everything from `from` to `to`; the other direction is not touched. */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Holds everything from `from` to `to` for a while. */
  clog(from: NodeId, to: NodeId, ms: number): void {
    this.#clogs.set(`${from}>${to}`, this.#clock.monotonicMs() + ms);
  }

  healAll(): void {
    this.#cuts.clear();
    this.#clogs.clear();
  }

  get cuts(): readonly string[] {
    return [...this.#cuts];
  }

  /** A node's way into this network; it ends with `detach` or the transport's own `stop`. */
  attach(
    id: NodeId,
    peers: readonly { readonly id: NodeId; readonly address: string }[],
    facts: () => NodeFacts,
    handlers: TransportHandlers,
  ): Transport {
    this.#lives += 1;
    const life = this.#lives;
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    this.#attached.set(id, { facts, handlers, life, over, end });
    return new PacketTransport(this, id, life, peers);
  }

  /** The process is gone; what it has sent is still under way. */
  detach(id: NodeId, life: number | null = null): void {
    const found = this.#attached.get(id);
    if (found === undefined || (life !== null && found.life !== life)) return;
    this.#attached.delete(id);
    found.end();
  }

  isOpen(from: NodeId, to: NodeId): boolean {
    const isCut = this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`);
    return !isCut && this.#attached.has(to);
  }

  find(id: NodeId): Attached | null {
    return this.#attached.get(id) ?? null;
  }

  delayMs(): number {
    const { delayMsMin, delayMsMax } = this.conditions;
    return delayMsMin + this.#random.unit() * (delayMsMax - delayMsMin);
  }

  /** Sends one message through the weather. */
  post(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    const { duplication, loss } = this.conditions;
    const copies = this.#random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random.chance(loss)) continue;
      const clogged = (this.#clogs.get(`${from}>${to}`) ?? 0) - this.#clock.monotonicMs();
      this.#clock.after(Math.max(0, clogged) + this.delayMs(), () => {
        // A cut made meanwhile stops it, too.
        if (this.isOpen(from, to)) this.find(to)?.handlers.message(from, bytes);
      });
    }
  }

  later(delayMs: number, run: () => void): void {
    this.#clock.after(delayMs, run);
  }

  pause(): Promise<void> {
    return new Promise((go) => this.#clock.after(this.delayMs(), go));
  }

  /** Whether a chunk of a transfer is lost together with its connection. */
  breaks(): boolean {
    return this.#random.chance(this.conditions.loss / 4);
  }
}

class PacketTransport implements Transport {
  readonly #network: PacketNetwork;
  readonly #id: NodeId;
  readonly #life: number;
  readonly #sending = new Set<NodeId>();
  #peers: readonly { readonly id: NodeId; readonly address: string }[];
  #outbox: { readonly to: NodeId; readonly bytes: Uint8Array }[] = [];
  #sent = 0;
  #dropped = 0;
  #bytes = 0;

  constructor(
    network: PacketNetwork,
    id: NodeId,
    life: number,
    peers: readonly { readonly id: NodeId; readonly address: string }[],
  ) {
    this.#network = network;
    this.#id = id;
    this.#life = life;
    this.#peers = peers;
  }

  get #alive(): boolean {
    return this.#network.find(this.#id)?.life === this.#life;
  }

  async start(): Promise<void> {
    for (const { id } of this.#peers) {
      this.#network.later(this.#network.delayMs(), () => {
        const other = this.#network.find(id);
        const self = this.#network.find(this.#id);
        if (other === null || self?.life !== this.#life) return;
        self.handlers.connected(id, other.facts());
        other.handlers.connected(this.#id, self.facts());
      });
    }
  }

  async stop(): Promise<void> {
    this.#network.detach(this.#id, this.#life);
  }

  setPeers(peers: readonly { readonly id: NodeId; readonly address: string }[]): void {
    this.#peers = peers;
  }

  send(to: NodeId, bytes: Uint8Array): void {
    this.#outbox.push({ to, bytes: bytes.slice() });
  }

  flush(): void {
    if (this.#outbox.length === 0) return;
    const outbox = this.#outbox;
    this.#outbox = [];
    const unreachable = new Set<NodeId>();
    for (const { to, bytes } of outbox) {
      if (!this.#alive) return;
      this.#sent += 1;
      this.#bytes += bytes.length;
      // A sender learns of a dead process (a refused connection), never of a cut or a lost message.
      if (this.#network.find(to) === null) unreachable.add(to);
      else this.#network.post(this.#id, to, bytes);
    }
    for (const peer of unreachable) {
      this.#dropped += 1;
      this.#network.later(0, () => {
        if (this.#alive) this.#network.find(this.#id)?.handlers.unreachable(peer);
      });
    }
  }

  sendSnapshot(to: NodeId, snapshot: OutgoingSnapshot): void {
    const copy = { ...snapshot, message: snapshot.message.slice() };
    void this.#transfer(to, copy).then((ok) => this.#reportSent(to, copy.index, ok));
  }

  #reportSent(to: NodeId, index: LogIndex, ok: boolean): void {
    if (this.#alive) this.#network.find(this.#id)?.handlers.snapshotSent(to, index, ok);
  }

  async #transfer(to: NodeId, snapshot: OutgoingSnapshot): Promise<boolean> {
    const { source, index, term, message } = snapshot;
    if (this.#sending.has(to)) {
      await source.close();
      return false;
    }
    this.#sending.add(to);
    try {
      await this.#network.pause();
      const receiver = this.#reach(to);
      if (receiver === null) return false;
      const { bytes, sha256 } = source;
      const offer = { index, term, bytes, sha256, message };
      const sink = await outlived(receiver, to, receiver.handlers.receiveSnapshot(this.#id, offer));
      if (sink === null) return false;
      try {
        await this.#fill(to, receiver, sink, source);
      } catch (thrown) {
        await outlived(receiver, to, sink.abort());
        throw thrown;
      }
      receiver.handlers.snapshotReceived(this.#id, { index: logIndex(index), term, message });
      return true;
    } catch (thrown) {
      toError(thrown); // the receiver died, or a disk failed, which reports itself to its own node
      return false;
    } finally {
      this.#sending.delete(to);
      await source.close();
    }
  }

  async #fill(
    to: NodeId,
    receiver: Attached,
    sink: SnapshotSink,
    source: OutgoingSnapshot["source"],
  ): Promise<void> {
    const sender = must(this.#network.find(this.#id), "the sender");
    const { bytes } = source;
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const read = source.read(at, Math.min(CHUNK_BYTES, bytes - at));
      const chunk = await outlived(sender, this.#id, read);
      await this.#network.pause();
      if (this.#reach(to)?.life !== receiver.life || this.#network.breaks()) {
        throw new TransportError(to, "the connection broke");
      }
      await outlived(receiver, to, sink.write(at, chunk));
    }
    await outlived(receiver, to, sink.finish());
  }

  #reach(to: NodeId): Attached | null {
    const open = this.#network.isOpen(this.#id, to) && this.#network.isOpen(to, this.#id);
    return open && this.#alive ? this.#network.find(to) : null;
  }

  async *requestEvents(from: NodeId, after: number, through: number): AsyncIterable<Uint8Array> {
    await this.#network.pause();
    const server = this.#reach(from);
    const blocks = server?.handlers.serveEvents(this.#id, after, through) ?? null;
    if (server === null || blocks === null) {
      throw new TransportError(from, "does not have these events");
    }
    const reader = blocks[Symbol.asyncIterator]();
    for (;;) {
      const next = await outlived(server, from, reader.next());
      if (next.done === true) return;
      await this.#network.pause();
      if (this.#reach(from) === null || this.#network.breaks()) {
        void reader.return?.(); // nobody waits: a dead process does not answer
        throw new TransportError(from, "the connection broke");
      }
      yield next.value;
    }
  }

  setPaused(): void {
    // Messages are events of the simulated clock; nothing piles up in a socket.
  }

  peers(): readonly PeerStatus[] {
    return this.#peers.map(({ id, address }) => ({
      id,
      address,
      http: this.#network.find(id)?.facts().http ?? null,
      connected: this.#reach(id) !== null,
      rttMs: null,
      lastHeardMs: null,
      queuedBytes: 0,
      droppedMessages: this.#dropped,
      sentBytes: this.#bytes,
      receivedBytes: 0,
      refusal: null,
    }));
  }

  counters(): TransportCounters {
    return {
      messagesSent: this.#sent,
      messagesReceived: 0,
      messagesDropped: this.#dropped,
      bytesSent: this.#bytes,
      bytesReceived: 0,
      connects: 0,
      disconnects: 0,
      snapshotsSent: 0,
      snapshotsReceived: 0,
      snapshotsFailed: 0,
    };
  }
}

/** What comes of work at another node; its connection breaks if that node's process dies over it. */
function outlived<T>(other: Attached, id: NodeId, work: Promise<T>): Promise<T> {
  const broken = other.over.then(() => {
    throw new TransportError(id, "the connection broke");
  });
  return Promise.race([work, broken]);
}
