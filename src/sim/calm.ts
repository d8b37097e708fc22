// A swarm to which nothing happens but that links are said to heal: to plant one thing in, or to measure.

import { type Swarm, USUAL_MIX, drawSwarm, weightsOf } from "./swarm.ts";

export const CALM: Swarm = {
  ...drawSwarm(1),
  size: 3,
  wire: "packets",
  tickMs: 50,
  faultsMs: 60_000,
  fateMs: 10_000,
  lullMs: 0,
  load: {
    clients: 3,
    boutRequests: 10,
    thinkMsMax: 50,
    quietMsMax: 8000,
    patienceMs: 2000,
    mix: USUAL_MIX,
  },
  links: { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 2 },
  diskSlowness: 1,
  allAtOnce: 0,
  powerOnAcknowledge: 0,
  powerOnLine: 0,
  weights: weightsOf((kind) => (kind === "heal" ? 1 : 0)),
};
