// A whole cluster in one process: real nodes (PrintFarmNode, unchanged) with simulated clocks, disks and
// network, driven by one queue of events. Everything that is drawn comes from one seed, so a run can be
// had again, to the byte; what the nodes log is the trace that two runs must agree on.

import { assert, must } from "../base/assert.ts";
import { type NodeId, nodeId } from "../base/brand.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { Sha256 } from "../base/hash.ts";
import type { Disk } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import type { LogFields, Logger } from "../env/logger.ts";
import { type FatalError, asFatal } from "../node/fatal.ts";
import { PrintFarmNode } from "../node/print-farm-node.ts";
import type { ReplicaTimes } from "../node/replica.ts";
import { Core, type Group } from "../raft/core.ts";
import type { Ready } from "../raft/messages.ts";
import { NodeFile } from "../storage/node-file.ts";
import { createStorage } from "../storage/recovery.ts";
import { SimDisk, everydayLatency } from "./disk.ts";
import { ProcessClock } from "./process-clock.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";
import { type Wire, type WireKind, addressOf, makeWire } from "./wire.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly size: number;
  readonly wire: WireKind;
  readonly tickMs: number;
  readonly snapshotEntries: number;
  readonly trailingEntries: number;
  readonly segmentBytes: number;
  readonly diskSlowness: number;
  readonly core: WebAssembly.Module;
  /** Told of every line of the trace. */
  readonly onTrace: (line: string) => void;
}

const CLUSTER_ID = "5eed5eed5eed5eed";

/** A node's place in the world: the machine, which outlives the processes on it. */
export interface Place {
  readonly id: NodeId;
  disk: SimDisk;
  /** Of the process that is being started or runs; null while there is none. */
  clock: ProcessClock | null;
  /** The process, once it is open. */
  life: Life | null;
  starts: number;
}

/** One process: from its start to its crash or its own end. */
export interface Life {
  readonly node: PrintFarmNode;
  readonly clock: ProcessClock;
  readonly groups: Group[];
  /** Resolves when the process is gone; whoever waited for an answer from it will get none. */
  readonly gone: Promise<"gone">;
  readonly end: () => void;
}

export type WorldEvent =
  | {
      readonly kind: "applied";
      readonly node: NodeId;
      readonly index: number;
      readonly hashes: string;
    }
  /** A process ended itself, or would not start. Told before it is gone. */
  | { readonly kind: "fatal"; readonly node: NodeId; readonly error: FatalError }
  /** A process hands its core a log: the entry before those that follow as "loaded", block by block. */
  | {
      readonly kind: "opened";
      readonly node: NodeId;
      readonly base: { readonly index: number; readonly term: number };
    }
  | { readonly kind: "loaded"; readonly node: NodeId; readonly block: Uint8Array }
  /** The core handed out work. */
  | { readonly kind: "ready"; readonly node: NodeId; readonly ready: Ready }
  /** A node wrote a line to its log: something has just happened there. */
  | { readonly kind: "line"; readonly node: NodeId }
  /** A process is about to start. */
  | { readonly kind: "start"; readonly node: NodeId }
  /** A process is gone, and this is the disk that it had. */
  | { readonly kind: "gone"; readonly node: NodeId; readonly disk: SimDisk };

