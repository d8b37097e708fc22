// One replica of the print farm: the consensus core and the state machine, driven as one synchronous
// step machine. `step` takes what happened and returns what is to be done; nothing in here waits, reads
// a clock, touches a disk or draws a number, so the simulator runs exactly this code.
//
// Invariants:
//   - Every request (`submit`, `read`) is answered exactly once, whatever happens to the leader.
//   - A write is answered with its reply only when this replica has applied it (DESIGN §3).
//   - `appended` reaches the core only after everything before it is durable, in order; an installed
//     snapshot replaces the machine after its log record is durable and before the core is told.
//   - Whatever breaks an invariant throws (AssertionError, CoreTrap, UnknownEntryError), and the shell
//     ends the process: a replica that threw is never stepped again.

import { assert, must, unreachable } from "../base/assert.ts";
import { type NodeId, nodeId } from "../base/brand.ts";
import { MESSAGE_BYTES_MAX, READS_MAX } from "../base/limits.ts";
import type { Applied } from "../fsm/reply.ts";
import type { Machine, MachineHashes } from "../fsm/machine.ts";
import type { Group } from "../raft/core.ts";
import {
  type AppendWork,
  type ApplyWork,
  type ConfState,
  ENTRY_NORMAL,
  type GroupStatus,
  MSG_APP,
  MSG_SNAP,
  type RaftRole,
  type Ready,
  type SnapshotPoint,
} from "../raft/messages.ts";
import type { SubmitResult } from "./api.ts";
import { Appends } from "./appends.ts";
import { Backlog } from "./backlog.ts";
import type { Compaction } from "./compaction.ts";
import { isCheckpoint } from "./divergence.ts";
import { type Proposal, Proposals, type Session } from "./proposals.ts";
import { Reads } from "./reads.ts";
import type { AppliedEvent, Effect, Input } from "./steps.ts";

/** All durations in ticks. */
export interface ReplicaTimes {
  /** How long a request waits for a leader before it is told that there is none. */
  readonly leaderWait: number;
  /** How long a proposed write is waited for before its outcome is called unknown. */
  readonly settle: number;
  /** After this long without being applied a proposal is offered again. */
  readonly repeat: number;
  /** After this long without an answer a ReadIndex round is asked again, under a fresh context. */
  readonly readRetry: number;
  /** An append that takes longer means that the disk hangs. */
  readonly diskStall: number;
}

export interface ReplicaOptions {
  readonly session: Session;
  /** Started. */
  readonly group: Group;
  readonly machine: Machine;
  readonly confState: ConfState;
  readonly times: ReplicaTimes;
  readonly compaction: Compaction;
}

/** Counts since the start. */
export interface ReplicaCounters {
  leaderChanges: number;
  submitted: number;
  applied: number;
  failed: number;
  repeated: number;
  readsServed: number;
  snapshotsInstalled: number;
  /** Peer messages that raft or its glue would not take. */
  messagesRefused: number;
}

/** Entries after which a step ends early: some 15 milliseconds of work, 40 where the machine has other work. */
const APPLIED_PER_STEP_MAX = 512;

interface Incoming {
  readonly term: number;
  readonly machine: Machine;
}

export class Replica {
  readonly #group: Group;
  readonly #times: ReplicaTimes;
  readonly #compaction: Compaction;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #appends = new Appends();
  readonly #backlog = new Backlog();
  readonly #disconnected = new Set<NodeId>(); // peers whose connection ended and was not made again
  readonly #unreachable = new Set<NodeId>(); // peers that lost a message and have not been heard since
  readonly #incoming = new Map<number, Incoming>(); // received snapshots by index, not yet installed
  readonly counters: ReplicaCounters = {
    leaderChanges: 0,
    submitted: 0,
    applied: 0,
    failed: 0,
    repeated: 0,
    readsServed: 0,
    snapshotsInstalled: 0,
    messagesRefused: 0,
  };

  #machine: Machine;
  #confState: ConfState;
  #effects: Effect[] = [];
  #now = 0; // ticks
  #role: RaftRole = "follower";
  #leader: NodeId | null = null;
  #term = 0;
  /** Counts leaderships: a proposal offered under an older one may be lost and is offered again. */
  #leadership = 0;
  #leaderlessSince: number | null = 0;
  #toOffer = new Set<Proposal>();
  #offersBlocked = false; // raft refused a proposal in this tick
  #stallReported = false;
  #hasMore = false;
  #appliedInStep = 0; // entries

