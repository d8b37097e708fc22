// What people read of a run.

import type { JudgedRun } from "./judged.ts";
import type { RunResult } from "./run.ts";

/** One line; more if something went wrong. */
export function describeRun(result: JudgedRun, realMs: number): string {
  const { swarm, problem, simulatedMs } = result;
  const faults = [...result.faults].map(([kind, count]) => `${count} ${kind}`).join(", ");
  const counts =
    `${swarm.size} nodes, ${(simulatedMs / 1000).toFixed(0)} s at ` +
    `${Math.round(simulatedMs / realMs)}×, ${result.acknowledged}/${result.requests} acknowledged, ` +
    `${result.reads} reads, ${result.leaderships} leaderships; ${faults || "no faults"}` +
    `${result.lost > 0 ? `; ${result.lost} lost` : ""}`;
  const verdict = `seed ${swarm.seed}: ${problem === null ? "held" : "FAILED"} (${counts})`;
  return problem === null ? verdict : `${verdict}\n${describeFailure(result)}`;
}

export function describeFailure({ problem, swarm }: RunResult): string {
  return [
    `  ${problem}`,
    `  swarm: ${JSON.stringify(swarm)}`,
    `  replay: npm run sim -- --seed ${swarm.seed} --trace`,
  ].join("\n");
}
