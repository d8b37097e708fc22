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
/** Two minutes, and what slices of load take longer than they are asked to. */
const EARLY_SECONDS = 125;
const LATE_SLICES = 3;
/** Of resident memory: what two runs of the same differ by anyway. */
const MEMORY_GROWTH_MAX = 1.1;
/** Of log and snapshots: a segment of the log, which is there or just not. */
const DISK_GROWTH_MIB_MAX = 16;

/** Memory in the second minute and at the end, of each node; null: too short to tell. */
export function memoryGrowth(slices: readonly Slice[]): readonly Growth[] | null {
  const early = slices.filter(
    ({ seconds }) => seconds >= SETTLED_SECONDS && seconds <= EARLY_SECONDS,
  );
  const late = slices.filter(({ seconds }) => seconds > EARLY_SECONDS).slice(-LATE_SLICES);
  if (early.length === 0 || late.length < LATE_SLICES) return null;
  return byNode(slices, (at) => {
    const beforeMib = median(early.map(({ residentMib }) => residentMib[at] ?? 0));
    const afterMib = median(late.map(({ residentMib }) => residentMib[at] ?? 0));
    return { beforeMib, afterMib, isWithin: afterMib <= beforeMib * MEMORY_GROWTH_MAX };
  });
}

/** The most that was kept in the first half after the first minute and in the second; null: too short. */
export function diskGrowth(slices: readonly Slice[]): readonly Growth[] | null {
  const settled = slices.filter(({ seconds }) => seconds >= SETTLED_SECONDS);
  const half = Math.floor(settled.length / 2);
  if (half < LATE_SLICES) return null;
  const most = (of: readonly Slice[], at: number): number =>
    Math.max(...of.map(({ keptMib }) => keptMib[at] ?? 0));
  return byNode(slices, (at) => {
    const beforeMib = most(settled.slice(0, half), at);
    const afterMib = most(settled.slice(half), at);
    return { beforeMib, afterMib, isWithin: afterMib <= beforeMib + DISK_GROWTH_MIB_MAX };
  });
}

function byNode(slices: readonly Slice[], of: (at: number) => Growth): readonly Growth[] {
  return (slices[0]?.residentMib ?? []).map((_, at) => of(at));
}
