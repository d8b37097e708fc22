// A node of the print farm, whole: what is on its disk, its replica, its connections, and the life they
// have together. The command line makes one with the real environment, the simulator with its own.
//
//   open    node.json → the start is counted and durable → log, snapshot and events recovered
//   start   peers are met → (a new cluster: every founder once, then the log is made) → the replica runs
//   stop    leadership handed over → requests settled → connections closed → log closed

import { must } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import {
  BATCH_BYTES_MAX,
  COMMITTED_BYTES_MAX,
  ELECTION_TICKS,
  EVENT_WRITE_DELAY_MS,
  HEARTBEAT_TICKS,
  INFLIGHT_MESSAGES_MAX,
  MESSAGE_BYTES_MAX,
  UNCOMMITTED_BYTES_MAX,
} from "../base/limits.ts";
import { sleep } from "../env/clock.ts";
import type { Env } from "../env/env.ts";
import { randomHex } from "../env/random.ts";
import type { Command } from "../fsm/command.ts";
import { COMMAND_VERSION } from "../fsm/command.ts";
import { Machine } from "../fsm/machine.ts";
import { MachineLoader } from "../fsm/snapshot.ts";
import type { CoreHost, Group, GroupConfig } from "../raft/core.ts";
import type { ConfState } from "../raft/messages.ts";
import { EventLog } from "../storage/events/event-log.ts";
import { CorruptionError } from "../storage/errors.ts";
import { NODE_FILE } from "../storage/names.ts";
import { NodeFile } from "../storage/node-file.ts";
import { type Recovered, createStorage, hasLog, recover } from "../storage/recovery.ts";
import type { NodeFacts, Transport, TransportHandlers } from "../transport/transport.ts";
import type {
  BarrierResult,
  EventSource,
  FarmNode,
  FarmReader,
  IdempotencyKey,
  NodeStatus,
  SubmitResult,
} from "./api.ts";
import { Compaction } from "./compaction.ts";
import { EventService } from "./event-service.ts";
import { FatalError, asFatal } from "./fatal.ts";
import { Registry } from "./registry.ts";
import { Replica, type ReplicaTimes } from "./replica.ts";
import { Shell } from "./shell.ts";
import { SnapshotService } from "./snapshot-service.ts";
import { nodeStatus } from "./status.ts";

export interface Member {
  readonly id: NodeId;
  /** host:port for peers. */
  readonly peer: string;
}

export interface NodeOptions {
  readonly clusterId: string;
  readonly id: NodeId;
  /** The founders, this node among them. */
  readonly members: readonly Member[];
  /** Where this node serves people, as it tells the others: host:port. */
  readonly http: string;
  readonly tickMs: number;
  readonly times: ReplicaTimes;
  readonly snapshotEntries: number;
  readonly trailingEntries: number;
  /** Size of a segment of the log; a batch is at most half of it. */
  readonly segmentBytes: number;
  /** Makes the consensus core; called once, when there is a log. */
  readonly core: (host: CoreHost) => Promise<{ open(config: GroupConfig): Group }>;
  /** Makes the way to the other nodes; called once. */
  readonly connect: (facts: () => NodeFacts, handlers: TransportHandlers) => Transport;
  /** The node has ended itself; the process should follow. Called once at most. */
  readonly onFatal: (error: FatalError) => void;
  /** For checkers: after each batch of entries, the index and the hashes the state has there. */
  readonly onApplied?: (index: number, hashes: string) => void;
}

/** What exists only once the log does. */
interface Running {
  readonly recovered: Recovered;
  readonly eventLog: EventLog;
  readonly events: EventService;
  readonly replica: Replica;
  readonly shell: Shell;
  readonly snapshots: SnapshotService;
}

export class PrintFarmNode implements FarmNode {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly #options: NodeOptions;
  readonly #env: Env;
  readonly #file: NodeFile;
  readonly #run: string;
  readonly #registry: Registry;
  readonly #transport: Transport;
  readonly #before: EmptyBefore;
  #running: Running | null = null;
  #ended = false;

  /** Opens the data directory. Nothing has been said to anybody when this rejects. */
  static async open(env: Env, options: NodeOptions): Promise<PrintFarmNode> {
    const who = { clusterId: options.clusterId, nodeId: options.id };
    const file = (await NodeFile.open(env.disk, who)) ?? (await newNodeFile(env, who));
    await file.countStart();
    const node = new PrintFarmNode(env, options, file);
    // A damaged disk is found before the first word to a peer.
    if (file.facts.founded) await node.#recover();
    return node;
  }

