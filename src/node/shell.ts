// The thin layer between the replica and the world: it gathers inputs, steps the replica once for all of
// them, and carries the effects out. It decides nothing.
//
// Sockets, timers and clients only enqueue. One turn then takes everything that has gathered, so that
// what came together is proposed, written and sent together: group commit needs no timer of its own.
//
// Ticks come from the monotonic clock, after the sockets: a node that was paused finds the leader's
// heartbeats in its sockets and must read them before it counts the time it missed, or it would call an
// election on stale news. What was missed is not caught up with.

import { AssertionError, toError, unreachable } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { APPLY_WAIT_MS, ELECTION_TICKS } from "../base/limits.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Command } from "../fsm/command.ts";
import { whyNotCommand } from "../fsm/envelope.ts";
import type { Log } from "../storage/wal/log.ts";
import type { EventLog } from "../storage/events/event-log.ts";
import type { Transport } from "../transport/transport.ts";
import type { BarrierResult, IdempotencyKey, SubmitResult } from "./api.ts";
import { Divergence, type Finding, REPORT_TAG } from "./divergence.ts";
import type { EventService } from "./event-service.ts";
import { FatalError, asFatal } from "./fatal.ts";
import { LogWatch } from "./log-watch.ts";
import { Outbox } from "./outbox.ts";
import type { Replica } from "./replica.ts";
import type { SnapshotService } from "./snapshot-service.ts";
import type { Effect, Input } from "./steps.ts";

/** Ticks counted at once after a stall; more would be time the node was not there to hear anybody in. */
const TICKS_AT_ONCE_MAX = 2;
/** Part of a tick by which a timer may be early. */
const TICK_ROUNDING = 0.02;
/** Ticks between two reports of this node's hashes to the others. */
const REPORT_TICKS = 20;

export interface ShellOptions {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tickMs: number;
  /** A write to the log that takes longer, in ticks, means that the disk hangs. */
  readonly diskStallTicks: number;
  readonly replica: Replica;
  readonly log: Log;
  readonly eventLog: EventLog;
  readonly events: EventService;
  readonly transport: Transport;
  /** Called once, with the reason why the node must end. Nothing is stepped after it. */
  readonly onFatal: (error: FatalError) => void;
  readonly onApplied: ((index: number, hashes: string) => void) | null;
}

type AppendEffect = Extract<Effect, { kind: "append" }>;

