// The writes this node has taken from clients and not yet settled.
//
// Raft may lose a proposal without a word (etcd raft, node.go: "proposals can be lost"), so each one is
// offered again, under the same number, until it is seen applied or nobody waits for it any longer. The
// FSM applies a number once, so a write that is offered five times happens once.
//
//   where it can loop      why it ends
//   offered again          a proposal lives for `settleTicks` at most, then its outcome is unknown
//   waiting for a leader   `leaderWaitTicks` at most, then nothing was proposed and the client is told
//
// Invariants: numbers are given once and only grow; `low` is the smallest number still waited for; no
// number is given that lies SESSION_WINDOW_MAX or more above `low`.

import { PROPOSALS_MAX, PROPOSAL_BYTES_MAX, SESSION_WINDOW_MAX } from "../base/limits.ts";
import type { NodeId } from "../base/brand.ts";
import { COMMAND_VERSION, type Command } from "../fsm/command.ts";
import { encodeEnvelope } from "../fsm/envelope.ts";
import type { IdempotencyKey } from "./api.ts";

export interface Proposal {
  readonly seq: number;
  /** The shell's number for whoever waits. */
  readonly request: number;
  readonly bytes: Uint8Array;
  readonly key: IdempotencyKey | null;
  readonly takenAtTick: number;
  /** When it was last offered to raft; null: never, so refusing it is safe. */
  offeredAtTick: number | null;
  /** The leadership it was last offered under. */
  offeredIn: number;
}

export interface Session {
  readonly node: NodeId;
  readonly start: number;
}

export class Proposals {
  readonly #session: Session;
  readonly #pending = new Map<number, Proposal>(); // by number, oldest first
  #nextSeq = 1;
  #bytes = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Every number below this one is settled. */
  get low(): number {
    for (const seq of this.#pending.keys()) return seq;
    return this.#nextSeq;
  }

  /** Whether one more can be taken; if not, the client is told to come back (429). */
  get hasRoom(): boolean {
    return (
      this.#pending.size < PROPOSALS_MAX &&
      this.#bytes < PROPOSAL_BYTES_MAX &&
      this.#nextSeq - this.low < SESSION_WINDOW_MAX
    );
  }

  take(
    request: number,
    command: Command,
    key: IdempotencyKey | null,
    at: number,
    nowTick: number,
  ): Proposal {
    const seq = this.#nextSeq;
    const bytes = encodeEnvelope({
      v: COMMAND_VERSION,
      node: this.#session.node,
      start: this.#session.start,
      seq,
      low: this.low,
      at,
      key: key?.key ?? null,
      fingerprint: key?.fingerprint ?? null,
      command,
    });
    this.#nextSeq += 1;
    this.#bytes += bytes.length;
    const proposal: Proposal = {
      seq,
      request,
      bytes,
      key,
      takenAtTick: nowTick,
      offeredAtTick: null,
      offeredIn: 0,
    };
    this.#pending.set(seq, proposal);
    return proposal;
  }

  /** Whether a number of this session was given to a proposal that is still waited for. */
  find(node: number, start: number, seq: number): Proposal | null {
    if (node !== this.#session.node || start !== this.#session.start) return null;
    return this.#pending.get(seq) ?? null;
  }

  /** Whether it is still waited for. */
  has(proposal: Proposal): boolean {
    return this.#pending.get(proposal.seq) === proposal;
  }

  settle(proposal: Proposal): void {
    if (this.#pending.delete(proposal.seq)) this.#bytes -= proposal.bytes.length;
  }

  /** Oldest first. Settling while walking is allowed. */
  all(): IterableIterator<Proposal> {
    return this.#pending.values();
  }
}
