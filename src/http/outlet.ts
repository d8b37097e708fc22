// A long answer on its way to one client: lists, events, the live stream. It is written in pieces,
// each only when the client has taken the ones before it, and between pieces other requests are
// served. So a slow client costs one piece of memory, and one that takes nothing at all is dropped.

import type { FastifyReply } from "fastify";

import { STREAM_STALL_MS_MAX } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";

export class Outlet {
  readonly #raw: FastifyReply["raw"];
  readonly #clock: Clock;
  #closed: boolean;
  /** Who waits for the client to take what was written; one at a time. */
  #wake: (() => void) | null = null;

  constructor(raw: FastifyReply["raw"], clock: Clock) {
    this.#raw = raw;
    this.#clock = clock;
    // The client may have gone before the answer began.
    this.#closed = raw.destroyed;
    const wake = (): void => this.#wake?.();
    raw.on("drain", wake);
    raw.on("close", () => {
      this.#closed = true;
      wake();
    });
    // An error is followed by "close"; without a listener it would be an uncaught one.
    raw.on("error", wake);
  }

  /** True once the answer is complete or the client has gone: nothing more can be written. */
  get isClosed(): boolean {
    return this.#closed || this.#raw.writableEnded;
  }

  onClose(handler: () => void): void {
    this.#raw.on("close", handler);
  }

  /**
   * Writes, and resolves when there is room for more: false if there is nobody to write for. Every
   * call lets other work of the event loop go first.
   */
  async write(text: string): Promise<boolean> {
    if (this.isClosed) return false;
    // Node.js takes an empty piece for the end of a chunked answer, in some versions.
    if (text !== "" && !this.#raw.write(text)) await this.#drained();
    // Also behind a drain: a client that takes everything at once drains before the turn is over.
    await this.#turn();
    return !this.isClosed;
  }

  end(): void {
    if (!this.isClosed) this.#raw.end();
  }

  /**
   * Ends the connection in the middle of the answer, so that the client cannot take it for whole.
   */
  abort(): void {
    this.#raw.destroy();
  }

  #turn(): Promise<void> {
    return new Promise((next) => this.#clock.defer(next));
  }

  async #drained(): Promise<void> {
    const stalled = this.#clock.after(STREAM_STALL_MS_MAX, () => this.abort());
    await new Promise<void>((wake) => {
      this.#wake = wake;
    });
    this.#wake = null;
    stalled.cancel();
  }
}
