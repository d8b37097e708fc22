// A few real transports on one simulated network, for the tests of src/transport: everything that a
// handler was told is kept in order, and what a handler answers can be changed at any time.

import { must } from "../base/assert.ts";
import { type NodeId, nodeId } from "../base/brand.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import type { Logger, LogFields } from "../env/logger.ts";
import type { Network } from "../env/network.ts";
import { PeerTransport, type PeerTransportOptions } from "../transport/peer-transport.ts";
import type {
  Admission,
  Introduction,
  NodeFacts,
  PeerStatus,
  Refusal,
  SnapshotOffer,
  SnapshotSink,
  TransportHandlers,
} from "../transport/transport.ts";
import { ProcessClock } from "./process-clock.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";
import { StreamNetwork } from "./stream-network.ts";
import type { StreamFaults } from "./stream-wire.ts";

export class TransportWorld {
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly network: StreamNetwork;
  readonly #processes = new Map<number, Process>();
  #runs = 0;

  constructor(seed = 1, faults: Partial<StreamFaults> = {}) {
    this.random = new SimRandom(seed);
    this.network = new StreamNetwork({
      schedule: (delayMs, run) => {
        const timer = this.clock.after(delayMs, run);
        return () => timer.cancel();
      },
      random: this.random.fork(),
      faults,
    });
  }

  /** Nodes 1 to `count`, which know of each other, started. */
  async start(count: number): Promise<Process[]> {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const processes: Process[] = [];
    for (const id of ids) processes.push(await this.boot(id, { peers: ids }));
    return processes;
  }

  /** Starts one node: for the first time, or again after its process has ended. */
  async boot(id: number, options: ProcessOptions = {}): Promise<Process> {
    const process = this.create(id, options);
    await process.transport.start();
    return process;
  }

  create(id: number, options: ProcessOptions = {}): Process {
    this.#runs += 1;
    const starts = (this.#processes.get(id)?.facts.starts ?? 0) + 1;
    const process = new Process(this, id, `run-${this.#runs}`, starts, options);
    this.#processes.set(id, process);
    return process;
  }

  /** The process stands still for a while. */
  async stall(process: Process, forMs: number): Promise<void> {
    process.clock.freeze();
    this.network.stall(hostOf(process.id));
    await this.clock.advance(forMs);
    // The timers first, then the sockets: the order of a real event loop after a stall.
    process.clock.thaw();
    this.network.wake(hostOf(process.id));
  }

  /** The process is gone in the middle of whatever it did. */
  kill(process: Process, isSilent?: boolean): void {
    process.clock.halt();
    this.network.crash(hostOf(process.id), isSilent);
  }
}

export interface ProcessOptions {
  /** Ids of the cluster's nodes; its own is left out. 1 to 3 if nothing is said. */
  readonly peers?: readonly number[];
  readonly facts?: Partial<NodeFacts>;
  readonly protocol?: PeerTransportOptions["protocol"];
  readonly wrap?: (network: Network) => Network;
}

export function hostOf(id: number): string {
  return `host-${id}`;
}

export function addressOf(id: number): string {
  return `${hostOf(id)}:9000`;
}

export interface LogLine extends LogFields {
  readonly level: string;
  readonly text: string;
}

/** One node's process, with what its handlers were told. */
export class Process {
  readonly id: NodeId;
  readonly clock: ProcessClock;
  readonly transport: PeerTransport;
  readonly lines: LogLine[] = [];
  readonly messages: { readonly from: number; readonly text: string }[] = [];
  readonly unreachable: number[] = [];
  readonly connected: { readonly peer: number; readonly facts: NodeFacts }[] = [];
  readonly introductions: Introduction[] = [];
  readonly refusals: (Refusal & { readonly peer: number })[] = [];
  readonly sent: { readonly to: number; readonly index: number; readonly ok: boolean }[] = [];
  readonly received: { readonly from: number; readonly index: number; readonly text: string }[] =
    [];
  facts: NodeFacts;
  admit: (introduction: Introduction) => Promise<Admission> = () => Promise.resolve({ ok: true });
  receiveSnapshot: (from: NodeId, offer: SnapshotOffer) => Promise<SnapshotSink | null> = () =>
    Promise.resolve(null);
  serveEvents: TransportHandlers["serveEvents"] = () => null;

  constructor(
    world: TransportWorld,
    id: number,
    run: string,
    starts: number,
    options: ProcessOptions,
  ) {
    this.id = nodeId(id);
    this.clock = new ProcessClock(world.clock);
    this.facts = {
      clusterId: "cluster-a",
      nodeId: this.id,
      instance: `instance-${id}`,
      starts,
      founded: true,
      run,
      http: `${hostOf(id)}:8000`,
      formats: { command: 1 },
      ...options.facts,
    };
    const network = world.network.node(hostOf(id));
    const peers = (options.peers ?? [1, 2, 3]).filter((peer) => peer !== id);
    this.transport = new PeerTransport({
      env: {
        clock: this.clock,
        random: world.random.fork(),
        network: options.wrap?.(network) ?? network,
        logger: this.#logger(),
      },
      listen: addressOf(id),
      facts: () => this.facts,
      peers: peers.map((peer) => ({ id: nodeId(peer), address: addressOf(peer) })),
      handlers: this.#handlers(),
      ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    });
  }

  /** Sends one message and flushes, as an owner's turn would. */
  say(to: number, text: string): void {
    this.transport.send(nodeId(to), encodeUtf8(text));
    this.transport.flush();
  }

  heard(from: number): string[] {
    return this.messages.filter((message) => message.from === from).map(({ text }) => text);
  }

  peer(id: number): PeerStatus {
    return must(
      this.transport.peers().find((peer) => peer.id === id),
      `peer ${id}`,
    );
  }

  /** Everything that its handlers were told, as a count: to see that nothing more is. */
  get told(): number {
    const { messages, unreachable, connected, introductions, refusals, sent, received } = this;
    const all = [messages, unreachable, connected, introductions, refusals, sent, received];
    return all.reduce((sum, list) => sum + list.length, 0);
  }

  #handlers(): TransportHandlers {
    return {
      message: (from, bytes) => this.messages.push({ from, text: textOf(bytes) }),
      unreachable: (peer) => this.unreachable.push(peer),
      disconnected: (peer) => this.unreachable.push(peer),
      connected: (peer, facts) => this.connected.push({ peer, facts }),
      admit: (introduction) => {
        this.introductions.push(introduction);
        return this.admit(introduction);
      },
      refused: (peer, refusal) => this.refusals.push({ peer, ...refusal }),
      snapshotSent: (to, index, ok) => this.sent.push({ to, index, ok }),
      receiveSnapshot: (from, offer) => this.receiveSnapshot(from, offer),
      snapshotReceived: (from, { index, message }) =>
        this.received.push({ from, index, text: textOf(message) }),
      serveEvents: (from, after, through) => this.serveEvents(from, after, through),
    };
  }

  #logger(): Logger {
    const write =
      (level: string) =>
      (text: string, fields: LogFields = {}): void =>
        void this.lines.push({ level, text, ...fields });
    const logger: Logger = {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => logger,
    };
    return logger;
  }
}

/** Any bytes: what no text is made of shows as U+FFFD. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
