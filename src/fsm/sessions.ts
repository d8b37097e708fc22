// Which numbered proposals were applied, so that a proposal made again is applied once.
//
// A session is one run of one node: (node id, count of its starts). A node numbers its proposals
// from 1 and proposes again, under the same number, whatever it has not seen applied. Many are in
// flight at once and may be committed in any order, so the highest number says nothing: the session
// remembers each number that was applied, in a window that begins at `low`. With every proposal the
// node says below which number it waits for nothing any more; those need not be remembered, and a
// proposal of such a number is a straggler that nobody waits for.
//
//     1 … low − 1  settled   │  low … low + SESSION_WINDOW_MAX − 1  one bit each, in a ring
//
// One session lives for each node id: the newest start. An older start is a dead process's: its
// proposals may still lie in somebody's log, nobody waits for them, and they are not applied,
// because their numbers are no longer remembered.
//
// Every command passes here, so a session is a ring of bits and allocates nothing. The bound holds
// because a proposer gives out no number that is not below its own low + SESSION_WINDOW_MAX
// (envelope.ts refuses it on both sides), and the session's low is at least that of any proposal.

import { assert } from "../base/assert.ts";
import { SESSION_WINDOW_MAX } from "../base/limits.ts";

assert(SESSION_WINDOW_MAX % 8 === 0, "the window is whole bytes of bits");

/** The part of an envelope that says which proposal it is. */
export interface Numbered {
  readonly node: number;
  readonly start: number;
  readonly seq: number;
  readonly low: number;
}

/**
 * Numbers that follow each other, from the first to the last, both included. Counted from the
 * session's `low`, so that the text of a session is bounded by its window, whatever its numbers are.
 */
export type Run = readonly [first: number, last: number];

/** A session as plain data. */
export interface SessionRecord {
  readonly node: number;
  readonly start: number;
  readonly low: number;
  /** The remembered numbers, ascending, as few runs as they make. */
  readonly applied: readonly Run[];
}

interface Session {
  readonly start: number;
  low: number;
  /** The greatest number applied so far: no number above it has its bit set. */
  high: number;
  /**
   * A ring of SESSION_WINDOW_MAX bits: the bit of a number within the window says that it was
   * applied.
   */
  readonly applied: Uint8Array;
}

export class Sessions {
  readonly #byNode = new Map<number, Session>();

  /** Whether this proposal is to be applied. Changes nothing. */
  judge(of: Numbered): "fresh" | "duplicate" {
    const session = this.#byNode.get(of.node);
    if (session === undefined || of.start > session.start) return "fresh";
    if (of.start < session.start || of.seq < session.low) return "duplicate";
    return isApplied(session, of.seq) ? "duplicate" : "fresh";
  }

  /** Remembers a fresh proposal as applied, and forgets what its proposer has settled. */
  record(of: Numbered): void {
    assert(of.seq >= of.low, () => `number ${of.seq} was settled when it was proposed`);
    assert(this.judge(of) === "fresh", () => `number ${of.seq} of node ${of.node} again`);
    let session = this.#byNode.get(of.node);
    if (session === undefined || of.start > session.start) {
      session = newSession(of.start, of.low);
      this.#byNode.set(of.node, session);
    }
    settle(session, of.low);
    remember(session, of.seq);
  }

  /** All sessions, by node id: the one order in which they are saved. */
  records(): readonly SessionRecord[] {
    const nodes = [...this.#byNode].toSorted(([a], [b]) => a - b);
    return nodes.map(([node, session]) => {
      const { start, low } = session;
      return { node, start, low, applied: runsOf(session) };
    });
  }

  /** Puts back a session that `records` gave. */
  restore({ node, start, low, applied }: SessionRecord): void {
    assert(!this.#byNode.has(node), () => `a second session of node ${node}`);
    const session = newSession(start, low);
    let next = 0;
    for (const [first, last] of applied) {
      // Runs that touch are one run: a session has one text only.
      assert(first >= next, () => `a run from ${first}, where ${next} is the next`);
      assert(first <= last, () => `a run from ${first} to ${last}`);
      for (let seq = first; seq <= last; seq += 1) remember(session, low + seq);
      next = last + 2;
    }
    this.#byNode.set(node, session);
  }
}

function newSession(start: number, low: number): Session {
  return { start, low, high: low - 1, applied: new Uint8Array(SESSION_WINDOW_MAX / 8) };
}

/**
 * Whether a number that is not settled was applied. One above the greatest remembered was not; it
 * may lie beyond the window, and then has its bit in common with a number that its own low settles.
 */
function isApplied(session: Session, seq: number): boolean {
  if (seq > session.high) return false;
  const place = seq % SESSION_WINDOW_MAX;
  return ((session.applied[place >>> 3] ?? 0) & (1 << (place & 7))) !== 0;
}

function runsOf(session: Session): readonly Run[] {
  const { low, high } = session;
  const runs: Run[] = [];
  for (let seq = low; seq <= high; seq += 1) {
    if (!isApplied(session, seq)) continue;
    const first = seq;
    while (isApplied(session, seq + 1)) seq += 1;
    runs.push([first - low, seq - low]);
  }
  return runs;
}

function remember(session: Session, seq: number): void {
  assert(seq >= session.low, () => `number ${seq} is settled`);
  assert(seq < session.low + SESSION_WINDOW_MAX, () => `number ${seq} outruns the window`);
  const place = seq % SESSION_WINDOW_MAX;
  session.applied[place >>> 3] = (session.applied[place >>> 3] ?? 0) | (1 << (place & 7));
  session.high = Math.max(session.high, seq);
}

/** Forgets the numbers below `low`, if it is further than what the session has heard. */
function settle(session: Session, low: number): void {
  if (low <= session.low) return;
  // Only numbers up to the greatest remembered one have bits to clear.
  const end = Math.min(low, session.high + 1);
  for (let seq = session.low; seq < end; seq += 1) {
    const place = seq % SESSION_WINDOW_MAX;
    session.applied[place >>> 3] = (session.applied[place >>> 3] ?? 0) & ~(1 << (place & 7));
  }
  session.low = low;
}
