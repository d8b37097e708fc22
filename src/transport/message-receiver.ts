// A peer's messages coming in over the connection that the peer dialled. Hands them up in order,
// answers pings, and hangs up on a peer that says nothing for long: a live one pings all the time.

import { HANDSHAKE_BYTES_MAX, SILENCE_TIMEOUT_MS } from "../base/limits.ts";
import type { Timer } from "../env/clock.ts";
import type { Target, TransportContext } from "./context.ts";
import type { FrameConsumer, FrameStream } from "./frame-stream.ts";
import type { Frame } from "./frame.ts";
import { readRefusal } from "./handshake.ts";

/**
 * Answers to pings that wait at this end; a peer that asks this much and listens to none is broken.
 */
const ANSWERS_BYTES_MAX = HANDSHAKE_BYTES_MAX;

export class MessageReceiver implements FrameConsumer {
  readonly stream: FrameStream;
  readonly #context: TransportContext;
  readonly #from: Target;
  readonly #onEnd: () => void;
  #timer: Timer;
  #isPaused: boolean;
  /** The dialler has said something, and so has nothing against this node. */
  #isSettled = false;

  constructor(
    context: TransportContext,
    from: Target,
    stream: FrameStream,
    isPaused: boolean,
    onEnd: () => void,
  ) {
    this.#context = context;
    this.#from = from;
    this.stream = stream;
    this.#isPaused = isPaused;
    this.#onEnd = onEnd;
    this.#timer = this.#listenFor(SILENCE_TIMEOUT_MS);
  }

  start(): void {
    this.stream.consume(this);
    if (this.#isPaused) this.stream.pause();
  }

  stop(): void {
    this.#timer.cancel();
    this.stream.destroy();
  }

  setPaused(paused: boolean): void {
    if (paused === this.#isPaused) return;
    this.#isPaused = paused;
    if (paused) this.stream.pause();
    else this.stream.resume();
  }

  frame(frame: Frame): void {
    if (!this.#isSettled && frame.kind !== "refuse") {
      this.#isSettled = true;
      this.#context.refusals.settled("accepted", this.#from.id);
    }
    if (frame.kind === "message") {
      this.#context.totals.messagesReceived += 1;
      this.#context.handlers.message(this.#from.id, frame.payload);
    } else if (frame.kind === "ping") {
      // Behind every message that came before it: a pong says that those were handed up as well.
      this.stream.send("pong", frame.payload);
      if (this.stream.queuedBytes > ANSWERS_BYTES_MAX) this.#hangUp("it reads no answers");
    } else if (frame.kind === "refuse") {
      this.#context.refusals.refused("accepted", this.#from.id, readRefusal(frame));
      this.#hangUp("refused");
    } else {
      this.#hangUp(`a ${frame.kind} frame among messages`);
    }
  }

  closed(reason: string): void {
    this.#timer.cancel();
    this.#context.env.logger.debug("peer hung up", { peer: this.#from.id, reason });
    this.#onEnd();
  }

  #hangUp(reason: string): void {
    this.stop();
    this.#context.env.logger.info("connection of a peer ended", { peer: this.#from.id, reason });
    this.#onEnd();
  }

  /**
   * Time in which this node did not listen, paused or stalled, counts as well: whoever had no
   * answer to its pings for so long has left and dials anew.
   */
  #listenFor(waitMs: number): Timer {
    return this.#context.env.clock.after(waitMs, () => this.#checkSilence());
  }

  #checkSilence(): void {
    const silentMs = this.#context.env.clock.monotonicMs() - this.stream.lastHeardMs;
    const leftMs = SILENCE_TIMEOUT_MS - silentMs;
    if (leftMs > 0) this.#timer = this.#listenFor(leftMs);
    else this.#hangUp("it said nothing for long");
  }
}
