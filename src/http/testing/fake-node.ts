// A node for tests of the HTTP layer: the real state machine without a cluster around it. Every
// command is encoded, applied and answered as a node of one would do it, so that the tests meet
// real replies and real rows; what a cluster adds (no leader, overload, an unknown outcome) is
// switched on by hand.

import { assert, must } from "../../base/assert.ts";
import { nodeId } from "../../base/brand.ts";
import { rfc3339 } from "../../base/time.ts";
import type { Command } from "../../fsm/command.ts";
import { COMMAND_VERSION } from "../../fsm/command.ts";
import { encodeEnvelope } from "../../fsm/envelope.ts";
import type { Farm } from "../../fsm/farm.ts";
import { Machine } from "../../fsm/machine.ts";
import type {
  BarrierResult,
  EventPage,
  EventSource,
  FarmNode,
  IdempotencyKey,
  NodeStatus,
  SubmitResult,
  Unavailable,
} from "../../node/api.ts";

const TERM = 3;
/** 2026-11-22T14:30:00Z; every command comes a second after the one before it. */
const BEGINNING_MS = 1_795_357_800_000;

const NO_COUNTS: NodeStatus["counters"] = {
  leader_changes: 0,
  proposals_submitted: 0,
  proposals_applied: 0,
  proposals_failed: 0,
  proposals_repeated: 0,
  proposals_pending: 0,
  reads_served: 0,
  reads_pending: 0,
  log_batches: 0,
  log_bytes: 0,
  log_sync_seconds: 0,
  snapshots_taken: 0,
  snapshots_installed: 0,
  snapshots_sent: 0,
  peer_messages_sent: 0,
  peer_messages_dropped: 0,
  peer_bytes_sent: 0,
  peer_bytes_received: 0,
};

class FakeEvents implements EventSource {
  readonly all: { readonly index: number; readonly type: string; readonly line: string }[] = [];
  readonly #wakes = new Set<() => void>();
  lastIndex = 1;
  /** The oldest index that is kept. */
  oldest = 2;
  isMissing = false;
  /** How often a page was read: a follower that keeps asking in vain would show here. */
  reads = 0;

  get subscribers(): number {
    return this.#wakes.size;
  }

  read(after: number, limit: number): Promise<EventPage> {
    this.reads += 1;
    if (this.isMissing) return Promise.resolve({ kind: "missing" });
    if (after + 1 < this.oldest && after < this.lastIndex && this.oldest > 2) {
      return Promise.resolve({ kind: "gone", oldest: this.oldest });
    }
    const events = this.all.filter((event) => event.index > after).slice(0, limit);
    const isWhole = events.length < limit;
    const through = isWhole ? this.lastIndex : must(events.at(-1), "a last event").index;
    return Promise.resolve({ kind: "page", events, through });
  }

  subscribe(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => void this.#wakes.delete(wake);
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
  }
}

export class FakeNode implements FarmNode {
  readonly id = nodeId(1);
  readonly clusterId = "c0ffee00c0ffee00";
  readonly events = new FakeEvents();
  readonly machine = Machine.empty();
  /** Everything that reached the node, whatever came of it. */
  readonly submitted: Command[] = [];
  barriers = 0;
  leaderId: NodeStatus["leaderId"] = nodeId(1);
  lastContactMs = 0;
  /** Why nothing is proposed and no read confirmed; null: all is well. */
  unavailable: Unavailable | null = null;
  /** The next commands are applied, and their outcome is not learnt. */
  losesOutcome = false;
  /** A bug in the node. */
  breaks: Error | null = null;
  checks = { formed: true, leader: true, caughtUp: true, disk: true };
  /** Resolves when a held submit may go on; null: at once. */
  held: Promise<void> | null = null;
  #seq = 0;

  constructor() {
    this.machine.applyEmpty(1, TERM);
  }

  get farm(): Farm {
    return this.machine.farm;
  }

  get appliedIndex(): number {
    return this.machine.appliedIndex;
  }

  async submit(command: Command, key: IdempotencyKey | null): Promise<SubmitResult> {
    this.submitted.push(command);
    if (this.breaks !== null) throw this.breaks;
    if (this.unavailable !== null) return { kind: "unavailable", reason: this.unavailable };
    if (this.held !== null) await this.held;
    const result = this.apply(command, key);
    return this.losesOutcome ? { kind: "outcome-unknown" } : result;
  }

  /** Applies a command at once, as if another node's client had sent it. */
  apply(command: Command, key: IdempotencyKey | null = null): SubmitResult {
    this.#seq += 1;
    const seq = this.#seq;
    const index = this.machine.appliedIndex + 1;
    const bytes = encodeEnvelope({
      v: COMMAND_VERSION,
      node: this.id,
      start: 1,
      seq,
      low: seq,
      at: BEGINNING_MS + seq * 1000,
      key: key?.key ?? null,
      fingerprint: key?.fingerprint ?? null,
      command,
    });
    const applied = this.machine.apply(index, TERM, bytes);
    assert(applied.kind === "replied", "a new number is never a duplicate");
    this.events.lastIndex = index;
    if (applied.event !== null) {
      const { at, event, term } = applied.event;
      const { type, data } = event;
      const hash = this.farm.digest();
      const line = JSON.stringify({ index, term, time: rfc3339(at), type, data, hash });
      this.events.all.push({ index, type, line });
      this.events.wake();
    }
    return { kind: "replied", reply: applied.reply, replayed: applied.replayed };
  }

  barrier(): Promise<BarrierResult> {
    this.barriers += 1;
    return Promise.resolve(
      this.unavailable === null
        ? { kind: "ok" }
        : { kind: "unavailable", reason: this.unavailable },
    );
  }

  status(): NodeStatus {
    return {
      clusterId: this.clusterId,
      nodeId: this.id,
      role: this.leaderId === this.id ? "leader" : "follower",
      leaderId: this.leaderId,
      term: TERM,
      commitIndex: this.appliedIndex,
      appliedIndex: this.appliedIndex,
      members: [
        {
          id: this.id,
          role: "voter",
          state: "leader",
          peer: "127.0.0.1:9001",
          http: "127.0.0.1:8001",
          matchIndex: this.appliedIndex,
          lag: 0,
          reachable: true,
        },
        {
          id: nodeId(2),
          role: "voter",
          state: null,
          peer: "127.0.0.1:9002",
          http: null,
          matchIndex: null,
          lag: null,
          reachable: false,
        },
      ],
      checks: this.checks,
      lastContactMs: this.lastContactMs,
      stateHash: this.farm.digest(),
      counters: { ...NO_COUNTS, proposals_submitted: this.submitted.length },
    };
  }
}
