// A simulated connection: the two ends, each as its program sees it, and the ways between them.

import { must } from "../base/assert.ts";
import type { Connection } from "../env/network.ts";
import { Pipe, type Piece, type PipeEnd } from "./stream-pipe.ts";
import { chance, tell, type Host, type Wire } from "./stream-wire.ts";

/** One end of a connection, as its program sees it. */
export class StreamEnd implements Connection, PipeEnd {
  readonly host: Host;
  readonly remote: string;
  readonly pair: StreamPair;
  readonly #wire: Wire;
  #onData: ((bytes: Uint8Array) => void) | null = null;
  #onClose: ((reason: string | null) => void) | null = null;
  #onDrain: (() => void) | null = null;
  #isReady = false;
  #isPaused = false;
  /** Its program may write. */
  #isOpen = true;
  #isClosed = false;
  #closeReason: string | null = null;

  constructor(wire: Wire, pair: StreamPair, host: Host, remote: string) {
    this.#wire = wire;
    this.pair = pair;
    this.host = host;
    this.remote = remote;
  }

  /**
   * Before its program has it, it can be made or broken; then all comes in its turn, if it reads.
   */
  canTake(kind: Piece["kind"]): boolean {
    if (this.host.held !== null) return false;
    if (!this.#isReady) return kind === "open" || kind === "reset";
    return !this.#isPaused;
  }

  get queuedBytes(): number {
    return this.pair.from(this).queuedBytes;
  }

  /** The program has it: what has arrived may be handed over from the next event on. */
  ready(): void {
    this.#isReady = true;
    if (this.#isClosed) this.#tellClosed();
    this.#wire.schedule(0, () => this.pair.to(this).arrive());
  }

  write(bytes: Uint8Array): void {
    if (this.#isOpen) this.pair.from(this).write(bytes);
  }

  onData(handler: (bytes: Uint8Array) => void): void {
    this.#onData = handler;
  }

  onClose(handler: (reason: string | null) => void): void {
    this.#onClose = handler;
  }

  onDrain(handler: () => void): void {
    this.#onDrain = handler;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#wire.schedule(0, () => this.pair.to(this).arrive());
  }

  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.pair.from(this).end();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#close(null);
    this.pair.from(this).abandon();
  }

  // --- What the network does to it

  opened(): void {
    this.pair.accept();
  }

  reset(): void {
    this.pair.reset();
  }

  take(bytes: Uint8Array): void {
    must(this.#onData, "handler of data")(bytes);
  }

  drained(): void {
    tell(this.host, () => {
      if (!this.#isClosed) this.#onDrain?.();
    });
  }

  /** The other end sends no more. It is not read from either: this end is closed as well. */
  endedByOther(): void {
    if (this.#isClosed) return;
    this.#close(null);
    this.pair.from(this).end();
  }

  fail(reason: string): void {
    if (this.#isClosed) return;
    this.#close(reason);
    this.pair.from(this).vanish();
  }

  /** Its machine has crashed. */
  kill(isSilent: boolean): void {
    this.#isOpen = false;
    this.#isClosed = true;
    if (isSilent) this.pair.from(this).vanish();
    else this.pair.from(this).abandon();
    this.pair.closed();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #close(reason: string | null): void {
    this.#isOpen = false;
    this.#isClosed = true;
    this.#closeReason = reason;
    this.pair.closed();
    if (this.#isReady) this.#tellClosed();
  }

  #tellClosed(): void {
    this.#wire.schedule(0, () => tell(this.host, () => this.#onClose?.(this.#closeReason)));
  }
}

export interface PairHandlers {
  /** The listener's end is there for its program. */
  accepted(server: StreamEnd): void;
  /** Neither end holds the connection any more. */
  ended(pair: StreamPair): void;
}

/** A connection: two ends and the two ways between them. */
export class StreamPair {
  readonly client: StreamEnd;
  readonly server: StreamEnd;
  readonly #wire: Wire;
  readonly #handlers: PairHandlers;
  readonly #upstream: Pipe;
  readonly #downstream: Pipe;

  constructor(
    wire: Wire,
    between: { readonly client: Host; readonly server: Host; readonly address: string },
    handlers: PairHandlers,
  ) {
    const { client, server, address } = between;
    this.#wire = wire;
    this.#handlers = handlers;
    this.client = new StreamEnd(wire, this, client, address);
    this.server = new StreamEnd(wire, this, server, `${client.name}:client`);
    this.#upstream = new Pipe(wire, this.client, this.server);
    this.#downstream = new Pipe(wire, this.server, this.client);
  }

  /** The dialler takes its end in this turn. */
  open(): void {
    this.client.ready();
    this.#upstream.open();
  }

  accept(): void {
    this.server.ready();
    this.#handlers.accepted(this.server);
  }

  /** The way out of an end. */
  from(end: StreamEnd): Pipe {
    return end === this.client ? this.#upstream : this.#downstream;
  }

  /** The way to an end. */
  to(end: StreamEnd): Pipe {
    return end === this.client ? this.#downstream : this.#upstream;
  }

  ends(): readonly StreamEnd[] {
    return [this.client, this.server];
  }

  /** The machine at one end has woken up. */
  awake(host: Host): void {
    for (const end of this.ends()) {
      if (end.host === host) this.#wire.schedule(0, () => this.to(end).arrive());
    }
  }

  healed(): void {
    const wasHeld = this.#upstream.isHeld || this.#downstream.isHeld;
    if (wasHeld && chance(this.#wire.random, this.#wire.faults.healResetChance)) {
      this.reset();
    } else {
      this.#upstream.healed();
      this.#downstream.healed();
    }
  }

  /** Something on the way ends it for both. */
  reset(): void {
    this.client.fail("ECONNRESET");
    this.server.fail("ECONNRESET");
  }

  closed(): void {
    if (this.client.isClosed && this.server.isClosed) this.#handlers.ended(this);
  }
}
