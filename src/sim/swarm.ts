// What a seed stands for: the size of the cluster, its settings, the weather and the work, all drawn at
// once and printed first, so that a failure can be read before it is replayed (TigerBeetle's swarm).

import type { LinkConditions } from "./packet-network.ts";
import { SimRandom } from "./sim-random.ts";
import type { WireKind } from "./wire.ts";

export interface Swarm {
  readonly seed: number;
  readonly size: number;
  readonly wire: WireKind;
  readonly tickMs: number;
  readonly snapshotEntries: number;
  readonly trailingEntries: number;
  readonly segmentBytes: number;
  readonly load: LoadPlan;
  /** How long the faults last, in milliseconds of simulated time. */
  readonly faultsMs: number;
  /** Mean time between two acts of fate in a storm. */
  readonly fateMs: number;
  /** Acts in a storm, and the length of the lull after it, in milliseconds: means. */
  readonly stormActs: number;
  readonly lullMs: number;
  readonly links: LinkConditions;
  /** How many times slower than everyday the disks are. */
  readonly diskSlowness: number;
  /** How long a node is down after a crash, at most. */
  readonly restartMsMax: number;
  /** Share of crashes that take every node at once. */
  readonly allAtOnce: number;
  /** Share of acknowledgements in whose very moment the power of the whole building fails. */
  readonly powerOnAcknowledge: number;
  /** Share of lines in a node's log in whose very moment its power fails. */
  readonly powerOnLine: number;
  /** Shares of the acts of fate. */
  readonly weights: FateWeights;
}

/** Work comes in bouts, as it does in a workshop: a busy while, then a quiet one. */
export interface LoadPlan {
  readonly clients: number;
  /** Requests that a client makes in one bout, at most. */
  readonly boutRequests: number;
  /** Milliseconds a client thinks between two requests of a bout, at most. */
  readonly thinkMsMax: number;
  /** Milliseconds between two bouts, at most. */
  readonly quietMsMax: number;
  /** How long a client waits for an answer before it tries another node. */
  readonly patienceMs: number;
  readonly mix: Mix;
}

/** What clients do: shares of what there is to be drawn. */
export interface Mix {
  /** Of requests that read. */
  readonly reads: number;
  /** Of writes that carry an Idempotency-Key: only they may be tried again in doubt. */
  readonly keys: number;
  /** Tries of one write, at most. */
  readonly tries: number;
  /** Of writes that make a printer or a spool, change one, or remove one; jobs are the rest. */
  readonly creations: number;
  readonly changes: number;
  readonly removals: number;
  /** Of the rest that move a job on. */
  readonly progress: number;
}

export const USUAL_MIX: Mix = {
  reads: 0.3,
  keys: 0.7,
  tries: 6,
  creations: 0.08,
  changes: 0.05,
  removals: 0.03,
  progress: 0.45,
};

/** What fate can do; docs/testing.md says what each stands for. */
export const FATE_KINDS = [
  "kill",
  "power",
  "doom",
  "partition",
  "clog",
  "weather",
  "wall-clock",
  "drift",
  "pause",
  "disk-error",
  "disk-hang",
  "disk-full",
  "rot",
  "heal",
] as const;
export type FateKind = (typeof FATE_KINDS)[number];
export type FateWeights = Readonly<Record<FateKind, number>>;

const SIZES = [1, 2, 3, 3, 3, 3, 4, 5, 5];
const TICKS_MS = [50, 100, 200, 400, 800];
const FAULTS_S = [15, 30, 60, 120, 300, 600, 1200];
/** Whatever their ticks: time for elections, hangs and lulls. */
const FAULT_TICKS_MIN = [200, 400, 1500];
/** The mean of the lulls between storms, in ticks: the longer ones show whether the cluster works again. */
const LULL_TICKS = [0, 200, 800, 1600];

/** Every fault beside every other; `focused` (focus.ts) narrows some of them. */
export function drawSwarm(seed: number): Swarm {
  const random = new SimRandom(seed);
  const calm = random.chance(0.1);
  const tickMs = random.pick(TICKS_MS);
  const faultsMs = Math.max(1000 * random.pick(FAULTS_S), tickMs * random.pick(FAULT_TICKS_MIN));
  return {
    seed,
    size: random.pick(SIZES),
    wire: random.chance(0.3) ? "streams" : "packets",
    tickMs,
    snapshotEntries: random.pick([10, 25, 60, 200, 2000]),
    trailingEntries: random.pick([0, 3, 20, 100]),
    segmentBytes: 1024 * random.pick([16, 32, 128]),
    load: drawLoad(random, faultsMs),
    faultsMs,
    fateMs: random.pick([300, 1000, 3000, 10_000]),
    stormActs: random.pick([3, 10, 30]),
    lullMs: tickMs * random.pick(LULL_TICKS),
    links: drawLinks(random, calm),
    diskSlowness: random.pick([1, 1, 4, 30]),
    restartMsMax: random.pick([500, 2000, 8000]),
    allAtOnce: random.pick([0, 0.1, 0.5]),
    powerOnAcknowledge: calm ? 0 : random.pick([0, 0, 0.01, 0.05]),
    powerOnLine: calm ? 0 : random.pick([0, 0, 0, 0.02, 0.1]),
    weights: drawWeights(random, calm),
  };
}

/** Long runs are for rare events, not for many requests: the number of requests is drawn, too. */
function drawLoad(random: SimRandom, faultsMs: number): LoadPlan {
  const clients = random.between(1, 8);
  const boutRequests = random.pick([3, 10, 30]);
  const thinkMsMax = random.pick([5, 50, 300]);
  const requests = random.pick([60, 150, 300, 600]);
  const bouts = Math.max(1, requests / (clients * boutRequests));
  return {
    clients,
    boutRequests,
    thinkMsMax,
    quietMsMax: Math.round((2 * faultsMs) / bouts),
    patienceMs: random.pick([2000, 10_000, 30_000]),
    mix: USUAL_MIX,
  };
}

/** A few kinds of faults that come often find other things than many that come seldom. */
function drawWeights(random: SimRandom, calm: boolean): FateWeights {
  const left = random.pick([0.3, 0.6, 0.85]);
  const weight = (kind: FateKind): number => {
    if (calm) return kind === "heal" ? 1 : 0;
    if (kind === "heal") return random.between(1, 10);
    return random.chance(left) ? 0 : random.between(1, 10);
  };
  return weightsOf(weight);
}

export function weightsOf(weight: (kind: FateKind) => number): FateWeights {
  // Object.fromEntries forgets which keys it was given.
  return Object.fromEntries(FATE_KINDS.map((kind) => [kind, weight(kind)])) as FateWeights;
}

export function drawLinks(random: SimRandom, calm: boolean): LinkConditions {
  if (calm) return { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 2 };
  const delayMsMin = random.pick([0.1, 0.5, 5]);
  return {
    loss: random.pick([0, 0, 0.01, 0.1, 0.3]),
    duplication: random.pick([0, 0, 0.02, 0.2]),
    delayMsMin,
    delayMsMax: delayMsMin + random.pick([0.5, 5, 60, 200]),
  };
}
