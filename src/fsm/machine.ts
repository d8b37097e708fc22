// The state machine that every node runs behind the log: committed entries go in, one at a time and
// in order, and what became of each comes out. Equal entries give equal machines, on every node, in
// the replay and in the simulator; nothing but the entries matters.
//
// It ties together the farm, the sessions (a number is applied once) and the answers (a key is
// answered once), and keeps two hashes. `farm` is the hash of the objects as they are. `chain` is a
// running hash over every entry and what became of it: farms can be equal while a session or an
// answer differs, and the chain shows that at the first entry that is treated differently, and
// forever after.
//
// The machine never refuses an entry. One that it cannot read stops it (UnknownEntryError, with
// nothing changed): to skip the entry would make this node differ from those that could read it.

import { assert } from "../base/assert.ts";
import { crc32 } from "../base/hash.ts";
import { IDEMPOTENCY_KEYS_MAX } from "../base/limits.ts";
import type { Answer, Recall } from "./answers.ts";
import { Answers } from "./answers.ts";
import type { Envelope } from "./command.ts";
import { COMMAND_VERSION } from "./command.ts";
import { decide } from "./decide.ts";
import { decodeEnvelope } from "./envelope.ts";
import type { RecordedEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import type { FarmView } from "./farm.ts";
import { Farm } from "./farm.ts";
import type { Applied, Reply } from "./reply.ts";
import { rowHash } from "./rows.ts";
import type { SessionRecord } from "./sessions.ts";
import { Sessions } from "./sessions.ts";
import type { Hash64 } from "./state-hash.ts";
import { Hasher, hashHex } from "./state-hash.ts";
import type { TablePicture } from "./table.ts";

/** What nodes compare at equal indexes. Both in sixteen digits. */
export interface MachineHashes {
  readonly index: number;
  /** Over everything applied and what became of it. */
  readonly chain: string;
  /** Over the objects as they are; the same that a fold of the events gives. */
  readonly farm: string;
}

/** A picture of the whole machine: later entries do not show in it. */
export interface MachineView {
  readonly index: number;
  readonly term: number;
  readonly hashes: MachineHashes;
  readonly farm: FarmView;
  readonly sessions: readonly SessionRecord[];
  readonly answers: TablePicture<Answer>;
  readonly answersMax: number;
}

/** A committed entry that this version of the program does not know: the node must stop. */
export class UnknownEntryError extends Error {
  override readonly name = "UnknownEntryError";
  readonly index: number;
  /**
   * The entry's format if it names one that is not known; null if it is not of a known form at all.
   */
  readonly version: number | null;

  constructor(index: number, version: number | null, reason: string) {
    super(
      `log entry ${index} is of a form this node does not know (${reason}; known: format ` +
        `${COMMAND_VERSION}). The node stops here rather than guess, and has lost nothing: ` +
        "upgrade it to the version that the other nodes run and start it again.",
    );
    this.index = index;
    this.version = version;
  }
}

/** Everything a machine is made of; the loader of snapshots puts it together. */
export interface MachineParts {
  readonly farm: Farm;
  readonly sessions: Sessions;
  readonly answers: Answers;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly chain: Hash64;
}

export interface MachineOptions {
  /** Bound of the Idempotency-Keys. Part of the replicated state: the same on every node. */
  readonly answersMax?: number;
}

/** How an entry counts in the chain. The numbers are part of the format: never reused. */
const OUTCOME = { empty: 1, duplicate: 2, accepted: 3, rejected: 4, replayed: 5 } as const;

const NO_HASH: Hash64 = { high: 0, low: 0 };

export class Machine {
  readonly farm: Farm;
  readonly #sessions: Sessions;
  readonly #answers: Answers;
  #chain: Hash64;
  #appliedIndex: number;
  #appliedTerm: number;

  constructor(parts: MachineParts) {
    this.farm = parts.farm;
    this.#sessions = parts.sessions;
    this.#answers = parts.answers;
    this.#chain = parts.chain;
    this.#appliedIndex = parts.appliedIndex;
    this.#appliedTerm = parts.appliedTerm;
  }

  /** Before the first entry; `applyEmpty(1, term)` stands for the founding snapshot. */
  static empty(options: MachineOptions = {}): Machine {
    return new Machine({
      farm: Farm.empty(),
      sessions: new Sessions(),
      answers: new Answers(options.answersMax ?? IDEMPOTENCY_KEYS_MAX),
      appliedIndex: 0,
      appliedTerm: 0,
      chain: NO_HASH,
    });
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** The running hash over everything applied and what became of it. */
  get chain(): string {
    return hashHex(this.#chain);
  }

  /** Applies a committed normal entry: the next one, whole, exactly once. */
  apply(index: number, term: number, data: Uint8Array): Applied {
    if (data.length === 0) return this.applyEmpty(index, term);
    this.#assertNext(index, term);
    const envelope = readEnvelope(index, data);
    const applied = this.#applyEnvelope(index, term, envelope);
    this.#advance(index, term, crc32(data), outcomeOf(applied), detailOf(applied));
    return applied;
  }

  /** Applies an entry that holds no command: a leader's first one, or a configuration change. */
  applyEmpty(index: number, term: number): Applied {
    this.#assertNext(index, term);
    this.#advance(index, term, 0, OUTCOME.empty, 0);
    return { kind: "empty" };
  }

  /**
   * What is remembered under an Idempotency-Key, for a proposer that did not see its entry pass.
   */
  recall(key: string, fingerprint: string): Recall {
    return this.#answers.recall(key, fingerprint);
  }

  hashes(): MachineHashes {
    return { index: this.#appliedIndex, chain: this.chain, farm: this.farm.digest() };
  }

  view(): MachineView {
    return {
      index: this.#appliedIndex,
      term: this.#appliedTerm,
      hashes: this.hashes(),
      farm: this.farm.view(),
      sessions: this.#sessions.records(),
      answers: this.#answers.view(),
      answersMax: this.#answers.max,
    };
  }

  #assertNext(index: number, term: number): void {
    assert(index === this.#appliedIndex + 1, () => `entry ${index} after ${this.#appliedIndex}`);
    assert(term >= this.#appliedTerm, () => `term ${term} after ${this.#appliedTerm}`);
  }

  // The order matters. A number that was applied must not reach the answers, or a proposal made
  // twice would be answered as if its client had tried twice. A replay uses up its number all the
  // same: the proposal has had its effect, which is none.
  #applyEnvelope(index: number, term: number, envelope: Envelope): Applied {
    const { key, fingerprint } = envelope;
    if (this.#sessions.judge(envelope) === "duplicate") {
      const { node, start, seq } = envelope;
      return { kind: "duplicate", node, start, seq };
    }
    this.#sessions.record(envelope);
    if (key === null || fingerprint === null) return this.#carryOut(index, term, envelope);
    const known = this.#answers.recall(key, fingerprint);
    switch (known.kind) {
      case "replay":
        return replied(envelope, known.reply, true, null);
      case "reused":
        return replied(envelope, REUSED, false, null);
      case "unknown": {
        const applied = this.#carryOut(index, term, envelope);
        const { reply } = applied;
        this.#answers.remember({ id: key, created_index: index, fingerprint, reply });
        return applied;
      }
    }
  }

  #carryOut(index: number, term: number, envelope: Envelope): Replied {
    const decision = decide(this.farm, envelope.command);
    if (decision.kind === "rejected") {
      return replied(envelope, { ok: false, rejection: decision.rejection }, false, null);
    }
    const event: RecordedEvent = { index, term, at: envelope.at, event: decision.event };
    const object = evolve(this.farm, event);
    return replied(envelope, { ok: true, object }, false, event);
  }

  #advance(index: number, term: number, crc: number, outcome: number, detail: number): void {
    const { high, low } = this.farm.hash;
    this.#chain = new Hasher(this.#chain)
      .integer(index)
      .integer(term)
      .integer(crc)
      .integer(outcome)
      .integer(detail)
      .integer(high)
      .integer(low)
      .finish();
    this.#appliedIndex = index;
    this.#appliedTerm = term;
  }
}

type Replied = Extract<Applied, { kind: "replied" }>;

const REUSED: Reply = { ok: false, rejection: { code: "idempotency_key_reused" } };

function replied(
  { node, start, seq }: Envelope,
  reply: Reply,
  replayed: boolean,
  event: RecordedEvent | null,
): Replied {
  return { kind: "replied", node, start, seq, reply, replayed, event };
}

function readEnvelope(index: number, data: Uint8Array): Envelope {
  const decoded = decodeEnvelope(data);
  switch (decoded.kind) {
    case "envelope":
      return decoded.envelope;
    case "unknown-version":
      throw new UnknownEntryError(index, decoded.version, `it is of format ${decoded.version}`);
    case "malformed":
      throw new UnknownEntryError(index, null, decoded.reason);
  }
}

function outcomeOf(applied: Applied): number {
  if (applied.kind !== "replied") return OUTCOME[applied.kind];
  if (applied.replayed) return OUTCOME.replayed;
  return applied.reply.ok ? OUTCOME.accepted : OUTCOME.rejected;
}

/**
 * What tells apart two outcomes of one kind. What an accepted command did is in the farm's hash; a
 * refusal and a replayed answer leave no trace there, so they are hashed themselves.
 */
function detailOf(applied: Applied): number {
  if (applied.kind !== "replied") return 0;
  const { reply, replayed } = applied;
  if (!reply.ok) return new Hasher(NO_HASH).text(JSON.stringify(reply.rejection)).finish().high;
  return replayed && reply.object !== null ? rowHash(reply.object).high : 0;
}
