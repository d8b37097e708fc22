// Loaded into a node before it starts (`--import`): how long turns of its event loop were held. On SIGUSR2 it
// writes one line to standard error and begins anew. All in milliseconds:
//   late  by how much a timer was late at most, whoever had the processor meanwhile
//   held  the same, but no more than this process computed in that time (its helper threads included): what
//         the node itself is to blame for, on a machine with more to do than processors
//   gc    the longest collection of garbage that stopped everything

import { PerformanceObserver } from "node:perf_hooks";

const INTERVAL_MS = 2;

let worst = { late: 0, held: 0, gc: 0 };

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) worst.gc = Math.max(worst.gc, duration);
}).observe({ entryTypes: ["gc"] });

let dueMs = performance.now() + INTERVAL_MS;
let computed = process.cpuUsage();
setInterval(() => {
  const late = performance.now() - dueMs;
  const { system, user } = process.cpuUsage(computed);
  worst.late = Math.max(worst.late, late);
  worst.held = Math.max(worst.held, Math.min(late, (system + user) / 1000));
  dueMs = performance.now() + INTERVAL_MS;
  computed = process.cpuUsage();
}, INTERVAL_MS).unref();

process.on("SIGUSR2", () => {
  process.stderr.write(`TURNS ${JSON.stringify(worst)}\n`);
  worst = { late: 0, held: 0, gc: 0 };
});
