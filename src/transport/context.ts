// What the parts of the transport share: the outside world, the owner, and the books that make
// `stop` complete (every connection that is open, every task that is under way).

import { AssertionError, toError } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { Env } from "../env/env.ts";
import type { Connection } from "../env/network.ts";
import { FrameStream } from "./frame-stream.ts";
import type { VersionRange } from "./hello.ts";
import { noTotals, type Meter, type Totals } from "./meter.ts";
import { RefusalBook } from "./refusal-book.ts";
import type { NodeFacts, TransportHandlers } from "./transport.ts";

export type TransportEnv = Pick<Env, "clock" | "random" | "network" | "logger">;

/** A peer as those who talk with it need it. */
export interface Target {
  readonly id: NodeId;
  readonly address: string;
  readonly meter: Meter;
  /** It has left the list of peers, or moved: nothing new may be begun with it. */
  readonly isGone: boolean;
}

export class TransportContext {
  readonly env: TransportEnv;
  readonly handlers: TransportHandlers;
  /**
   * Asked anew for every handshake: a node is founded, or learns its HTTP address, while it runs.
   */
  readonly facts: () => NodeFacts;
  readonly protocol: VersionRange;
  readonly totals: Totals = noTotals();
  readonly refusals: RefusalBook;
  readonly #streams = new Set<FrameStream>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #waiters = new Set<() => void>();
  #isStopped = false;

  constructor(
    env: TransportEnv,
    handlers: TransportHandlers,
    facts: () => NodeFacts,
    protocol: VersionRange,
  ) {
    this.env = env;
    this.handlers = handlers;
    this.facts = facts;
    this.protocol = protocol;
    this.refusals = new RefusalBook(env.logger, (peer, refusal) => {
      if (!this.#isStopped) handlers.refused(peer, refusal);
    });
  }

  /** From then on no handler may be called: whoever comes back from an `await` looks here first. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  open(connection: Connection): FrameStream {
    const stream = new FrameStream(connection, this.env.clock, (ended) => {
      this.#streams.delete(ended);
    });
    this.#streams.add(stream);
    return stream;
  }

  /**
   * Keeps a task until it ends. Tasks deal with operating errors themselves; one that rejects has
   * met a broken invariant, which is left unhandled on purpose, so that it ends the process.
   */
  run(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  /**
   * What `work` comes to; null if the transport is stopped first, which waits for no network or
   * owner.
   */
  untilStopped<T>(work: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => resolve(null);
      if (this.#isStopped) giveUp();
      this.#waiters.add(giveUp);
      void work.then(resolve, reject).finally(() => this.#waiters.delete(giveUp));
    });
  }

  /** Calls the owner once the present call of the owner's is over. */
  later(call: () => void): void {
    if (this.#isStopped) return;
    this.env.clock.defer(() => {
      if (!this.#isStopped) call();
    });
  }

  /** Ends every connection with the peer whose bytes `meter` counts. */
  endAllWith(meter: Meter): void {
    for (const stream of this.#streams) if (stream.belongsTo(meter)) stream.destroy();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const stream of this.#streams) stream.destroy();
    for (const giveUp of this.#waiters) giveUp();
    await Promise.allSettled(this.#tasks);
  }
}

/** What a handler, a source or a sink threw, as a reason; a broken invariant is thrown on. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AssertionError) throw thrown;
  return toError(thrown).message;
}
