// One direction of a simulated TCP connection. Bytes arrive in order, cut into pieces as chance will
// have it, late, or not at all; what was sent into a cut waits there. A sender that is not read from
// is held up once a window is full.

import { must } from "../base/assert.ts";
import { below } from "../env/random.ts";
import { chance, delayMs, type Host, type Wire } from "./stream-wire.ts";

export type Piece =
  /** The dialler is there: the listener is given its end. */
  | { readonly kind: "open"; hasArrived: boolean }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; hasArrived: boolean }
  | { readonly kind: "end"; hasArrived: boolean }
  | { readonly kind: "reset"; hasArrived: boolean };

/** An end of a connection, as the ways from it and to it see it. */
export interface PipeEnd {
  readonly host: Host;
  readonly isClosed: boolean;
  /** Whether it would take a piece of this kind now. */
  canTake(kind: Piece["kind"]): boolean;
  opened(): void;
  take(bytes: Uint8Array): void;
  /** The other end sends no more. */
  endedByOther(): void;
  /** The connection is broken, seen from here. */
  fail(reason: string): void;
  /** The connection is broken for both. */
  reset(): void;
  /** What was held up here has left. */
  drained(): void;
}

/** From one end to the other. */
export class Pipe {
  readonly #wire: Wire;
  readonly #from: PipeEnd;
  readonly #to: PipeEnd;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #flight: Piece[] = [];
  /** Sent, and not yet known here to have been read. */
  #unackedBytes = 0;
  /** Read at the other end; the news of it is held up by a cut of the way back. */
  #heldAckBytes = 0;
  /** Once the queue is empty the other end is told that this was all. */
  #isEnding = false;
  #hasEnded = false;
  #isHeld = false;

  constructor(wire: Wire, from: PipeEnd, to: PipeEnd) {
    this.#wire = wire;
    this.#from = from;
    this.#to = to;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  open(): void {
    this.#launch({ kind: "open", hasArrived: false });
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#pump();
  }

  /** Nothing is written after this; the other end hears of it behind what was. */
  end(): void {
    this.#isEnding = true;
    this.#pump();
  }

  /** What was not sent is lost; what is on its way may be. */
  abandon(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isReset = chance(this.#wire.random, 0.5);
    if (isReset) this.#flight = [];
    this.#launch({ kind: isReset ? "reset" : "end", hasArrived: false });
  }

  /** The sender is no more: nothing that has not arrived ever will. */
  vanish(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#flight = [];
    this.#hasEnded = true;
  }

  /** A cut in one of the two directions has healed. */
  healed(): void {
    const again = (run: () => void): void => {
      const waitUs = Math.round(this.#wire.faults.healDelayMsMax * 1000);
      this.#wire.schedule(below(this.#wire.random, waitUs + 1) / 1000, run);
    };
    if (this.#isHeld) {
      this.#isHeld = false;
      again(() => this.arrive());
    }
    if (this.#heldAckBytes > 0) {
      const bytes = this.#heldAckBytes;
      this.#heldAckBytes = 0;
      again(() => this.#acknowledged(bytes));
    }
  }

  get isHeld(): boolean {
    return this.#isHeld || this.#heldAckBytes > 0;
  }

  #pump(): void {
    const { faults } = this.#wire;
    while (this.#queuedBytes > 0 && this.#unackedBytes < faults.windowBytes) {
      const room = Math.min(this.#queuedBytes, faults.windowBytes - this.#unackedBytes);
      // Like TCP, it waits for a decent part of the window rather than fill it with crumbs.
      if (room < Math.min(this.#queuedBytes, faults.windowBytes / 4)) break;
      const bytes = this.#dequeue(Math.min(room, this.#pieceBytes()));
      this.#unackedBytes += bytes.length;
      this.#launch({ kind: "bytes", bytes, hasArrived: false });
    }
    if (this.#isEnding && !this.#hasEnded && this.#queuedBytes === 0) {
      this.#hasEnded = true;
      this.#launch({ kind: "end", hasArrived: false });
    }
  }

  /** Mostly as much as there is, now and then a few bytes. */
  #pieceBytes(): number {
    const { random, faults } = this.#wire;
    const draw = below(random, 8);
    if (draw === 0) return 1 + below(random, 16);
    if (draw === 1) return 1 + below(random, 1024);
    return faults.pieceBytesMax;
  }

  /**
   * The first `count` bytes of the queue, as a copy: one write may be read as many, many as one.
   */
  #dequeue(count: number): Uint8Array {
    const taken = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const first = must(this.#queue[0], "queued bytes");
      const part = first.subarray(0, count - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(part.length);
    }
    this.#queuedBytes -= count;
    return taken;
  }

  #launch(piece: Piece): void {
    this.#flight.push(piece);
    this.#wire.schedule(delayMs(this.#wire), () => {
      piece.hasArrived = true;
      this.arrive();
    });
  }

  /** Hands over the next piece if it is there and may be: one for each event, like a real loop. */
  arrive(): void {
    const piece = this.#flight[0];
    if (piece === undefined || !piece.hasArrived) return;
    if (this.#wire.isCut(this.#from.host, this.#to.host)) {
      this.#isHeld = true;
      return;
    }
    if (this.#to.isClosed) return this.#answerForNobody();
    if (!this.#to.canTake(piece.kind)) return;
    this.#flight.shift();
    this.#wire.schedule(0, () => this.arrive());
    if (piece.kind === "open") {
      this.#to.opened();
    } else if (piece.kind === "end") {
      this.#to.endedByOther();
    } else if (piece.kind === "reset") {
      this.#to.fail("ECONNRESET");
    } else if (chance(this.#wire.random, this.#wire.faults.resetChance)) {
      this.#to.reset();
    } else {
      const bytes = this.#withThoseBehind(piece.bytes);
      this.#wire.schedule(delayMs(this.#wire), () => this.#acknowledged(bytes.length));
      this.#to.take(bytes);
    }
  }

  /** A read gives all that waits in the kernel, if it is not too much for one. */
  #withThoseBehind(first: Uint8Array): Uint8Array {
    const parts = [first];
    let length = first.length;
    for (let next = this.#flight[0]; next?.kind === "bytes"; next = this.#flight[0]) {
      length += next.bytes.length;
      if (!next.hasArrived || length > this.#wire.faults.pieceBytesMax) break;
      parts.push(next.bytes);
      this.#flight.shift();
    }
    return parts.length === 1 ? first : joined(parts);
  }

  /** A machine that is up knows nothing of connections it had before its crash, and says so. */
  #answerForNobody(): void {
    if (!this.#wire.isUp(this.#to.host)) return;
    this.#wire.schedule(delayMs(this.#wire), () => {
      if (!this.#wire.isCut(this.#to.host, this.#from.host)) this.#from.fail("ECONNRESET");
    });
  }

  #acknowledged(bytes: number): void {
    if (this.#wire.isCut(this.#to.host, this.#from.host)) {
      this.#heldAckBytes += bytes;
      return;
    }
    const hadBacklog = this.#queuedBytes > 0;
    this.#unackedBytes -= bytes;
    this.#pump();
    if (hadBacklog && this.#queuedBytes === 0) this.#from.drained();
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
