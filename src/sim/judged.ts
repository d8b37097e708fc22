// A run and the judge's word on its history.

import { type Answer, type Judge, problemOf } from "./judge.ts";
import { type RunResult, runSeed } from "./run.ts";

export interface JudgedRun extends RunResult {
  /** Null if the run failed before there was anything to judge. */
  readonly answer: Answer | null;
}

/** As `runSeed`; a history that is not known to be linearizable is a problem like any other. */
export async function runJudged(
  seed: number,
  core: WebAssembly.Module,
  judge: Judge,
  onTrace: (line: string) => void = () => undefined,
): Promise<JudgedRun> {
  const result = await runSeed(seed, core, onTrace);
  if (result.problem !== null) return { ...result, answer: null };
  const answer = await judge.judge(result.history);
  return { ...result, problem: problemOf(answer), answer };
}