export class World {
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly wire: Wire;
  readonly places: readonly Place[];
  readonly #options: WorldOptions;
  readonly #digest = new Sha256();
  readonly #watchers: ((event: WorldEvent) => void)[] = [];
  #core: Core | null = null;
  #lines = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new SimRandom(options.seed);
    this.wire = makeWire(options.wire, this.clock, this.random.fork());
    this.places = Array.from({ length: options.size }, (_, i) => ({
      id: nodeId(i + 1),
      disk: this.#newDisk(i + 1),
      clock: null,
      life: null,
      starts: 0,
    }));
  }

  /** Called for what checkers want to know, in the turn in which it happens. */
  watch(watcher: (event: WorldEvent) => void): void {
    this.#watchers.push(watcher);
  }

  place(id: NodeId): Place {
    return must(this.places[id - 1], `node ${id}`);
  }

  /** The nodes whose processes run. */
  get alive(): readonly { readonly place: Place; readonly life: Life }[] {
    return this.places.flatMap((place) =>
      place.life === null ? [] : [{ place, life: place.life }],
    );
  }

  get traceLines(): number {
    return this.#lines;
  }

  /** SHA-256 over the trace so far; ends it. */
  traceDigest(): string {
    return this.#digest.hex();
  }

  trace(text: string): void {
    const line = `${this.clock.monotonicMs().toFixed(3)} ${text}`;
    this.#lines += 1;
    this.#digest.update(encodeUtf8(`${line}\n`));
    this.#options.onTrace(line);
  }

  // --- The life of the nodes

  /** Makes the directories as founding leaves them: every node has met every other. */
  async found(): Promise<void> {
    const shared = new ProcessClock(this.clock);
    this.#core = await Core.instantiate(this.#options.core, {
      clock: shared,
      random: this.random.fork(),
      logger: this.#logger("core"),
    });
    const voters = this.places.map((place) => place.id);
    const confState = {
      voters,
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const files: NodeFile[] = [];
    for (const { id, disk } of this.places) {
      const who = { clusterId: CLUSTER_ID, nodeId: id };
      const env = this.#env(id, disk, shared);
      const { segmentBytes } = this.#options;
      files.push(await this.settled(NodeFile.create(disk, env.random, who)));
      const founding = { index: 1, term: 1, confState };
      const batchBytesMax = segmentBytes / 2;
      await this.settled(createStorage({ ...env, ...who, segmentBytes, batchBytesMax, founding }));
    }
    for (const file of files) {
      for (const other of files) {
        if (other === file) continue;
        const { nodeId: id, instance, starts } = other.facts;
        await this.settled(file.recordPeer(id, { instance, starts, run: "founding" }));
      }
      await this.settled(file.markFounded());
    }
  }

  /** Starts a node's process. Its opening takes simulated time; it may be crashed meanwhile. */
  start(id: NodeId): void {
    const place = this.place(id);
    assert(place.clock === null, () => `node ${id} runs already`);
    place.starts += 1;
    const clock = new ProcessClock(this.clock);
    place.clock = clock;
    const groups: Group[] = [];
    let end: () => void = () => undefined;
    const gone = new Promise<"gone">((resolve) => (end = () => resolve("gone")));
    this.trace(`world: node ${id} starts`);
    this.#tell({ kind: "start", node: id });
    this.#open(place, clock, groups)
      .then(async (node) => {
        if (clock.isHalted) return; // crashed while it opened
        place.life = { node, clock, groups, gone, end };
        await node.start();
      })
      .catch((thrown: unknown) => {
        // Crashed while it opened: what it made of that is of no interest to anybody.
        if (!clock.isHalted) this.#ended(id, asFatal(asError(thrown)));
      });
  }

  /** A process ends itself; whoever supervises it is told. */
  #ended(id: NodeId, error: FatalError): void {
    this.trace(`world: node ${id} ends itself: ${error.reason}: ${error.message}`);
    this.#tell({ kind: "fatal", node: id, error });
    this.crash(id, "kill");
  }

  /** Anything that broke an invariant of the world itself. */
  failure: Error | null = null;

  isStarting(id: NodeId): boolean {
    const { clock, life } = this.place(id);
    return clock !== null && life === null;
  }

  #open(place: Place, clock: ProcessClock, groups: Group[]): Promise<PrintFarmNode> {
    const { id, disk } = place;
    const core = must(this.#core, "core");
    const { size, tickMs, snapshotEntries, trailingEntries, segmentBytes } = this.#options;
    const ids = Array.from({ length: size }, (_, i) => nodeId(i + 1));
    const env = this.#env(id, disk, clock);
    return PrintFarmNode.open(env, {
      clusterId: CLUSTER_ID,
      id,
      members: ids.map((member) => ({ id: member, peer: addressOf(member) })),
      http: `node${id}:8000`,
      tickMs,
      times: TIMES,
      snapshotEntries,
      trailingEntries,
      segmentBytes,
      core: async () => ({
        open: (config) => {
          const group = core.open(config);
          groups.push(group);
          this.#tell({ kind: "opened", node: id, base: config.base });
          this.#tap(id, group);
          return group;
        },
      }),
      connect: (facts, handlers) => {
        const peers = ids.filter((other) => other !== id);
        const addresses = peers.map((peer) => ({ id: peer, address: addressOf(peer) }));
        return this.wire.connect(id, env, addresses, facts, handlers);
      },
      onFatal: (error) => {
        if (!clock.isHalted) this.#ended(id, error);
      },
      onApplied: (index, hashes) => this.#tell({ kind: "applied", node: id, index, hashes }),
    });
  }

  /** Tells of all entries that come into a core from the disk, or go out to it. */
  #tap(id: NodeId, group: Group): void {
    const [load, ready] = [group.load.bind(group), group.ready.bind(group)];
    group.load = (block) => {
      this.#tell({ kind: "loaded", node: id, block });
      load(block);
    };
    group.ready = () => {
      const due = ready();
      if (due !== null) this.#tell({ kind: "ready", node: id, ready: due });
      return due;
    };
  }

  /** Ends a process in the middle of whatever it was doing. Power takes what was not synced with it. */
  crash(id: NodeId, how: "kill" | "power"): void {
    const place = this.place(id);
    this.trace(`world: node ${id} crashes (${how})`);
    this.wire.gone(id);
    const { clock, disk, life } = place;
    clock?.halt();
    place.clock = null;
    place.life = null;
    life?.end();
    for (const group of life?.groups ?? []) group.close();
    place.disk = how === "power" ? disk.crash(this.random) : disk.kill(this.random);
    this.#tell({ kind: "gone", node: id, disk });
  }

  /** The process stands still; its machine goes on. */
  freeze(id: NodeId): void {
    this.trace(`world: node ${id} stands still`);
    this.place(id).clock?.freeze();
    this.wire.stall(id);
  }

  thaw(id: NodeId): void {
    this.trace(`world: node ${id} goes on`);
    this.wire.wake(id);
    this.place(id).clock?.thaw();
  }

  // --- Time

  /** Lets the world go on until a promise of set-up code has settled. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const marked = promise.finally(() => (done = true));
    marked.catch(() => undefined); // it is returned below
    assert(await this.clock.runUntil(() => done, SETTLED_MS_MAX), "set-up code waits for ever");
    return promise;
  }

  // --- What a node gets

  #newDisk(id: number): SimDisk {
    return new SimDisk({
      // What a disk answers reaches its process only while that runs.
      schedule: (delayMs, run) =>
        void (this.places[id - 1]?.clock ?? this.clock).after(delayMs, run),
      random: this.random.fork(),
      root: `disk of node ${id}`,
      latencyMs: (operation, bytes, random) =>
        this.#options.diskSlowness * everydayLatency(operation, bytes, random),
    });
  }

  #env(id: NodeId, disk: Disk, clock: ProcessClock): Env & { readonly clock: ProcessClock } {
    return {
      clock,
      disk,
      random: this.random.fork(),
      network: this.wire.network(id),
      logger: this.#logger(`node ${id}`, () => {
        if (!clock.isHalted) this.#tell({ kind: "line", node: id });
      }),
    };
  }

  #logger(who: string, tap: () => void = () => undefined): Logger {
    const line =
      (level: string) =>
      (message: string, fields: LogFields = {}): void => {
        this.trace(`${who}: ${level} ${message} ${JSON.stringify(fields)}`);
        tap();
      };
    const logger: Logger = {
      debug: () => undefined,
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      child: () => logger,
    };
    return logger;
  }

  #tell(event: WorldEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}

const SETTLED_MS_MAX = 600_000;

/** As in production, in ticks of 50 ms. */
const TIMES: ReplicaTimes = {
  leaderWait: 60,
  settle: 100,
  repeat: 20,
  readRetry: 4,
  diskStall: 200,
};

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
