// Whether nodes under a load that makes nothing more to keep grow all the same.

import { median } from "../../src/cli/bench/report.ts";

/** What was seen in one slice of the load, by node. */
export interface Slice {
  /** When it ended, from the beginning of the load. */
  readonly seconds: number;
  /** In the middle of the slice's looks: collections of garbage make it swing. */
  readonly residentMib: readonly number[];
  /** Of log and snapshots, at most in the slice: they grow until a snapshot takes old segments away. */
  readonly keptMib: readonly number[];
}

export interface Growth {
  readonly beforeMib: number;
  readonly afterMib: number;
  readonly isWithin: boolean;
}

/** Until then, code is compiled and buffers find their size. */
const SETTLED_SECONDS = 60;
/** Slices of a half, at least: memory swings by a quarter between collections of garbage. */
const HALF_SLICES_MIN = 3;
/** Of resident memory: what two runs of the same differ by anyway. */
const MEMORY_GROWTH_MAX = 1.1;
/** Of log and snapshots: a segment of the log, which is there or just not. */
const DISK_GROWTH_MIB_MAX = 16;

/** Memory in the middle of both halves of what comes after the first minute, by node; null: too short to tell. */
export function memoryGrowth(slices: readonly Slice[]): readonly Growth[] | null {
  return byNode(
    slices,
    ({ residentMib }) => residentMib,
    median,
    (before) => before * MEMORY_GROWTH_MAX,
  );
}

/** The same of the most that was kept in each half. */
export function diskGrowth(slices: readonly Slice[]): readonly Growth[] | null {
  const most = (values: readonly number[]): number => Math.max(...values);
  return byNode(
    slices,
    ({ keptMib }) => keptMib,
    most,
    (before) => before + DISK_GROWTH_MIB_MAX,
  );
}

function byNode(
  slices: readonly Slice[],
  figures: (slice: Slice) => readonly number[],
  one: (values: readonly number[]) => number,
  bound: (before: number) => number,
): readonly Growth[] | null {
  const settled = slices.filter(({ seconds }) => seconds >= SETTLED_SECONDS).map(figures);
  const half = Math.floor(settled.length / 2);
  if (half < HALF_SLICES_MIN) return null;
  return (settled[0] ?? []).map((_, at) => {
    const ofNode = settled.map((values) => values[at] ?? 0);
    const beforeMib = one(ofNode.slice(0, half));
    const afterMib = one(ofNode.slice(half));
    return { beforeMib, afterMib, isWithin: afterMib <= bound(beforeMib) };
  });
}