  constructor(options: ReplicaOptions) {
    this.#group = options.group;
    this.#machine = options.machine;
    this.#confState = options.confState;
    this.#times = options.times;
    this.#compaction = options.compaction;
    this.#proposals = new Proposals(options.session);
    this.#reads = new Reads(options.session);
    this.#term = options.group.status().hardState.term;
  }

  get machine(): Machine {
    return this.#machine;
  }

  get role(): RaftRole {
    return this.#role;
  }

  get leader(): NodeId | null {
    return this.#leader;
  }

  get pendingProposals(): number {
    return this.#proposals.size;
  }

  get pendingReads(): number {
    return this.#reads.size;
  }

  /** True if the last step stopped early to give the event loop a turn: step again, with no input. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** True if something committed waits for `apply`: at once if `isAwaited`, in a while if not. */
  get holdsBack(): boolean {
    return !this.#backlog.isEmpty;
  }

  /** Whether a client of this node waits for what is committed. */
  get isAwaited(): boolean {
    return this.#proposals.size > 0 || this.#reads.size > 0;
  }

  status(): GroupStatus {
    return this.#group.status();
  }

  /** Takes everything that happened since the last step and returns what is to be done about it. */
  step(inputs: readonly Input[]): readonly Effect[] {
    this.#effects = [];
    this.#hasMore = false;
    this.#appliedInStep = 0;
    for (const input of inputs) this.#take(input);
    do {
      this.#offer();
      this.#ask();
    } while (this.#pump());
    this.#serveReads();
    if (!this.#hasMore) this.#dropIgnoredSnapshots();
    return this.#effects;
  }

  #take(input: Input): void {
    switch (input.kind) {
      case "tick":
        return this.#tick();
      case "message":
        this.#unreachable.delete(input.from);
        if (this.#group.step(input.from, input.bytes) !== "taken") {
          this.counters.messagesRefused += 1;
        }
        return;
      case "submit":
        return this.#submit(input);
      case "read":
        return this.#read(input.request);
      case "apply":
        return this.#applyBacklog();
      case "appended":
        this.#appends.durable(input.ticket);
        return this.#releaseAppends();
      case "snapshot-taken":
        return this.#snapshotTaken(input.point);
      case "snapshot-failed":
        return this.#compaction.failed(this.#machine.appliedIndex);
      case "snapshot-lost":
        this.#compaction.lost(input.index);
        return this.#considerSnapshot();
      case "snapshot-received":
        this.#incoming.set(input.index, { term: input.term, machine: input.machine });
        this.#group.step(input.from, input.message, true);
        return;
      case "snapshot-sent":
        this.#compaction.transferEnded(input.to);
        return this.#group.reportSnapshot(input.to, input.ok);
      case "unreachable":
        this.#unreachable.add(input.peer);
        return this.#group.reportUnreachable(input.peer);
      case "disconnected":
        this.#disconnected.add(input.peer);
        return this.#group.reportUnreachable(input.peer);
      case "connected":
        this.#disconnected.delete(input.peer);
        this.#unreachable.delete(input.peer);
        return;
      case "transfer-leader":
        return this.#group.transferLeader(input.to);
      default:
        return unreachable(input);
    }
  }

  // --- Time

  #tick(): void {
    this.#now += 1;
    this.#offersBlocked = false;
    this.#group.tick();
    for (const proposal of this.#proposals.all()) this.#age(proposal);
    const readDeadline = this.#now - this.#times.leaderWait;
    for (const read of this.#reads.takeExpired(readDeadline)) this.#failRead(read.request);
    const asked = this.#reads.roundAskedAtTick;
    if (asked !== null && this.#now - asked >= this.#times.readRetry) this.#reads.abandonRound();
    this.#watchDisk();
    if (this.#compaction.tick(this.#machine.appliedIndex, this.#objects)) this.#takeSnapshot();
  }

  #age(proposal: Proposal): void {
    const age = this.#now - proposal.takenAtTick;
    if (proposal.offeredAtTick === null) {
      if (age >= this.#times.leaderWait) {
        this.#settle(proposal, { kind: "unavailable", reason: "no-leader" });
      }
    } else if (age >= this.#times.settle) {
      this.#settle(proposal, { kind: "outcome-unknown" });
    } else if (this.#now - proposal.offeredAtTick >= this.#times.repeat) {
      this.#toOffer.add(proposal);
    }
  }

  #watchDisk(): void {
    const ticks = this.#appends.waiting(this.#now);
    if (ticks >= this.#times.diskStall && !this.#stallReported) {
      this.#stallReported = true;
      this.#effects.push({ kind: "disk-stalled", ticks });
    }
  }

  // --- Requests

  /** Whether a leader has been missing for so long that waiting for one is no use to a client. */
  get #leaderless(): boolean {
    return (
      this.#leaderlessSince !== null && this.#now - this.#leaderlessSince >= this.#times.leaderWait
    );
  }

  #submit(input: Extract<Input, { kind: "submit" }>): void {
    this.counters.submitted += 1;
    const refuse = (reason: "no-leader" | "overloaded"): void => {
      this.counters.failed += 1;
      const result: SubmitResult = { kind: "unavailable", reason };
      this.#effects.push({ kind: "reply", request: input.request, result });
    };
    if (!this.#proposals.hasRoom) return refuse("overloaded");
    if (this.#leaderless) return refuse("no-leader");
    const { request, command, key, at } = input;
    this.#toOffer.add(this.#proposals.take(request, command, key, at, this.#now));
  }

  #settle(proposal: Proposal, result: SubmitResult): void {
    this.#proposals.settle(proposal);
    if (result.kind === "replied") this.counters.applied += 1;
    else this.counters.failed += 1;
    this.#effects.push({ kind: "reply", request: proposal.request, result });
  }

  #read(request: number): void {
    if (this.#leaderless) return this.#failRead(request);
    if (this.#reads.size >= READS_MAX) {
      const result = { kind: "unavailable", reason: "overloaded" } as const;
      this.#effects.push({ kind: "readable", request, result });
      return;
    }
    this.#reads.take(request, this.#now);
  }

  #failRead(request: number): void {
    // A leader that waits in vain has most likely lost its majority: then there is none to speak of.
    const isLed = this.#leader !== null && this.#role !== "leader" && this.#canReach(this.#leader);
    const reason = isLed ? "not-current" : "no-leader";
    this.#effects.push({ kind: "readable", request, result: { kind: "unavailable", reason } });
  }

