// Loaded into a node before it starts (`--import`): how long turns of its event loop were held. On SIGUSR2 it
// writes one line to standard error and begins anew.

import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 2;
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();

process.on("SIGUSR2", () => {
  // What is measured is by how much a timer was late, with the timer's own time in it.
  const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  const turns = { max: ms(histogram.max), p99: ms(histogram.percentile(99)) };
  process.stderr.write(`TURNS ${JSON.stringify(turns)}\n`);
  histogram.reset();
});
