// One peer, with everything this node has under way with it. It lives as long as the peer is in the
// list under the same address; then it is gone for good, and its connections with it.

import type { NodeId } from "../base/brand.ts";
import type { Target, TransportContext } from "./context.ts";
import type { FrameStream } from "./frame-stream.ts";
import { MessageLink } from "./message-link.ts";
import { MessageReceiver } from "./message-receiver.ts";
import type { Meter } from "./meter.ts";
import { receiveSnapshotFile } from "./snapshot-receiver.ts";
import { sendSnapshotFile } from "./snapshot-sender.ts";
import type { NodeFacts, OutgoingSnapshot, PeerAddress, PeerStatus } from "./transport.ts";

interface IncomingSnapshot {
  readonly stream: FrameStream;
  readonly done: Promise<void>;
}

export class Peer implements Target {
  readonly id: NodeId;
  readonly address: string;
  readonly meter: Meter;
  readonly link: MessageLink;
  readonly #context: TransportContext;
  #http: string | null = null;
  #receiver: MessageReceiver | null = null;
  #incoming: IncomingSnapshot | null = null;
  #isSendingSnapshot = false;
  #isGone = false;

  constructor(context: TransportContext, { id, address }: PeerAddress, meter: Meter) {
    this.id = id;
    this.address = address;
    this.meter = meter;
    this.#context = context;
    this.link = new MessageLink(context, this, (facts) => {
      this.#http = facts.http;
      context.handlers.connected(id, facts);
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  status(): PeerStatus {
    return {
      id: this.id,
      address: this.address,
      http: this.#http,
      connected: this.link.isUp,
      rttMs: this.link.rttMs,
      lastHeardMs: this.meter.lastHeardMs,
      queuedBytes: this.link.queuedBytes,
      droppedMessages: this.meter.droppedMessages,
      sentBytes: this.meter.sentBytes,
      receivedBytes: this.meter.receivedBytes,
      refusal: this.#context.refusals.dialled(this.id),
    };
  }

  stop(): void {
    this.#isGone = true;
    this.link.stop();
    this.#receiver?.stop();
    this.#context.endAllWith(this.meter);
    // Should it come back, whatever is then against it is news.
    this.#context.refusals.settled("dialled", this.id);
  }

  setPaused(paused: boolean): void {
    this.#receiver?.setPaused(paused);
  }

  /** The peer has introduced itself on a connection that it dialled. */
  met(facts: NodeFacts): void {
    this.#http = facts.http;
    this.link.nudge(facts.run);
  }

  /**
   * Takes messages off `stream` from here on; an older connection for them is dead or about to be.
   */
  receiveMessages(stream: FrameStream, isPaused: boolean): void {
    this.#receiver?.stop();
    const receiver = new MessageReceiver(this.#context, this, stream, isPaused, () => {
      if (this.#receiver === receiver) this.#receiver = null;
    });
    this.#receiver = receiver;
    receiver.start();
  }

  /**
   * Takes a snapshot off `stream`. One at a time from a peer: when it begins anew it has given up
   * the one before, whose sink must be let go before the owner is asked for another.
   */
  async receiveSnapshot(stream: FrameStream): Promise<void> {
    const before = this.#incoming;
    before?.stream.destroy(); // Its task notices, aborts its sink and comes to its end.
    const done = this.#receiveAfter(before?.done ?? Promise.resolve(), stream);
    const incoming = { stream, done };
    this.#incoming = incoming;
    await done;
    if (this.#incoming === incoming) this.#incoming = null;
  }

  async #receiveAfter(before: Promise<void>, stream: FrameStream): Promise<void> {
    await before;
    const { totals } = this.#context;
    if (await receiveSnapshotFile(this.#context, this, stream)) totals.snapshotsReceived += 1;
    else totals.snapshotsFailed += 1;
  }

  /** False, and nothing done, if another transfer to this peer is under way. */
  sendSnapshot(snapshot: OutgoingSnapshot): boolean {
    if (this.#isSendingSnapshot) return false;
    this.#isSendingSnapshot = true;
    const message = snapshot.message.slice();
    // The message may lie in memory that the core uses again as soon as this call is over.
    this.#context.run(this.#sendSnapshot({ ...snapshot, message }));
    return true;
  }

  async #sendSnapshot(snapshot: OutgoingSnapshot): Promise<void> {
    const { totals, handlers, env } = this.#context;
    const { index, term, source } = snapshot;
    await sendSnapshotFile(this.#context, this, snapshot, (sent) => {
      this.#isSendingSnapshot = false;
      if (sent.ok) totals.snapshotsSent += 1;
      else totals.snapshotsFailed += 1;
      const fields = { peer: this.id, index, term, bytes: source.bytes };
      if (sent.ok) env.logger.info("snapshot sent", fields);
      else env.logger.warn("snapshot not sent", { ...fields, reason: sent.reason });
      if (!this.#context.isStopped) handlers.snapshotSent(this.id, index, sent.ok);
    });
  }
}
