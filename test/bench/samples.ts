// What was measured, and how two of it compare.

import { median } from "../../src/cli/bench/report.ts";
import type { Report } from "./generator.ts";
import type { Through } from "./systems.ts";
import type { Closed } from "./wrk.ts";

export type Operation = "create" | "get";

/** One system, one load, one round. */
interface Measured {
  readonly system: string;
  readonly round: number;
  /** Processor seconds for each 1,000 requests, by process, the leader's first. */
  readonly cpu: readonly number[];
}

/** A closed loop. */
export interface Sample extends Measured {
  readonly operation: Operation;
  readonly through: Through;
  readonly connections: number;
  readonly closed: Closed;
  /** Of the log, all nodes together; null where nothing is kept. */
  readonly syncsPerRequest: number | null;
  /** At the end of the measurement, by process. */
  readonly residentMib: readonly number[];
}

/** Creates at a fixed rate, through the leader. */
export interface RateSample extends Measured {
  /** As it was asked for: the rate itself differs from round to round, if it is a share of another. */
  readonly rate: string;
  readonly report: Report;
}

export function perSecond({ requests, us }: Closed): number {
  return requests / (us / 1e6);
}

/** In each round; none at all where a round has one of the two only. */
export function ratios<T extends Measured>(
  of: readonly T[],
  to: readonly T[],
  figure: (sample: T) => number,
): readonly number[] {
  const all = of.flatMap((sample) => {
    const other = to.find(({ round }) => round === sample.round);
    return other === undefined ? [] : [figure(sample) / figure(other)];
  });
  return all.length < of.length ? [] : all;
}

/**
 * The median of the ratios of the rounds: neighbours on the machine disturb a whole round more often than one
 * measurement in it. Null where a round has one of the two only.
 */
export function ratio<T extends Measured>(
  of: readonly T[],
  to: readonly T[],
  figure: (sample: T) => number,
): number | null {
  const all = ratios(of, to, figure);
  return all.length === 0 ? null : median(all);
}