export class Shell {
  readonly #options: ShellOptions;
  readonly #replica: Replica;
  readonly #divergence: Divergence;
  readonly #outbox: Outbox;
  readonly #logWatch: LogWatch;
  readonly #writes = new Map<number, (result: SubmitResult) => void>();
  readonly #reads = new Map<number, (result: BarrierResult) => void>();
  #snapshots: SnapshotService | null = null;
  #inbox: Input[] = [];
  #scheduled = false;
  #state: "running" | "stopping" | "stopped" = "running";
  #nextRequest = 1;
  #timer: Timer | null = null;
  #applyTimer: Timer | null = null;
  #lastTickMs = 0;
  #ticks = 0;
  #lastContactMs: number | null = null;
  #appendQueue: AppendEffect[] = [];
  #appendHeld = false; // an append waits for the event log to be cut at its snapshot
  #appendsUnderWay = 0;
  #unmarked = false; // the log was synced further than its watermark says
  #alarmed = new Set<number>(); // indexes at which a difference was reported
  #isStalled = false;

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#replica = options.replica;
    this.#divergence = new Divergence(options.id);
    this.#outbox = new Outbox(options.clock, options.transport);
    this.#logWatch = new LogWatch(options.diskStallTicks);
  }

  /** Begins to tick. */
  start(snapshots: SnapshotService): void {
    this.#snapshots = snapshots;
    this.#lastTickMs = this.#options.clock.monotonicMs();
    this.#scheduleTick();
    this.#schedule();
  }

  /** When this node last heard from a leader it knew, by the monotonic clock; null: never yet. */
  get lastContactMs(): number | null {
    if (this.#replica.role === "leader") return this.#options.clock.monotonicMs();
    return this.#lastContactMs;
  }

  get isStopped(): boolean {
    return this.#state === "stopped";
  }

  // --- What comes in

  enqueue(input: Input): void {
    if (this.#state === "stopped") return;
    this.#inbox.push(input);
    this.#schedule();
  }

  /** Rejects a command of a wrong shape, which is its caller's bug and must not end the node. */
  submit(command: Command, key: IdempotencyKey | null): Promise<SubmitResult> {
    const wrong = whyNotCommand(command);
    if (wrong !== null) return Promise.reject(new AssertionError(`not a command: ${wrong}`));
    if (this.#state !== "running") {
      return Promise.resolve({ kind: "unavailable", reason: "stopping" });
    }
    const request = this.#nextRequest++;
    const at = this.#options.clock.wallMs();
    return new Promise((resolve) => {
      this.#writes.set(request, resolve);
      this.enqueue({ kind: "submit", request, command, key, at });
    });
  }

  barrier(): Promise<BarrierResult> {
    if (this.#state !== "running") {
      return Promise.resolve({ kind: "unavailable", reason: "stopping" });
    }
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      this.#reads.set(request, resolve);
      this.enqueue({ kind: "read", request });
    });
  }

  /** A message from a peer: raft's, or a report of its hashes. */
  message(from: NodeId, bytes: Uint8Array): void {
    if (from === this.#replica.leader) this.#lastContactMs = this.#options.clock.monotonicMs();
    if (bytes[0] === REPORT_TAG) this.#heard(this.#divergence.hear(from, bytes, this.#clusterSize));
    else this.enqueue({ kind: "message", from, bytes });
  }

  get #clusterSize(): number {
    return this.#options.transport.peers().length + 1;
  }

  // --- The turn

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#state === "stopped") return;
    const inputs = this.#inbox;
    this.#inbox = [];
    try {
      this.#carryOutAll(this.#replica.step(inputs));
    } catch (thrown) {
      return this.fail(toError(thrown));
    }
    if (this.isStopped) return;
    if (this.#replica.hasMore) this.#schedule();
    if (this.#replica.holdsBack) this.#applyLater();
  }

  #applyLater(): void {
    // Whoever waits has asked the other nodes by now, and what is held back is applied until they answer.
    if (this.#replica.isAwaited) return this.enqueue({ kind: "apply" });
    this.#applyTimer ??= this.#options.clock.after(APPLY_WAIT_MS, () => {
      this.#applyTimer = null;
      if (this.#replica.holdsBack) this.enqueue({ kind: "apply" });
    });
  }

  // The other nodes first: they write what they are sent while this node writes its own (thesis §10.2.1).
  // A turn that only answers and applies lets the answers go before it tells the others how far they may
  // apply.
  #carryOutAll(effects: readonly Effect[]): void {
    const writes = effects.some((effect) => effect.kind === "append");
    for (const effect of effects) {
      if (effect.kind === "send") this.#outbox.send(effect);
    }
    if (writes || !effects.some((effect) => effect.kind === "reply")) this.#flush();
    else this.#options.clock.defer(() => this.#flush());
    for (const effect of effects) {
      // One of them may have ended the node: those behind it are as if it had been killed before them.
      if (this.isStopped) return;
      this.#carryOut(effect);
    }
  }

  #flush(): void {
    if (this.#state !== "stopped") this.#outbox.flush();
  }

  /** Ends the node: nothing is stepped, sent or answered after this. */
  fail(error: Error): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#applyTimer?.cancel();
    this.#outbox.stop();
    this.#options.onFatal(asFatal(error));
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return; // sent before all others
      case "send-snapshot":
        return void this.#snapshots?.sendTo(effect);
      case "append":
        this.#appendQueue.push(effect);
        return this.#drainAppends();
      case "reply":
        return settle(this.#writes, effect.request, effect.result);
      case "readable":
        return settle(this.#reads, effect.request, effect.result);
      case "applied":
        this.#options.events.append(effect.events, effect.through);
        this.#observe();
        for (const checkpoint of effect.checkpoints) {
          this.#heard(this.#divergence.note(checkpoint, this.#clusterSize));
        }
        return;
      case "take-snapshot":
        return void this.#snapshots?.take(effect);
      case "installed":
        return this.#installed(effect);
      case "leadership":
        return this.#leadership(effect);
      case "disk-stalled":
        return this.#diskStalled(effect.ticks);
      default:
        return unreachable(effect);
    }
  }

  // --- The log

  // Appends go to the log in the order of the core. One that records a received snapshot waits until the
  // event log has been cut at the snapshot's index, and those behind it wait with it.
  #drainAppends(): void {
    while (!this.#appendHeld) {
      const effect = this.#appendQueue.shift();
      if (effect === undefined) return;
      if (effect.snapshot === null) {
        this.#append(effect);
        continue;
      }
      this.#appendHeld = true;
      this.#options.eventLog.jump(effect.snapshot.index).then(
        () => {
          this.#appendHeld = false;
          this.#append(effect);
          this.#drainAppends();
        },
        (thrown: unknown) => this.fail(toError(thrown)),
      );
    }
  }

  #append(effect: AppendEffect): void {
    if (this.#state === "stopped") return;
    const { ticket, hardState, snapshot, entries, entryCount } = effect;
    this.#appendsUnderWay += 1;
    this.#options.log
      .append({
        hardState,
        mark: snapshot === null ? null : { kind: "installed", ...snapshot },
        entries: entryCount === 0 ? null : entries,
      })
      .then(
        () => {
          this.#appendsUnderWay -= 1;
          this.#unmarked = true;
          this.enqueue({ kind: "appended", ticket });
        },
        // A failed write or sync is never tried again: what the disk holds is unknown from here on.
        (thrown: unknown) => this.fail(toError(thrown)),
      );
  }

  /** Notes how far the log is synced, once it has been idle for a tick. */
  #markSynced(): void {
    if (!this.#unmarked || this.#appendsUnderWay > 0 || this.#appendQueue.length > 0) return;
    this.#unmarked = false;
    this.#options.log.markSynced().catch((thrown: unknown) => this.fail(toError(thrown)));
  }

  #diskStalled(ticks: number): void {
    if (this.#isStalled) return;
    this.#isStalled = true;
    const { clock, logger, tickMs } = this.#options;
    const ms = ticks * tickMs;
    logger.error("the disk hangs: handing leadership over and stopping", { ms });
    const heir = this.#mostCaughtUp();
    if (heir !== null) this.enqueue({ kind: "transfer-leader", to: heir });
    clock.after(ELECTION_TICKS * tickMs, () => {
      const what = `A write to the log has been under way for more than ${ms} ms: the disk hangs.`;
      const advice = "Look at the disk before starting the node again; the other nodes go on.";
      this.fail(new FatalError("disk-stalled", `${what} ${advice}`));
    });
  }

  /** The follower that a leader can hand over to; null if this node does not lead or there is none. */
  #mostCaughtUp(): NodeId | null {
    const { progress } = this.#replica.status();
    const others = progress.filter((peer) => peer.id !== this.#options.id && peer.recentlyActive);
    const best = others.toSorted((a, b) => b.match - a.match)[0];
    return best === undefined ? null : (best.id as NodeId); // ids come out of the core as they went in
  }

  /** For checkers. The state may be ahead of the effect by now; the hashes are those of its index. */
  #observe(): void {
    if (this.#options.onApplied === null) return;
    const { index, chain, farm } = this.#replica.machine.hashes();
    this.#options.onApplied(index, `${chain}/${farm}`);
  }

  #installed(effect: Extract<Effect, { kind: "installed" }>): void {
    this.#options.logger.warn("state replaced by a snapshot from the leader", {
      from: effect.from,
      to: effect.point.index,
    });
    void this.#snapshots?.installed();
    this.#options.events.fillGaps();
  }

  #leadership(effect: Extract<Effect, { kind: "leadership" }>): void {
    const { role, leader, term } = effect;
    if (leader !== null) this.#lastContactMs = this.#options.clock.monotonicMs();
    this.#options.logger.info("leadership", { role, leader, term });
  }

  // --- Time

  #scheduleTick(): void {
    const { clock, tickMs } = this.#options;
    const elapsed = clock.monotonicMs() - this.#lastTickMs;
    const delay = Math.max(0, tickMs - elapsed);
    // After the timer, one more round through the sockets, and only then the tick.
    this.#timer = clock.after(delay, () => clock.defer(() => this.#onTimer()));
  }

  #onTimer(): void {
    if (this.#state === "stopped") return;
    const { clock, logger, tickMs } = this.#options;
    // A timer may fire a hair early; a tick that is due but for a rounding error counts.
    const due = Math.floor((clock.monotonicMs() - this.#lastTickMs) / tickMs + TICK_ROUNDING);
    this.#lastTickMs += due * tickMs;
    if (due > ELECTION_TICKS / 2) {
      logger.warn("the process was held up", { ms: Math.round(due * tickMs) });
    }
    for (let n = Math.min(due, TICKS_AT_ONCE_MAX); n > 0; n--) this.#tick();
    this.#scheduleTick();
  }

  #tick(): void {
    this.#ticks += 1;
    this.enqueue({ kind: "tick" });
    this.#markSynced();
    const { diskStallTicks, log } = this.#options;
    if (this.#logWatch.tick(log.writingSinceMs)) this.#diskStalled(diskStallTicks);
    if (this.#ticks % REPORT_TICKS === 0) this.#report();
  }

  // --- Comparing with the others

  #report(): void {
    const report = this.#divergence.report();
    if (report === null) return;
    for (const peer of this.#options.transport.peers()) {
      this.#options.transport.send(peer.id, report);
    }
    this.#schedule(); // for the flush at the end of the turn
  }

  #heard(finding: Finding | null): void {
    if (finding === null) return;
    const { index, mine, different, oddOneOut } = finding;
    if (!this.#alarmed.has(index)) {
      this.#alarmed.add(index);
      const fields = { index, mine, different: different.join(",") };
      this.#options.logger.error("nodes disagree about the state at one index", fields);
    }
    if (!oddOneOut) return;
    const what = `At log index ${index} this node's state differs from that of a majority of the nodes.`;
    const advice =
      'It stops serving. See docs/operations.md, "A node that disagrees", before starting it again.';
    this.fail(new FatalError("diverged", `${what} ${advice}`));
  }

  // --- The end

  /** Hands leadership over if it can, so that the others need not wait for an election. */
  handOver(): void {
    const heir = this.#replica.role === "leader" ? this.#mostCaughtUp() : null;
    if (heir !== null) this.enqueue({ kind: "transfer-leader", to: heir });
  }

  /** Answers whoever waits and stops stepping. The log is left to the owner. */
  stop(): void {
    if (this.#state !== "stopped") {
      for (const effect of this.#replica.abandonRequests()) this.#carryOut(effect);
    }
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#applyTimer?.cancel();
    this.#outbox.stop();
    for (const resolve of this.#writes.values()) resolve({ kind: "outcome-unknown" });
    for (const resolve of this.#reads.values()) {
      resolve({ kind: "unavailable", reason: "stopping" });
    }
  }

  /** Takes no new requests; those under way go on. */
  drain(): void {
    if (this.#state === "running") this.#state = "stopping";
  }
}

function settle<T>(waiting: Map<number, (result: T) => void>, request: number, result: T): void {
  const resolve = waiting.get(request);
  waiting.delete(request);
  resolve?.(result);
}
