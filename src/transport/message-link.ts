// The one connection that carries this node's messages to one peer. It dials, and dials again with
// growing random waits; gathers messages until they are flushed; bounds what may wait; watches
// whether the other side still answers. It lives as long as the peer has its address: `start` once,
// `stop` once.
//
// A message that cannot go out now is dropped. Raft repeats what matters, and a queue that outlives
// a connection would deliver old news first.

import { PEER_QUEUE_BYTES_MAX, RECONNECT_MAX_MS, REFUSED_RETRY_MS } from "../base/limits.ts";
import type { Timer } from "../env/clock.ts";
import { below } from "../env/random.ts";
import { Backoff } from "./backoff.ts";
import type { Target, TransportContext } from "./context.ts";
import type { FrameStream } from "./frame-stream.ts";
import { FRAME_HEADER_BYTES, FrameGatherer, type Frame } from "./frame.ts";
import { dial, readRefusal } from "./handshake.ts";
import { decodePing } from "./payload.ts";
import { PingWatch } from "./ping.ts";
import type { NodeFacts } from "./transport.ts";

type LinkState =
  | { readonly kind: "stopped" }
  | { readonly kind: "dialling" }
  | { readonly kind: "waiting"; readonly timer: Timer }
  | {
      readonly kind: "up";
      readonly stream: FrameStream;
      readonly pings: PingWatch;
      readonly run: string;
      readonly sinceMs: number;
    };

const STOPPED: LinkState = { kind: "stopped" };

export class MessageLink {
  readonly #context: TransportContext;
  readonly #target: Target;
  readonly #onUp: (facts: NodeFacts) => void;
  readonly #backoff: Backoff;
  readonly #gatherer = new FrameGatherer();
  #state: LinkState = STOPPED;
  #gathered = 0;
  #nudgedMs = -Infinity;
  #lastFailure: string | null = null;

  constructor(context: TransportContext, target: Target, onUp: (facts: NodeFacts) => void) {
    this.#context = context;
    this.#target = target;
    this.#onUp = onUp;
    this.#backoff = new Backoff(context.env.random);
  }

  get isUp(): boolean {
    return this.#state.kind === "up";
  }

  get rttMs(): number | null {
    return this.#state.kind === "up" ? this.#state.pings.rttMs : null;
  }

  get queuedBytes(): number {
    return this.#state.kind === "up" ? this.#gatherer.length + this.#state.stream.queuedBytes : 0;
  }

  start(): void {
    this.#dial();
  }

  stop(): void {
    const state = this.#state;
    this.#state = STOPPED;
    if (state.kind === "waiting") state.timer.cancel();
    if (state.kind === "up") {
      state.pings.stop();
      state.stream.destroy();
    }
  }

