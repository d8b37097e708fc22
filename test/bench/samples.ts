// What was measured, and the table of it.

import { must } from "../../src/base/assert.ts";
import { median } from "../../src/cli/bench/report.ts";
import type { Through } from "./systems.ts";
import type { Closed } from "./wrk.ts";

export type Operation = "create" | "get";

/** One system, one load, one round. */
export interface Sample {
  readonly system: string;
  readonly operation: Operation;
  readonly through: Through;
  readonly connections: number;
  readonly closed: Closed;
  /** Processor seconds for each 1,000 requests, by process, the leader's first. */
  readonly cpu: readonly number[];
  /** Of the log, all nodes together; null where nothing is kept. */
  readonly syncsPerRequest: number | null;
  /** At the end of the measurement, by process. */
  readonly residentMib: readonly number[];
}

export function perSecond({ requests, us }: Closed): number {
  return requests / (us / 1e6);
}

const COLUMNS = [
  "",
  "connections",
  "per second",
  "of etcd",
  "of echo",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "CPU s per 1,000",
  "syncs per request",
  "MiB",
] as const;

/** Markdown. A ratio is the median of the ratios of the rounds. */
export function table(samples: readonly Sample[], operation: Operation): string {
  const of = samples.filter((sample) => sample.operation === operation);
  const keys = [...new Set(of.map(keyOf))];
  const rows = keys.map((key) =>
    row(
      of.filter((sample) => keyOf(sample) === key),
      of,
    ),
  );
  const widths = COLUMNS.map((title, at) =>
    Math.max(title.length, ...rows.map((cells) => must(cells[at], "a cell").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(COLUMNS), rule, ...rows.map(line)].join("\n");
}

function keyOf({ connections, system, through }: Sample): string {
  return `${connections} ${system} ${through}`;
}

function row(rounds: readonly Sample[], all: readonly Sample[]): readonly string[] {
  const { connections, system, through } = must(rounds[0], "a round");
  const figure = (of: (sample: Sample) => number): number => median(rounds.map(of));
  const against = (other: string): string => {
    const others = all.filter(
      (sample) => sample.system === other && sample.connections === connections,
    );
    if (system === other || others.length < rounds.length) return "";
    const ratios = rounds.map(
      (sample, at) => perSecond(sample.closed) / perSecond(must(others[at], "its round").closed),
    );
    return median(ratios).toFixed(2);
  };
  const syncs = rounds.flatMap(({ syncsPerRequest }) => syncsPerRequest ?? []);
  const byProcess = (of: (sample: Sample) => readonly number[], digits: number): string => {
    const count = of(must(rounds[0], "a round")).length;
    return Array.from({ length: count }, (_, at) =>
      median(rounds.map((sample) => of(sample)[at] ?? 0)).toFixed(digits),
    ).join(" + ");
  };
  const ms = (of: (closed: Closed) => number): string =>
    (figure(({ closed }) => of(closed)) / 1000).toFixed(2);
  return [
    through === "leader"
      ? system
      : `${system}, through ${through === "all" ? "all" : "a follower"}`,
    String(connections),
    Math.round(figure(({ closed }) => perSecond(closed))).toLocaleString("en"),
    against("etcd"),
    against("bare node:http"),
    ms(({ p50 }) => p50),
    ms(({ p99 }) => p99),
    ms(({ p999 }) => p999),
    byProcess(({ cpu }) => cpu, 2),
    syncs.length === 0 ? "" : median(syncs).toFixed(2),
    byProcess(({ residentMib }) => residentMib, 0),
  ];
}
