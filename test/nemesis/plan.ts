// What a round will do, drawn from its seed before anything is started, so that it can be printed first and
// had again. Whom a fault hits is drawn as a part that somebody plays (the leader, a follower), because who
// plays it is known only when it happens.

import type { SimRandom } from "../../src/sim/sim-random.ts";

/** Whom. `pick` chooses where the part leaves a choice. */
export interface Target {
  readonly part: "leader" | "follower" | "any" | "minority" | "majority" | "all";
  readonly pick: number;
}

/** How a network is divided; see faults.ts for what each means. */
export const CUTS = ["alone", "deaf", "mute", "halves", "ring", "bridge"] as const;
export type Cut = (typeof CUTS)[number];

export type Step =
  | { readonly kind: "kill"; readonly target: Target; readonly holdMs: number }
  | { readonly kind: "pause"; readonly target: Target; readonly holdMs: number }
  | { readonly kind: "storm"; readonly everyMs: number; readonly holdMs: number }
  | { readonly kind: "rolling-restart" }
  | {
      readonly kind: "partition";
      readonly cut: Cut;
      readonly target: Target;
      readonly holdMs: number;
    }
  | {
      readonly kind: "loss";
      readonly loss: number;
      readonly twice: number;
      readonly holdMs: number;
    }
  | {
      readonly kind: "delay";
      readonly delay: number;
      readonly jitter: number;
      readonly holdMs: number;
    }
  | {
      readonly kind: "slow-disk";
      readonly target: Target;
      readonly ms: number;
      readonly holdMs: number;
    }
  | { readonly kind: "hung-disk"; readonly target: Target; readonly holdMs: number }
  | { readonly kind: "dead-disk"; readonly target: Target }
  | { readonly kind: "failed-sync"; readonly target: Target }
  | { readonly kind: "full-disk"; readonly target: Target; readonly holdMs: number }
  | { readonly kind: "killed-install"; readonly pick: number; readonly times: number }
  | { readonly kind: "wiped-folder"; readonly pick: number }
  | {
      readonly kind: "clock-jump";
      readonly target: Target;
      readonly ms: number;
      readonly holdMs: number;
    };

export type FaultKind = Step["kind"];

interface Row {
  /** What it lays hands on: of each at most one thing at a time. */
  readonly on: "process" | "network" | "disk" | "clock";
  /** Nothing else happens meanwhile. */
  readonly alone?: true;
  readonly weight: number;
  readonly draw: (random: SimRandom) => Step;
}

const HOUR_MS = 3_600_000;

/** The menu. Holds outlast an election (0.5 to 1 s) unless they are short on purpose. */
export const MENU: { readonly [Kind in FaultKind]: Row } = {
  kill: {
    on: "process",
    weight: 5,
    draw: (random) => ({
      kind: "kill",
      target: target(random, ["leader", "leader", "follower", "minority", "majority", "all"]),
      holdMs: random.between(0, 4000),
    }),
  },
  pause: {
    on: "process",
    weight: 4,
    draw: (random) => ({
      kind: "pause",
      target: target(random, ["leader", "leader", "follower", "minority", "majority", "all"]),
      // Once in a while longer than the 10 s after which a disk that says nothing counts as dead.
      holdMs: random.chance(0.15) ? random.between(11_000, 14_000) : random.between(500, 6000),
    }),
  },
  storm: {
    on: "process",
    weight: 2,
    draw: (random) => ({
      kind: "storm",
      everyMs: random.between(150, 900),
      holdMs: random.between(3000, 7000),
    }),
  },
  "rolling-restart": {
    on: "process",
    alone: true,
    weight: 2,
    draw: () => ({ kind: "rolling-restart" }),
  },
  partition: {
    on: "network",
    weight: 8,
    draw: (random) => ({
      kind: "partition",
      cut: random.pick(CUTS),
      target: target(random, ["leader", "leader", "follower"]),
      holdMs: random.between(1000, 8000),
    }),
  },
  loss: {
    on: "network",
    weight: 3,
    draw: (random) => ({
      kind: "loss",
      loss: random.between(20, 400),
      twice: random.between(0, 300),
      holdMs: random.between(2000, 8000),
    }),
  },
  delay: {
    on: "network",
    weight: 3,
    draw: (random) => ({
      kind: "delay",
      delay: random.between(5, 250),
      jitter: random.between(0, 200),
      holdMs: random.between(2000, 8000),
    }),
  },
  "slow-disk": {
    on: "disk",
    weight: 3,
    draw: (random) => ({
      kind: "slow-disk",
      target: target(random, ["leader", "follower", "majority", "all"]),
      ms: random.between(20, 800),
      holdMs: random.between(2000, 8000),
    }),
  },
  "hung-disk": {
    on: "disk",
    weight: 2,
    draw: (random) => ({
      kind: "hung-disk",
      target: target(random, ["leader", "follower", "majority", "all"]),
      holdMs: random.between(500, 7000),
    }),
  },
  "dead-disk": {
    on: "disk",
    weight: 1,
    draw: (random) => ({ kind: "dead-disk", target: target(random, ["leader", "follower"]) }),
  },
  "failed-sync": {
    on: "disk",
    weight: 2,
    draw: (random) => ({
      kind: "failed-sync",
      target: target(random, ["leader", "follower", "majority"]),
    }),
  },
  "full-disk": {
    on: "disk",
    weight: 3,
    draw: (random) => ({
      kind: "full-disk",
      target: target(random, ["leader", "follower", "minority", "all"]),
      holdMs: random.between(3000, 8000),
    }),
  },
  "killed-install": {
    on: "process",
    alone: true,
    weight: 3,
    draw: (random) => ({
      kind: "killed-install",
      pick: random.u32(),
      times: random.between(1, 3),
    }),
  },
  "wiped-folder": {
    on: "process",
    alone: true,
    weight: 1,
    draw: (random) => ({ kind: "wiped-folder", pick: random.u32() }),
  },
  "clock-jump": {
    on: "clock",
    weight: 2,
    draw: (random) => ({
      kind: "clock-jump",
      target: target(random, ["leader", "follower", "all"]),
      ms: (random.chance(0.5) ? 1 : -1) * random.between(1000, 10 * 365 * 24 * HOUR_MS),
      holdMs: random.between(1000, 8000),
    }),
  },
};

