// The two ways in which the nodes of a simulated cluster reach each other. "packets": messages that are
// lost, doubled and overtake each other, the worst Raft must live with. "streams": the real transport,
// frames, handshakes, admission and all, over simulated TCP. Fate speaks to both in the same words.

import type { NodeId } from "../base/brand.ts";
import type { Env } from "../env/env.ts";
import type { Network } from "../env/network.ts";
import { PeerTransport } from "../transport/peer-transport.ts";
import type {
  NodeFacts,
  PeerAddress,
  Transport,
  TransportHandlers,
} from "../transport/transport.ts";
import { type LinkConditions, PacketNetwork } from "./packet-network.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimRandom } from "./sim-random.ts";
import { StreamNetwork } from "./stream-network.ts";

export type WireKind = "packets" | "streams";

export interface Wire {
  /** What a starting process gets as its network. */
  network(id: NodeId): Network;
  connect(
    id: NodeId,
    env: Env & { readonly clock: ProcessClock },
    peers: readonly PeerAddress[],
    facts: () => NodeFacts,
    handlers: TransportHandlers,
  ): Transport;
  cut(from: NodeId, to: NodeId): void;
  /** For `ms` nothing arrives, in this direction; then all of it does. */
  clog(from: NodeId, to: NodeId, ms: number): void;
  healAll(): void;
  /** The process is gone. */
  gone(id: NodeId): void;
  /** The process stands still, and goes on; its clock is frozen and thawed by the caller. */
  stall(id: NodeId): void;
  wake(id: NodeId): void;
  weather(conditions: LinkConditions): void;
}

export function addressOf(id: NodeId): string {
  return `node${id}:9000`;
}

export function makeWire(kind: WireKind, clock: SimClock, random: SimRandom): Wire {
  return kind === "packets" ? packets(clock, random) : streams(clock, random);
}

function packets(clock: SimClock, random: SimRandom): Wire {
  const network = new PacketNetwork(clock, random);
  return {
    network: () => NO_STREAMS,
    connect: (id, env, peers, facts, handlers) =>
      network.attach(id, peers, facts, whenRunning(env.clock, handlers)),
    cut: (from, to) => network.cut(from, to),
    clog: (from, to, ms) => network.clog(from, to, ms),
    healAll: () => network.healAll(),
    gone: (id) => network.detach(id),
    stall: () => undefined, // its handlers wait for its clock
    wake: () => undefined,
    weather: (conditions) => void (network.conditions = conditions),
  };
}

function streams(clock: SimClock, random: SimRandom): Wire {
  const schedule = (delayMs: number, run: () => void): (() => void) => {
    const timer = clock.after(delayMs, run);
    return () => timer.cancel();
  };
  const network = new StreamNetwork({ schedule, random });
  const name = (id: NodeId): string => `node${id}`;
  return {
    network: (id) => network.node(name(id)),
    connect: (id, env, peers, facts, handlers) =>
      new PeerTransport({ env, facts, handlers, listen: addressOf(id), peers }),
    cut: (from, to) => network.cut(name(from), name(to)),
    clog: (from, to, ms) => {
      network.cut(name(from), name(to));
      clock.after(ms, () => network.heal(name(from), name(to)));
    },
    healAll: () => network.healAll(),
    gone: (id) => network.crash(name(id)),
    stall: (id) => network.stall(name(id)),
    wake: (id) => network.wake(name(id)),
    weather: ({ delayMsMin, delayMsMax, loss }) => {
      network.faults.delayMsMin = delayMsMin;
      network.faults.delayMsMax = delayMsMax;
      // TCP hides a lost packet; what it cannot hide is a broken connection.
      network.faults.resetChance = loss / RESETS_PER_LOSS;
    },
  };
}

/** What a process is told while it stands still it hears when it goes on. */
function whenRunning(clock: ProcessClock, handlers: TransportHandlers): TransportHandlers {
  return {
    ...handlers,
    connected: (...about) => clock.whenRunning(() => handlers.connected(...about)),
    disconnected: (...about) => clock.whenRunning(() => handlers.disconnected(...about)),
    message: (...about) => clock.whenRunning(() => handlers.message(...about)),
    unreachable: (...about) => clock.whenRunning(() => handlers.unreachable(...about)),
    snapshotSent: (...about) => clock.whenRunning(() => handlers.snapshotSent(...about)),
    snapshotReceived: (...about) => clock.whenRunning(() => handlers.snapshotReceived(...about)),
  };
}

/** How much rarer a broken connection is than a lost message. */
const RESETS_PER_LOSS = 50;

/** In a world of packets nothing may open a stream. */
const NO_STREAMS: Network = {
  listen: () => Promise.reject(new Error("this world has no streams")),
  connect: () => Promise.reject(new Error("this world has no streams")),
};
