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
  readonly clients: number;
  /** Milliseconds of simulated time a client thinks between two requests, at most. */
  readonly thinkMsMax: number;
  /** How long the faults last, in milliseconds of simulated time. */
  readonly faultsMs: number;
  /** Mean time between two acts of fate. */
  readonly fateMs: number;
  readonly links: LinkConditions;
  /** How many times slower than everyday the disks are. */
  readonly diskSlowness: number;
  /** Share of crashes that take every node at once. */
  readonly allAtOnce: number;
  /** Share of acknowledgements in whose very moment the power of the whole building fails. */
  readonly powerOnAcknowledge: number;
  /** Shares of the acts of fate. */
  readonly weights: FateWeights;
}

export interface FateWeights {
  readonly kill: number;
  readonly power: number;
  readonly partition: number;
  readonly heal: number;
  readonly clock: number;
  readonly weather: number;
}

const SIZES = [1, 2, 3, 3, 3, 3, 4, 5, 5];

export function drawSwarm(seed: number): Swarm {
  const random = new SimRandom(seed);
  const calm = random.chance(0.1);
  const weight = (): number => (random.chance(0.3) ? 0 : random.between(1, 10));
  return {
    seed,
    size: random.pick(SIZES),
    wire: random.chance(0.3) ? "streams" : "packets",
    tickMs: 50,
    snapshotEntries: random.pick([10, 25, 60, 200, 2000]),
    trailingEntries: random.pick([0, 3, 20, 100]),
    segmentBytes: 1024 * random.pick([16, 32, 128]),
    clients: random.between(1, 8),
    thinkMsMax: random.pick([5, 50, 300]),
    faultsMs: 1000 * random.between(10, 40),
    fateMs: random.pick([300, 1000, 3000]),
    links: drawLinks(random, calm),
    diskSlowness: random.pick([1, 1, 4, 30]),
    allAtOnce: random.pick([0, 0.1, 0.5]),
    powerOnAcknowledge: calm ? 0 : random.pick([0, 0, 0.01, 0.05]),
    weights: calm
      ? { kill: 0, power: 0, partition: 0, heal: 1, clock: 0, weather: 0 }
      : {
          kill: weight(),
          power: weight(),
          partition: weight(),
          heal: random.between(1, 10),
          clock: weight(),
          weather: weight(),
        },
  };
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