export const FAULT_KINDS = Object.keys(MENU) as readonly FaultKind[];

/** Faults that begin together, and then a rest in which the cluster has to come back. */
export interface Episode {
  readonly steps: readonly Step[];
  readonly restMs: number;
}

export interface Plan {
  readonly seed: number;
  readonly size: number;
  readonly clients: number;
  readonly thinkMsMax: number;
  readonly tickMs: number;
  readonly snapshotEntries: number;
  readonly trailingEntries: number;
  readonly episodes: readonly Episode[];
}

export interface PlanOptions {
  /** Null: drawn. */
  readonly size: number | null;
  /** What there is to draw from. */
  readonly kinds: readonly FaultKind[];
  readonly episodes: number;
}

export function drawPlan(random: SimRandom, seed: number, options: PlanOptions): Plan {
  const size = options.size ?? (random.chance(0.7) ? 3 : 5);
  return {
    seed,
    size,
    clients: random.between(5, 8),
    thinkMsMax: random.between(200, 500),
    tickMs: random.pick([30, 50, 50, 100]),
    snapshotEntries: random.pick([40, 100, 200]),
    trailingEntries: random.pick([5, 20, 100]),
    episodes: drawEpisodes(random, options),
  };
}

function drawEpisodes(random: SimRandom, { episodes, kinds }: PlanOptions): readonly Episode[] {
  // Every kind has its turn before one comes again: a short run sees much of the menu.
  let left: FaultKind[] = [];
  return Array.from({ length: episodes }, () => {
    if (left.length === 0) left = [...kinds];
    const first = weighted(random, left);
    left = left.filter((kind) => kind !== first);
    const chosen = [first];
    if (MENU[first].alone !== true && random.chance(0.45)) {
      const others = kinds.filter((kind) => goTogether(first, kind));
      if (others.length > 0) chosen.push(weighted(random, others));
    }
    const steps = chosen.map((kind) => MENU[kind].draw(random));
    return { steps, restMs: random.between(200, 2500) };
  });
}

function goTogether(one: FaultKind, other: FaultKind): boolean {
  return MENU[other].alone !== true && MENU[one].on !== MENU[other].on;
}

function weighted(random: SimRandom, kinds: readonly FaultKind[]): FaultKind {
  return random.pick(kinds.flatMap((kind) => Array<FaultKind>(MENU[kind].weight).fill(kind)));
}

function target(random: SimRandom, parts: readonly Target["part"][]): Target {
  return { part: random.pick(parts), pick: random.u32() };
}

/** One step in words, for the line that is printed first. */
export function describeStep(step: Step): string {
  const { kind, ...rest } = step;
  const words = Object.entries(rest).flatMap(([name, value]) => {
    if (name === "pick") return [];
    if (typeof value === "object") return [value.part];
    return typeof value === "string" ? [value] : [`${name}=${value}`];
  });
  return [kind, ...words].join(" ");
}
