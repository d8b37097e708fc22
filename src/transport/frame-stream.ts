// One connection, seen as frames. It owns the connection's handlers, the decoder and the count of
// bytes, and offers two ways to read: `next`, one frame after the other, for whoever follows a
// protocol step by step (the other side is held up while frames wait); and `consume`, a handler for
// every frame as it comes, for messages.
//
// A frame that does not decode, or anything after the end, ends the connection; nothing is read
// past it.

import { assert } from "../base/assert.ts";
import { HANDSHAKE_BYTES_MAX } from "../base/limits.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { Connection } from "../env/network.ts";
import { FrameDecoder, encodeFrame, type Frame, type FrameKind } from "./frame.ts";
import type { Meter } from "./meter.ts";

export type Received =
  | { readonly kind: "frame"; readonly frame: Frame }
  /** Nothing came in time; the connection is as it was. */
  | { readonly kind: "silence" }
  | { readonly kind: "closed"; readonly reason: string };

export interface FrameConsumer {
  frame(frame: Frame): void;
  /**
   * The other side or the network ended it, or what came was no frame. Not called for `destroy`.
   */
  closed(reason: string): void;
}

const ENDED_HERE = "ended by this node";

export class FrameStream {
  readonly remote: string;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #decoder = new FrameDecoder(HANDSHAKE_BYTES_MAX);
  readonly #onEnd: (stream: FrameStream) => void;
  /** Frames that nobody has asked for yet. */
  readonly #waiting: Frame[] = [];
  #reader: ((received: Received) => void) | null = null;
  #consumer: FrameConsumer | null = null;
  /** Why it ended; null while it is open. */
  #endedBy: string | null = null;
  /** Set once no more is sent: the other side has until then to end it as well. */
  #linger: Timer | null = null;
  #meter: Meter | null = null;
  #sentBytes = 0;
  #receivedBytes = 0;
  #lastHeardMs: number;

  /** Must be called in the turn in which the connection was handed over. `onEnd` is called once. */
  constructor(connection: Connection, clock: Clock, onEnd: (stream: FrameStream) => void) {
    this.remote = connection.remote;
    this.#connection = connection;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#lastHeardMs = clock.monotonicMs();
    connection.onData((bytes) => this.#take(bytes));
    connection.onClose((reason) => this.#end(reason ?? "ended by the other side"));
  }

  get isOpen(): boolean {
    return this.#endedBy === null;
  }

  /** Whether a frame is there that `next` would return at once. */
  get hasNext(): boolean {
    return this.#waiting.length > 0;
  }

  get queuedBytes(): number {
    return this.isOpen ? this.#connection.queuedBytes : 0;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** When bytes last came, or the connection began. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Whether it was trusted as one of the peer whose bytes `meter` counts. */
  belongsTo(meter: Meter): boolean {
    return this.#meter === meter;
  }

  /** From here on frames of every length are taken, and the bytes are counted for a peer. */
  trust(meter: Meter): void {
    this.#decoder.widen();
    this.#meter = meter;
    meter.sent(this.#sentBytes);
    meter.received(this.#receivedBytes, this.#lastHeardMs);
  }

  send(kind: FrameKind, ...parts: readonly Uint8Array[]): void {
    this.write(encodeFrame(kind, ...parts));
  }

  /** Sends frames that are encoded already. */
  write(frames: Uint8Array): void {
    // Whoever writes may not have heard of the end yet: it comes as an event of its own.
    if (!this.isOpen || this.#linger !== null) return;
    this.#sentBytes += frames.length;
    this.#meter?.sent(frames.length);
    this.#connection.write(frames);
  }

  /** The next frame, if it comes within `timeoutMs`. One reader at a time. */
  next(timeoutMs: number): Promise<Received> {
    // Two readers would each get half of a conversation.
    assert(this.#reader === null, "two readers of one connection");
    assert(this.#consumer === null, "the frames go to a consumer");
    const frame = this.#waiting.shift();
    if (frame !== undefined) return Promise.resolve({ kind: "frame", frame });
    if (this.#endedBy !== null) return Promise.resolve({ kind: "closed", reason: this.#endedBy });
    this.#connection.resume(); // Frames that nobody asked for may have paused it.
    return new Promise((resolve) => {
      const settle = (received: Received): void => {
        if (this.#reader !== settle) return;
        this.#reader = null;
        timer.cancel();
        resolve(received);
      };
      // After a stall of this process its timers run before its sockets are read: what has come in
      // the meantime is looked at first, before anybody is called silent.
      const timer = this.#clock.after(timeoutMs, () => {
        this.#clock.defer(() => settle({ kind: "silence" }));
      });
      this.#reader = settle;
    });
  }

  /** Hands every frame to `consumer` from here on, beginning with those that wait. */
  consume(consumer: FrameConsumer): void {
    assert(this.#reader === null, "somebody is reading");
    assert(this.#consumer === null, "there is a consumer already");
    this.#consumer = consumer;
    const hadEnded = !this.isOpen;
    for (const frame of this.#waiting.splice(0)) {
      // The consumer may destroy the stream over one of these, and wants no more of them then.
      if (this.#consumer !== null) consumer.frame(frame);
    }
    if (this.isOpen) this.#connection.resume();
    else if (hadEnded && this.#endedBy !== null) consumer.closed(this.#endedBy);
  }

  /** Stops taking frames from the network; for a stream with a consumer. */
  pause(): void {
    if (this.isOpen) this.#connection.pause();
  }

  resume(): void {
    if (this.isOpen) this.#connection.resume();
  }

  /** Ends it now, frames that wait included. A reader that waits is told; a consumer is not. */
  destroy(): void {
    if (!this.isOpen) return;
    this.#consumer = null;
    this.#waiting.length = 0;
    this.#connection.destroy();
    this.#end(ENDED_HERE);
  }

  /** Sends what is queued, then ends it; at the latest after `lingerMs`. */
  finish(lingerMs: number): void {
    if (!this.isOpen || this.#linger !== null) return;
    this.#connection.end();
    this.#linger = this.#clock.after(lingerMs, () => this.destroy());
  }

  #take(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.#lastHeardMs = this.#clock.monotonicMs();
    this.#receivedBytes += bytes.length;
    this.#meter?.received(bytes.length, this.#lastHeardMs);
    const { frames, error } = this.#decoder.push(bytes);
    for (const frame of frames) {
      // A frame may make its receiver end the connection; those behind it were never there.
      if (!this.isOpen) return;
      this.#deliver(frame);
    }
    if (error !== null && this.isOpen) {
      this.#connection.destroy();
      this.#end(`it broke the protocol: ${error}`);
    }
  }

  #deliver(frame: Frame): void {
    if (this.#consumer !== null) {
      this.#consumer.frame(frame);
    } else if (this.#reader !== null) {
      this.#reader({ kind: "frame", frame });
    } else {
      // At most what one read held waits here; the rest waits in the kernels, and so at the sender.
      this.#waiting.push(frame);
      this.#connection.pause();
    }
  }

  #end(reason: string): void {
    if (!this.isOpen) return;
    this.#endedBy = reason;
    this.#linger?.cancel();
    // The books first: what the reader or consumer does next may look at them.
    this.#onEnd(this);
    this.#reader?.({ kind: "closed", reason });
    this.#consumer?.closed(reason);
  }
}