  /** Offers what waits, in as few messages as their size allows: one append for many commands. */
  #offer(): void {
    if (this.#toOffer.size === 0 || this.#offersBlocked || !this.#canReachQuorum) return;
    // What is proposed while the log is being written could not be written before that ends. It waits,
    // and shares one append and one message to each node with all that comes meanwhile. A follower's
    // log is written in step with the leader's, so the same holds for what it forwards.
    if (this.#appends.isWriting) return;
    const offered = [...this.#toOffer].filter((one) => this.#proposals.has(one));
    this.#toOffer.clear();
    for (let from = 0; from < offered.length;) {
      let bytes = 0;
      let to = from;
      while (to < offered.length && (to === from || bytes < MESSAGE_BYTES_MAX)) {
        bytes += must(offered[to], "proposal").bytes.length;
        to += 1;
      }
      const batch = offered.slice(from, to);
      if (!this.#group.propose(batch.map((one) => one.bytes))) {
        this.#offersBlocked = true;
        this.#toOffer = new Set(offered.slice(from));
        return;
      }
      for (const proposal of batch) this.#noteOffered(proposal);
      from = to;
    }
  }

  /**
   * Whether an offer can get anywhere, as far as this node knows. One that is held back here was never
   * proposed, so its client may safely be told to try again; one that is lost has an unknown outcome.
   */
  get #canReachQuorum(): boolean {
    if (this.#leader === null) return false;
    if (this.#role !== "leader") return this.#canReach(this.#leader);
    const { voters } = this.#confState;
    const reachable = voters.filter((id) => this.#canReach(nodeId(id)));
    return reachable.length > voters.length / 2;
  }

  #canReach(peer: NodeId): boolean {
    return !this.#disconnected.has(peer) && !this.#unreachable.has(peer);
  }

  #noteOffered(proposal: Proposal): void {
    if (proposal.offeredAtTick !== null) this.counters.repeated += 1;
    proposal.offeredAtTick = this.#now;
    proposal.offeredIn = this.#leadership;
  }

  #ask(): void {
    if (!this.#reads.wantsRound || this.#leader === null) return;
    // A single voter answers ReadIndex at once, also before an entry of its own term is committed, and
    // its commit index may have gone back in a crash (etcd-io/raft#105): wait until that entry is applied.
    const alone =
      this.#confState.voters.length === 1 && this.#confState.votersOutgoing.length === 0;
    if (alone && this.#machine.appliedTerm !== this.#term) return;
    this.#group.readIndex(this.#reads.begin(this.#now));
  }

  #serveReads(): void {
    for (const read of this.#reads.takeServable(this.#machine.appliedIndex)) {
      this.counters.readsServed += 1;
      this.#effects.push({ kind: "readable", request: read.request, result: { kind: "ok" } });
    }
  }

  // --- What the core wants done

  /** Takes one Ready from the core; true if there was one and there may be another. */
  #pump(): boolean {
    const ready = this.#group.ready();
    if (ready === null) return false;
    this.#noteLeadership(ready);
    for (const state of ready.readStates) this.#reads.answer(state.context, state.index);
    for (const message of ready.messages) {
      const to = nodeId(message.to);
      if (message.type !== MSG_SNAP) {
        const brings = message.mayWait ? "commit" : message.type === MSG_APP ? "append" : "other";
        this.#effects.push({ kind: "send", to, bytes: message.bytes, brings });
        continue;
      }
      this.#compaction.transferBegan(to, message.index);
      const { index, logTerm: term, bytes } = message;
      this.#effects.push({ kind: "send-snapshot", to, index, term, message: bytes });
    }
    if (ready.append !== null) this.#append(ready.append, ready);
    if (ready.apply !== null) this.#backlog.add(ready.apply);
    // What is held back when somebody begins to wait can wait for the answer: what was asked goes out first.
    const isAnswer = ready.apply !== null || ready.readStates.length > 0;
    if (this.#backlog.isDue || (isAnswer && this.isAwaited)) this.#applyBacklog();
    // A long replay must leave the event loop its turns: the shell steps again.
    this.#hasMore = this.#appliedInStep >= APPLIED_PER_STEP_MAX;
    return !this.#hasMore;
  }

  #noteLeadership(ready: Ready): void {
    const leader = ready.leader === 0 ? null : nodeId(ready.leader);
    const { term } = ready.hardState;
    const changed = leader !== this.#leader || term !== this.#term;
    if (!changed && ready.role === this.#role) return;
    this.#role = ready.role;
    this.#term = term;
    this.#leader = leader;
    if (changed && leader !== null) {
      this.#leadership += 1;
      this.counters.leaderChanges += 1;
      this.#offerAgain();
    }
    if (changed) this.#reads.abandonRound();
    if (leader !== null) this.#leaderlessSince = null;
    else this.#leaderlessSince ??= this.#now;
    this.#effects.push({ kind: "leadership", role: ready.role, leader, term });
  }

  /** What was offered to an older leader may be lost: everything unsettled is offered once more. */
  #offerAgain(): void {
    for (const one of this.#proposals.all()) {
      if (one.offeredIn !== this.#leadership) this.#toOffer.add(one);
    }
  }

  #append(work: AppendWork, ready: Ready): void {
    const { ticket, mustSync, snapshot } = work;
    // The event log is cut at a received snapshot before the snapshot's record is written.
    if (snapshot !== null) this.#applyBacklog();
    this.#appends.add({ ticket, mustSync, snapshot, atTick: this.#now });
    if (mustSync) {
      this.#effects.push({
        kind: "append",
        ticket,
        hardState: ready.hardState,
        snapshot,
        entries: work.entries,
        entryCount: work.entryCount,
      });
    } else {
      // A new commit index alone needs no write (etcd raft rawnode.go, MustSync): it rides in the next one.
      this.#releaseAppends();
    }
  }

  #releaseAppends(): void {
    const released = this.#appends.takeDurable();
    if (released === null) return;
    this.#stallReported = false;
    for (const point of released.snapshots) this.#install(point);
    this.#group.appended(released.ticket);
  }

  /** The log record of a received snapshot is durable: from here on the snapshot is the state. */
  #install(point: SnapshotPoint): void {
    const incoming = must(this.#incoming.get(point.index), `snapshot at ${point.index}`);
    assert(incoming.term === point.term, "the snapshot is of another term than raft accepted");
    assert(incoming.machine.appliedIndex === point.index, "the snapshot holds another index");
    assert(this.#backlog.isEmpty, "entries before the snapshot were not applied");
    const from = this.#machine.appliedIndex;
    assert(point.index > from, "a snapshot would take the state back");
    this.#machine = incoming.machine;
    this.#confState = point.confState;
    this.#compaction.installed(point.index);
    for (const index of this.#incoming.keys()) {
      if (index <= point.index) this.#incoming.delete(index);
    }
    this.counters.snapshotsInstalled += 1;
    this.#effects.push({ kind: "installed", from, point });
    // Entries this node waited for may lie inside the snapshot, where it cannot see them pass.
    this.#toOffer = new Set(this.#proposals.all());
  }

  /** Raft may find a received snapshot out of date (raft.go, restore); then nobody asks for it again. */
  #dropIgnoredSnapshots(): void {
    for (const index of this.#incoming.keys()) {
      if (!this.#appends.awaitsSnapshot(index)) this.#incoming.delete(index);
    }
  }

  // --- Applying

  #applyBacklog(): void {
    const work = this.#backlog.take();
    if (work !== null) this.#apply(work);
  }

  #apply(work: ApplyWork): void {
    const events: AppliedEvent[] = [];
    const checkpoints: MachineHashes[] = [];
    this.#appliedInStep += work.entries.length;
    for (const entry of work.entries) {
      if (entry.type !== ENTRY_NORMAL) {
        this.#confState = this.#group.applyConfChange(entry.type, entry.data);
        this.#machine.applyEmpty(entry.index, entry.term);
        continue;
      }
      const applied = this.#machine.apply(entry.index, entry.term, entry.data);
      if (applied.kind === "replied" && applied.event !== null) {
        events.push({ recorded: applied.event, digest: this.#machine.farm.digest() });
      }
      this.#answer(applied);
      if (isCheckpoint(entry.index)) checkpoints.push(this.#machine.hashes());
    }
    this.#group.applied(work.ticket);
    const through = this.#machine.appliedIndex;
    this.#effects.push({ kind: "applied", events, through, checkpoints });
    this.#considerSnapshot();
  }

  #answer(applied: Applied): void {
    if (applied.kind === "empty") return;
    const proposal = this.#proposals.find(applied.node, applied.start, applied.seq);
    if (proposal === null) return;
    if (applied.kind === "replied") {
      const { reply, replayed } = applied;
      this.#settle(proposal, { kind: "replied", reply, replayed });
      return;
    }
    // Applied before, and not seen by this replica: the entry lay inside a snapshot it installed. Under a
    // key the answer is remembered; without one all that can be said is that the outcome is unknown.
    const { key } = proposal;
    const known = key === null ? null : this.#machine.recall(key.key, key.fingerprint);
    if (known?.kind !== "replay") this.#settle(proposal, { kind: "outcome-unknown" });
    else this.#settle(proposal, { kind: "replied", reply: known.reply, replayed: false });
  }

  // --- Snapshots of its own

  #considerSnapshot(): void {
    if (this.#compaction.wantsSnapshot(this.#machine.appliedIndex, this.#objects)) {
      this.#takeSnapshot();
    }
  }

  get #objects(): number {
    const { farm } = this.#machine;
    return farm.printers.size + farm.filaments.size + farm.jobs.size;
  }

  #takeSnapshot(): void {
    const { appliedIndex, appliedTerm } = this.#machine;
    this.#compaction.began();
    const point = { index: appliedIndex, term: appliedTerm, confState: this.#confState };
    this.#effects.push({ kind: "take-snapshot", point, view: this.#machine.view() });
  }

  #snapshotTaken(point: SnapshotPoint): void {
    if (!this.#compaction.taken(point.index)) return; // a newer one was installed in the meantime
    this.#group.snapshotted(point.index, point.confState);
    const through = this.#compaction.compactThrough(this.#group.status());
    if (through > 0) this.#group.compact(through);
  }

  /** Answers every open request; for the moment the node stops. */
  abandonRequests(): readonly Effect[] {
    this.#effects = [];
    for (const proposal of this.#proposals.all()) {
      const offered = proposal.offeredAtTick !== null;
      const result: SubmitResult = offered
        ? { kind: "outcome-unknown" }
        : { kind: "unavailable", reason: "stopping" };
      this.#settle(proposal, result);
    }
    for (const read of this.#reads.takeExpired(Number.POSITIVE_INFINITY)) {
      const result = { kind: "unavailable", reason: "stopping" } as const;
      this.#effects.push({ kind: "readable", request: read.request, result });
    }
    return this.#effects;
  }
}