  private constructor(env: Env, options: NodeOptions, file: NodeFile) {
    this.id = options.id;
    this.clusterId = options.clusterId;
    this.#options = options;
    this.#env = env;
    this.#file = file;
    this.#run = randomHex(env.random, 8);
    this.#before = new EmptyBefore();
    this.#registry = new Registry({
      book: {
        get founded() {
          return file.facts.founded;
        },
        peer: (id) => file.facts.peers.get(id) ?? null,
        recordPeer: (id, known) => file.recordPeer(id, known),
      },
      others: options.members.map((member) => member.id).filter((id) => id !== options.id),
      logger: env.logger,
      onComplete: () => this.#found(),
    });
    this.#transport = options.connect(() => this.#facts(), this.#handlers());
  }

  /** Begins to talk to the others. Resolves when it listens; the cluster may take longer to form. */
  async start(): Promise<void> {
    await this.#transport.start();
    const missing = this.#registry.missing();
    if (this.#file.facts.founded) this.#begin();
    else if (missing.length === 0) this.#found();
    else {
      this.#env.logger.info("waiting for every founder to be up at the same time, once", {
        missing: missing.join(","),
      });
    }
  }

  get isFounded(): boolean {
    return this.#running !== null;
  }

  /** The founders this node has not met; empty once the cluster is founded. */
  get missingFounders(): readonly NodeId[] {
    return this.#file.facts.founded ? [] : this.#registry.missing();
  }

  get farm(): FarmReader {
    return this.#running?.replica.machine.farm ?? this.#before.farm;
  }

  get events(): EventSource {
    return this.#running?.events ?? this.#before;
  }

  get appliedIndex(): number {
    return this.#running?.replica.machine.appliedIndex ?? 0;
  }

  get leaderId(): NodeId | null {
    return this.#running?.replica.leader ?? null;
  }

  /** Parts of the event log that a snapshot jumped over and no peer has completed yet. */
  get eventGaps(): number {
    return this.#running?.eventLog.gaps().length ?? 0;
  }

  /**
   * Milliseconds since this node last heard from a leader it knew; 0 at the leader itself. Null if it has
   * not since it was started: how old its state is, nobody can say.
   */
  get lastContactMs(): number | null {
    const heardMs = this.#running?.shell.lastContactMs ?? null;
    if (heardMs === null) return null;
    return Math.max(0, Math.round(this.#env.clock.monotonicMs() - heardMs));
  }

  submit(command: Command, key: IdempotencyKey | null): Promise<SubmitResult> {
    if (this.#running !== null) return this.#running.shell.submit(command, key);
    return Promise.resolve({ kind: "unavailable", reason: "forming" });
  }

  barrier(): Promise<BarrierResult> {
    if (this.#running !== null) return this.#running.shell.barrier();
    return Promise.resolve({ kind: "unavailable", reason: "forming" });
  }

  status(): NodeStatus {
    const { clusterId, id } = this;
    const { members, http } = this.#options;
    const running = this.#running;
    return nodeStatus({
      clusterId,
      id,
      members,
      http,
      nowMs: this.#env.clock.monotonicMs(),
      transport: this.#transport,
      replica: running?.replica ?? null,
      log: running?.recovered.log ?? null,
      snapshots: running?.snapshots ?? null,
      lastContactMs: this.lastContactMs,
    });
  }

  // --- Coming to life

  #facts(): NodeFacts {
    const { facts } = this.#file;
    return {
      clusterId: this.clusterId,
      nodeId: this.id,
      instance: facts.instance,
      starts: facts.starts,
      founded: facts.founded,
      run: this.#run,
      http: this.#options.http,
      formats: { command: COMMAND_VERSION },
    };
  }

  #confState(): ConfState {
    const voters = this.#options.members.map((member) => member.id).toSorted((a, b) => a - b);
    return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  }

  /** Every founder is known: the log is made, and from here on losing it would matter. */
  #found(): void {
    if (this.#file.facts.founded) return;
    const make = async (): Promise<void> => {
      if (!(await hasLog(this.#env.disk))) {
        const founding = { index: 1, term: 1, confState: this.#confState() };
        await createStorage({ ...this.#storageOptions(), founding });
      }
      await this.#recover();
      await this.#file.markFounded();
      this.#env.logger.info("the cluster is founded", { cluster: this.clusterId });
      this.#begin();
    };
    make().catch((thrown: unknown) => this.#fail(thrown));
  }

  #storageOptions() {
    const { clock, disk, logger, random } = this.#env;
    const { segmentBytes } = this.#options;
    const batchBytesMax = Math.min(BATCH_BYTES_MAX, Math.floor(segmentBytes / 2));
    const who = { clusterId: this.clusterId, nodeId: this.id };
    return { clock, disk, logger, random, ...who, segmentBytes, batchBytesMax };
  }

  async #recover(): Promise<void> {
    let loader: MachineLoader | null = null;
    const recovered = await recover({
      ...this.#storageOptions(),
      restore: () => {
        const fresh = new MachineLoader();
        loader = fresh;
        return (block) => fresh.push(block);
      },
    });
    const { snapshot } = recovered;
    const machine =
      snapshot.meta === null
        ? foundingMachine(snapshot.index, snapshot.term)
        : must<MachineLoader>(loader, "the snapshot's loader").finish();
    const { clock, disk, logger } = this.#env;
    const eventLog = await EventLog.open({
      disk,
      logger,
      replayFrom: snapshot.index,
      pace: { clock, delayMs: EVENT_WRITE_DELAY_MS },
      onFailure: (error) => this.#fail(error),
      // Whoever reads them next is waiting for it: not only the next connection or start may ask.
      onGap: () => this.#running?.events.fillGaps(),
    });
    this.#running = await this.#assemble(recovered, machine, eventLog);
    this.#env.logger.info("recovered", {
      snapshot: snapshot.index,
      last: recovered.lastIndex,
      commit: recovered.hardState.commit,
      term: recovered.hardState.term,
    });
  }

  async #assemble(recovered: Recovered, machine: Machine, eventLog: EventLog): Promise<Running> {
    const { clock, logger, random } = this.#env;
    const { tickMs, times, snapshotEntries, trailingEntries } = this.#options;
    const { base, hardState, snapshot } = recovered;
    const core = await this.#options.core({ clock, random, logger });
    const group = core.open({
      id: this.id,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      messageBytesMax: MESSAGE_BYTES_MAX,
      inflightMessagesMax: INFLIGHT_MESSAGES_MAX,
      uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
      committedBytesMax: COMMITTED_BYTES_MAX,
      base,
      snapshot,
      confState: snapshot.confState,
      hardState,
    });
    let isFirst = true;
    for (const block of recovered.entryBlocks) {
      // The log of a large farm is long: others get their turns between its parts.
      if (!isFirst) await new Promise<void>((go) => clock.defer(go));
      isFirst = false;
      group.load(block);
    }
    group.start();
    const snapshotIndex = snapshot.index;
    const replica = new Replica({
      session: { node: this.id, start: this.#file.facts.starts },
      group,
      machine,
      confState: snapshot.confState,
      times,
      compaction: new Compaction({
        nodeId: this.id,
        snapshotEntries,
        trailingEntries,
        snapshotIndex,
      }),
    });
    const transport = this.#transport;
    const events = new EventService({
      clock,
      logger,
      log: eventLog,
      peers: () => transport.peers().flatMap((peer) => (peer.connected ? [peer.id] : [])),
      request: (from, after, through) => transport.requestEvents(from, after, through),
    });
    const shell = new Shell({
      id: this.id,
      clock,
      logger,
      tickMs,
      diskStallTicks: times.diskStall,
      replica,
      log: recovered.log,
      eventLog,
      events,
      transport,
      onFatal: (error) => this.#fail(error),
      onApplied: this.#options.onApplied ?? null,
    });
    const snapshots = new SnapshotService({
      clusterId: this.clusterId,
      clock,
      logger,
      store: recovered.snapshots,
      log: recovered.log,
      events: eventLog,
      enqueue: (input) => shell.enqueue(input),
      send: (to, outgoing) => transport.sendSnapshot(to, outgoing),
      commitIndex: () => replica.status().hardState.commit,
      onFailure: (error) => shell.fail(error),
    });
    return { recovered, eventLog, events, replica, shell, snapshots };
  }

  #begin(): void {
    const running = must(this.#running, "a recovered log");
    running.shell.start(running.snapshots);
    running.events.fillGaps();
  }

  // --- What the other nodes bring

  #handlers(): TransportHandlers {
    const shell = (): Shell | null =>
      this.#file.facts.founded ? (this.#running?.shell ?? null) : null;
    return {
      message: (from, bytes) => shell()?.message(from, bytes),
      unreachable: (peer) => shell()?.enqueue({ kind: "unreachable", peer }),
      disconnected: (peer) => shell()?.enqueue({ kind: "disconnected", peer }),
      connected: (peer) => {
        shell()?.enqueue({ kind: "connected", peer });
        this.#running?.events.fillGaps();
      },
      admit: (introduction) => this.#registry.admit(introduction),
      refused: (peer, refusal) => this.#refused(peer, refusal),
      snapshotSent: (to, index, ok) => {
        if (!ok) this.#running?.snapshots.transferFailed(index);
        shell()?.enqueue({ kind: "snapshot-sent", to, index, ok });
      },
      receiveSnapshot: async (from, offer) =>
        (await this.#running?.snapshots.receive(from, offer)) ?? null,
      snapshotReceived: (from, received) => void this.#running?.snapshots.received(from, received),
      serveEvents: (_from, after, through) => this.#running?.events.serve(after, through) ?? null,
    };
  }

  #refused(
    peer: NodeId,
    refusal: { readonly code: string; readonly message: string; readonly by: "us" | "them" },
  ): void {
    const { code, message, by } = refusal;
    this.#env.logger.error("a connection was refused", { peer, code, by, reason: message });
    if (by === "us") return;
    const aboutData = ["data-replaced", "data-rolled-back", "same-id-twice"].includes(code);
    // A node that never worked and is turned away as a stranger was given the wrong members or token.
    const stranger = !this.#file.facts.founded && ["wrong-cluster", "unknown-peer"].includes(code);
    if (!aboutData && !stranger) return;
    const what = `Node ${peer} refuses this node (${code}): ${message}.`;
    const advice = stranger
      ? " Check --initial-cluster and --cluster-token: they must be the same on every node."
      : "";
    this.#fail(new FatalError("refused-by-cluster", `${what}${advice}`));
  }

  // --- The end

  #fail(thrown: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const error = asFatal(thrown instanceof Error ? thrown : new Error(String(thrown)));
    this.#running?.shell.stop();
    this.#options.onFatal(error);
  }

  /** Leaves in good order. Resolves when everything is closed; later calls do nothing. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const { clock } = this.#env;
    const running = this.#running;
    if (running !== null && this.#file.facts.founded) {
      running.shell.drain();
      running.shell.handOver();
      // Long enough for a hand-over on a healthy network; an election would do the same, later.
      const ticks = ELECTION_TICKS;
      for (let n = 0; n < ticks && running.replica.role === "leader" && !this.#alone; n++) {
        await sleep(clock, this.#options.tickMs);
      }
    }
    this.#ended = true;
    running?.shell.stop();
    running?.events.stop();
    await this.#transport.stop();
    await running?.eventLog.close();
    await running?.recovered.log.close();
  }

  get #alone(): boolean {
    return this.#options.members.length === 1;
  }
}

/** For an empty folder. One that holds a log was somebody's, and must not become somebody else's. */
async function newNodeFile(
  env: Env,
  who: { readonly clusterId: string; readonly nodeId: NodeId },
): Promise<NodeFile> {
  if (await hasLog(env.disk)) {
    throw new CorruptionError(env.disk, NODE_FILE, 0, "the file is missing, and there is a log");
  }
  return NodeFile.create(env.disk, env.random, who);
}

/** The state at the founding snapshot: nothing has happened yet. */
function foundingMachine(index: number, term: number): Machine {
  const machine = Machine.empty();
  machine.applyEmpty(index, term);
  return machine;
}

/** What a node shows while its cluster has not been founded: an empty farm and no events. */
class EmptyBefore implements EventSource {
  readonly farm = Machine.empty().farm;
  readonly lastIndex = 0;

  read(): Promise<{ kind: "page"; events: readonly never[]; through: number }> {
    return Promise.resolve({ kind: "page", events: [], through: 0 });
  }

  subscribe(): () => void {
    return () => undefined;
  }
}
