// Linearizable reads: a read may be answered from this node's state once that state holds everything
// that was acknowledged before the read began (Raft thesis §6.4, ReadIndex).
//
// Reads that wait share rounds: while one round is under way the next reads gather. Each attempt has a
// context of its own that no node ever used before: an answer to an older attempt could carry an older
// index (etcd-io/etcd#20418 shipped that for years).

import { ByteWriter } from "../base/bytes.ts";
import type { Session } from "./proposals.ts";

export interface Read {
  readonly request: number;
  readonly takenAtTick: number;
}

interface Round {
  readonly context: string;
  readonly reads: readonly Read[];
  readonly askedAtTick: number;
}

interface Answered {
  readonly index: number;
  readonly reads: readonly Read[];
}

export class Reads {
  readonly #session: Session;
  #attempts = 0;
  #waiting: Read[] = [];
  #round: Round | null = null;
  #answered: Answered[] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  get size(): number {
    let size = this.#waiting.length + (this.#round?.reads.length ?? 0);
    for (const { reads } of this.#answered) size += reads.length;
    return size;
  }

  get wantsRound(): boolean {
    return this.#round === null && this.#waiting.length > 0;
  }

  /** When the round under way was asked for; null if there is none. */
  get roundAskedAtTick(): number | null {
    return this.#round?.askedAtTick ?? null;
  }

  take(request: number, nowTick: number): void {
    this.#waiting.push({ request, takenAtTick: nowTick });
  }

  /** Begins a round for every read that waits; returns the context to ask under. */
  begin(nowTick: number): Uint8Array {
    this.#attempts += 1;
    const context = new ByteWriter(24)
      .u64(this.#session.node)
      .u64(this.#session.start)
      .u64(this.#attempts)
      .take();
    this.#round = { context: contextKey(context), reads: this.#waiting, askedAtTick: nowTick };
    this.#waiting = [];
    return context;
  }

  /** Gives up on the round under way: its reads wait for another, under another context. */
  abandonRound(): void {
    if (this.#round === null) return;
    this.#waiting = [...this.#round.reads, ...this.#waiting];
    this.#round = null;
  }

  /** The answer to an attempt; answers to abandoned ones are ignored. */
  answer(context: Uint8Array, index: number): void {
    if (this.#round === null || this.#round.context !== contextKey(context)) return;
    this.#answered.push({ index, reads: this.#round.reads });
    this.#round = null;
  }

  /** Takes out the reads that a state applied up to `appliedIndex` can answer. */
  takeServable(appliedIndex: number): readonly Read[] {
    if (this.#answered.length === 0) return [];
    const served: Read[] = [];
    this.#answered = this.#answered.filter((one) => {
      if (one.index > appliedIndex) return true;
      served.push(...one.reads);
      return false;
    });
    return served;
  }

  /** Takes out every read taken before `tick`, wherever it stands. */
  takeExpired(tick: number): readonly Read[] {
    if (this.size === 0) return []; // as in nearly every tick
    const expired: Read[] = [];
    const keep = (read: Read): boolean => {
      if (read.takenAtTick >= tick) return true;
      expired.push(read);
      return false;
    };
    this.#waiting = this.#waiting.filter(keep);
    if (this.#round !== null) {
      this.#round = { ...this.#round, reads: this.#round.reads.filter(keep) };
      if (this.#round.reads.length === 0) this.#round = null;
    }
    this.#answered = this.#answered
      .map((one) => ({ ...one, reads: one.reads.filter(keep) }))
      .filter((one) => one.reads.length > 0);
    return expired;
  }
}

function contextKey(context: Uint8Array): string {
  return String.fromCharCode(...context);
}
