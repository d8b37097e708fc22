// `npm run bench:sim`: how much simulated time the simulator gets out of one second of one processor.

import { readPackageFile } from "../env/node/package-file.ts";
import { CALM } from "./calm.ts";
import { runSwarm } from "./run.ts";
import { type Swarm, USUAL_MIX } from "./swarm.ts";

const RUNS = 3;
/** The first run meets cold code. */
const WARM_UP = "";

const QUIET: Swarm = {
  ...CALM,
  snapshotEntries: 60,
  trailingEntries: 20,
  segmentBytes: 32_768,
  load: {
    ...CALM.load,
    clients: 1,
    boutRequests: 1,
    quietMsMax: 3_000_000,
    patienceMs: 10_000,
  },
  faultsMs: 600_000,
  fateMs: 3000,
};

const BUSY = {
  clients: 4,
  boutRequests: 10,
  thinkMsMax: 50,
  quietMsMax: 30_000,
  patienceMs: 10_000,
  mix: USUAL_MIX,
};
const KILLS = { ...QUIET.weights, kill: 10 };

const CASES: readonly (readonly [name: string, over: Partial<Swarm>])[] = [
  [WARM_UP, {}],
  ["three quiet nodes, ticks of 50 ms", {}],
  ["three quiet nodes, ticks of 200 ms", { tickMs: 200 }],
  ["three busy nodes, ticks of 200 ms", { tickMs: 200, load: BUSY }],
  ["three nodes that are killed all the time, ticks of 200 ms", { tickMs: 200, weights: KILLS }],
];

const core = await WebAssembly.compile(await readPackageFile("dist/core.wasm"));
for (const [name, over] of CASES) {
  let [simulatedMs, requests, crashes] = [0, 0, 0];
  const began = process.cpuUsage();
  for (let run = 0; run < RUNS; run++) {
    const result = await runSwarm({ ...QUIET, ...over, seed: run + 1 }, core);
    if (result.problem !== null) throw new Error(`${name}: ${result.problem}`);
    simulatedMs += result.simulatedMs;
    requests += result.requests + result.reads;
    crashes += result.crashes;
  }
  const { system, user } = process.cpuUsage(began);
  const speed = Math.round(simulatedMs / ((system + user) / 1000));
  const counts = `${Math.round(requests / RUNS)} requests, ${Math.round(crashes / RUNS)} crashes`;
  if (name !== WARM_UP) process.stdout.write(`${name.padEnd(60)}${speed} × (${counts})\n`);
}