  /**
   * The peer, as the process `run`, has just connected to this node: it is alive, so there is no
   * point in waiting on. And if this link leads to an earlier process it leads nowhere: whatever
   * would be written to it is lost until a ping finds out. At most once in a while, so that two
   * nodes whose connections end at once do not chase each other.
   */
  nudge(run: string): void {
    const state = this.#state;
    const isStale = state.kind === "up" && state.run !== run;
    if (state.kind !== "waiting" && !isStale) return;
    const nowMs = this.#context.env.clock.monotonicMs();
    if (nowMs - this.#nudgedMs < RECONNECT_MAX_MS) return;
    this.#nudgedMs = nowMs;
    if (state.kind === "up") this.#lost("the peer was started anew");
    if (this.#state.kind === "waiting") {
      this.#state.timer.cancel();
      this.#dial();
    }
  }

  /** Copies the message into the next write; false if it had to be dropped. */
  send(bytes: Uint8Array): boolean {
    const frameBytes = FRAME_HEADER_BYTES + bytes.length;
    if (this.#state.kind !== "up") return false;
    // Both queues count: a peer that does not read must not cost this node its memory.
    if (this.queuedBytes + frameBytes > PEER_QUEUE_BYTES_MAX) return false;
    this.#gatherer.append("message", bytes);
    this.#gathered += 1;
    return true;
  }

  flush(): void {
    if (this.#state.kind !== "up" || this.#gathered === 0) return;
    this.#context.totals.messagesSent += this.#gathered;
    this.#gathered = 0;
    this.#state.stream.write(this.#gatherer.take());
  }

  #dial(): void {
    this.#state = { kind: "dialling" };
    this.#context.run(this.#connect());
  }

  async #connect(): Promise<void> {
    const dialled = await dial(this.#context, this.#target, "messages");
    if (this.#state.kind !== "dialling") {
      // Stopped in the meantime.
      if (dialled.kind === "up") dialled.stream.destroy();
      return;
    }
    switch (dialled.kind) {
      case "up":
        this.#up(dialled.stream, dialled.facts);
        break;
      case "refused":
        this.#wait(this.#refusedMs());
        break;
      case "failed":
        this.#noteFailure(dialled.reason);
        this.#wait(this.#backoff.nextMs());
        break;
    }
  }

  #up(stream: FrameStream, facts: NodeFacts): void {
    const { clock, logger } = this.#context.env;
    const pings = new PingWatch(clock, stream, () => {
      stream.destroy();
      this.#lost("it does not answer");
    });
    const sinceMs = clock.monotonicMs();
    // The state before the frames: those that wait already may end the connection.
    this.#state = { kind: "up", stream, pings, run: facts.run, sinceMs };
    this.#lastFailure = null;
    this.#context.totals.connects += 1;
    const { id: peer, address } = this.#target;
    logger.info("peer connected", { peer, address, run: facts.run });
    stream.consume({
      frame: (frame) => this.#take(frame, stream, pings),
      closed: (reason) => this.#lost(reason),
    });
    if (this.isUp) this.#onUp(facts);
  }

  /** The listener speaks on this connection only to answer pings, or to take its welcome back. */
  #take(frame: Frame, stream: FrameStream, pings: PingWatch): void {
    if (frame.kind === "pong" && pings.pong(decodePing(frame.payload))) return;
    stream.destroy();
    if (frame.kind === "refuse") {
      const refusal = readRefusal(frame);
      this.#context.refusals.refused("dialled", this.#target.id, refusal);
      this.#lost(`refused: ${refusal.code}`, this.#refusedMs());
    } else {
      this.#lost(`a ${frame.kind} frame that was not asked for`);
    }
  }

  #lost(reason: string, waitMs: number | null = null): void {
    const state = this.#state;
    if (state.kind !== "up") return;
    const { clock, logger } = this.#context.env;
    state.pings.stop();
    state.stream.destroy();
    // What was gathered was meant for a moment that is over.
    this.#gatherer.clear();
    while (this.#gathered > 0) {
      this.#gathered -= 1;
      this.#target.meter.dropped();
    }
    this.#context.totals.disconnects += 1;
    this.#backoff.ended(clock.monotonicMs() - state.sinceMs);
    logger.info("peer lost", { peer: this.#target.id, reason });
    this.#wait(waitMs ?? this.#backoff.nextMs());
    // What was written may have arrived or not. Raft must not go on as if it had: it would wait for
    // answers to messages that nobody has seen.
    // At once, before a request is read that would be sent after them.
    if (!this.#context.isStopped) this.#context.handlers.disconnected(this.#target.id);
  }

  /** The wait after a refusal: long, and not the same for everybody. */
  #refusedMs(): number {
    const halfMs = REFUSED_RETRY_MS / 2;
    return halfMs + below(this.#context.env.random, halfMs);
  }

  #wait(delayMs: number): void {
    const timer = this.#context.env.clock.after(delayMs, () => this.#dial());
    this.#state = { kind: "waiting", timer };
  }

  /** A peer that is down is met as down every two seconds; people hear of it once. */
  #noteFailure(reason: string): void {
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    const { id: peer, address } = this.#target;
    this.#context.env.logger.info("peer cannot be reached", { peer, address, reason });
  }
}
