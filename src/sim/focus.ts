// One swarm in four is narrowed to something that faults drawn side by side hardly ever bring about: a disk that
// hangs for so long that its node must end itself (other faults end the hang or the node before), followers
// that need a snapshot again and again, clients of another kind. Drawn from a stream of its own, so that all
// other swarms are what they were.

import { SimRandom } from "./sim-random.ts";
import { type FateKind, type Swarm, weightsOf } from "./swarm.ts";

/** Makes a stream of its own of a seed. Any number would do; with this one the corpus is left as it was. */
const SALT = 0x5eed_f1b1;
const SHARE = 0.25;
const SEED_RANGE = 2 ** 31;

export type Focus = "hangs" | "snapshots" | "clients";

export function focusOf(seed: number): Focus | null {
  const random = streamOf(seed);
  return random.chance(SHARE) ? random.pick(["hangs", "snapshots", "clients"]) : null;
}

export function focused(swarm: Swarm): Swarm {
  const focus = focusOf(swarm.seed);
  if (focus === null) return swarm;
  const random = streamOf(swarm.seed + SEED_RANGE);
  switch (focus) {
    case "hangs":
      return { ...swarm, ...steady(swarm), weights: only({ "disk-hang": 10, heal: 3 }) };
    case "snapshots":
      return {
        ...swarm,
        ...steady(swarm),
        size: random.pick([3, 3, 5]),
        snapshotEntries: random.pick([10, 25]),
        trailingEntries: random.pick([0, 3]),
        // Others must get on while one is away, and the judge must be able to say what became of it all.
        fateMs: 20 * swarm.tickMs,
        lullMs: 100 * swarm.tickMs,
        stormActs: 10,
        powerOnAcknowledge: 0,
        powerOnLine: 0,
        weights: only({ kill: 2, doom: 1, partition: 8, heal: 4 }),
      };
    case "clients":
      return { ...swarm, load: { ...swarm.load, mix: drawMix(random) } };
  }
}

function streamOf(seed: number): SimRandom {
  return new SimRandom((seed ^ SALT) >>> 0);
}

/** Clients are busy the whole time: what waits for a write meets one. */
function steady({ load, tickMs }: Swarm): Pick<Swarm, "load" | "faultsMs" | "allAtOnce"> {
  return {
    // Not too many at once: the judge must find an order of all that nobody knows the outcome of.
    load: {
      ...load,
      clients: Math.min(load.clients, 4),
      boutRequests: 10,
      quietMsMax: 150 * tickMs,
    },
    faultsMs: 3000 * tickMs,
    allAtOnce: 0,
  };
}

function only(weights: Partial<Record<FateKind, number>>): Swarm["weights"] {
  return weightsOf((kind) => weights[kind] ?? 0);
}

/** Shops that mostly look, or mostly tidy up, or whose programs know nothing of keys. */
function drawMix(random: SimRandom): Swarm["load"]["mix"] {
  return {
    reads: random.pick([0, 0.1, 0.6, 0.9]),
    keys: random.pick([0, 0.5, 1]),
    tries: random.pick([1, 3, 12]),
    creations: random.pick([0.02, 0.3]),
    changes: random.pick([0, 0.1, 0.4]),
    removals: random.pick([0, 0.1, 0.3]),
    progress: random.pick([0.2, 0.5, 0.8]),
  };
}
