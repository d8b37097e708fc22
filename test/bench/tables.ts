// The tables of what was measured. A figure is the median of the rounds, a ratio the median of their ratios.

import { must } from "../../src/base/assert.ts";
import { median } from "../../src/cli/bench/report.ts";
import { markdownTable, whole } from "./markdown.ts";
import { type Operation, type RateSample, type Sample, perSecond, ratio } from "./samples.ts";
import { ECHO, ETCD } from "./systems.ts";

const CLOSED_COLUMNS = [
  "",
  "connections",
  "per second",
  "of etcd",
  "of echo",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "p99 of etcd",
  "CPU s per 1,000",
  "syncs per request",
  "MiB",
] as const;

const RATE_COLUMNS = [
  "",
  "rate",
  "asked per second",
  "reached",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "max ms",
  "p99 of etcd",
  "CPU s per 1,000",
  "failures",
] as const;

/** Closed loops. A ratio is to the same operation of the other, with as many connections. */
export function closedTable(samples: readonly Sample[], operation: Operation): string {
  const of = samples.filter((sample) => sample.operation === operation);
  const groups = grouped(of, (one) => `${one.connections} ${one.system} ${one.through}`);
  return markdownTable(
    CLOSED_COLUMNS,
    groups.map((rounds) => closedRow(rounds, of)),
  );
}

function closedRow(rounds: readonly Sample[], all: readonly Sample[]): readonly string[] {
  const { connections, system, through } = must(rounds[0], "a round");
  const against = (other: string, figure: (sample: Sample) => number): string =>
    ratioTo(
      other,
      rounds,
      all.filter((sample) => sample.connections === connections),
      figure,
    );
  const rate = ({ closed }: Sample): number => perSecond(closed);
  const syncs = rounds.flatMap(({ syncsPerRequest }) => syncsPerRequest ?? []);
  return [
    through === "leader"
      ? system
      : `${system}, through ${through === "all" ? "all" : "a follower"}`,
    String(connections),
    whole(median(rounds.map(rate))),
    against(ETCD, rate),
    against(ECHO, rate),
    milliseconds(rounds, ({ closed }) => closed.p50),
    milliseconds(rounds, ({ closed }) => closed.p99),
    milliseconds(rounds, ({ closed }) => closed.p999),
    against(ETCD, ({ closed }) => closed.p99),
    byProcess(rounds, ({ cpu }) => cpu, 2),
    syncs.length === 0 ? "" : median(syncs).toFixed(2),
    byProcess(rounds, ({ residentMib }) => residentMib, 0),
  ];
}

/** Open loops. */
export function rateTable(samples: readonly RateSample[]): string {
  const rates = grouped(samples, ({ rate }) => rate);
  const groups = rates.flatMap((of) => grouped(of, ({ system }) => system));
  return markdownTable(
    RATE_COLUMNS,
    groups.map((rounds) => rateRow(rounds, samples)),
  );
}

function rateRow(rounds: readonly RateSample[], all: readonly RateSample[]): readonly string[] {
  const { rate, system } = must(rounds[0], "a round");
  const same = all.filter((sample) => sample.rate === rate);
  const sum = (of: (sample: RateSample) => number): number =>
    rounds.reduce((total, sample) => total + of(sample), 0);
  return [
    system,
    rate,
    whole(median(rounds.map(({ report }) => report.open.asked))),
    whole(median(rounds.map(({ report }) => perSecond(report.open)))),
    milliseconds(rounds, ({ report }) => report.open.p50),
    milliseconds(rounds, ({ report }) => report.open.p99),
    milliseconds(rounds, ({ report }) => report.open.p999),
    milliseconds(rounds, ({ report }) => report.open.max),
    ratioTo(ETCD, rounds, same, ({ report }) => report.open.p99),
    byProcess(rounds, ({ cpu }) => cpu, 2),
    whole(sum(({ report }) => report.open.failed + report.open.broken)),
  ];
}

/** What the generator adds to what it measures, and takes from the machine. */
export function generatorNote(samples: readonly RateSample[]): string {
  const lateMs = median(samples.map(({ report }) => report.open.late99)) / 1000;
  const cpuUs = median(samples.map(({ report }) => report.cpuUsPerRequest));
  return (
    `Latency counts from the moment a request was due. The generator itself was late by up to ${lateMs.toFixed(1)} ms\n` +
    `(p99), which is in all of these, and took ${whole(cpuUs)} µs of a processor for a request.`
  );
}

function ratioTo<T extends Sample | RateSample>(
  other: string,
  rounds: readonly T[],
  all: readonly T[],
  figure: (sample: T) => number,
): string {
  const others = all.filter(({ system }) => system === other);
  const isSame = rounds.some(({ system }) => system === other);
  return isSame ? "" : (ratio(rounds, others, figure)?.toFixed(2) ?? "");
}

/** Groups in the order of their first members. */
function grouped<T>(all: readonly T[], keyOf: (one: T) => string): readonly (readonly T[])[] {
  const keys = [...new Set(all.map(keyOf))];
  return keys.map((key) => all.filter((one) => keyOf(one) === key));
}

function byProcess<T>(
  rounds: readonly T[],
  of: (sample: T) => readonly number[],
  digits: number,
): string {
  const processes = of(must(rounds[0], "a round"));
  const medians = processes.map((_, at) => median(rounds.map((sample) => of(sample)[at] ?? 0)));
  return medians.map((value) => value.toFixed(digits)).join(" + ");
}

function milliseconds<T>(rounds: readonly T[], us: (sample: T) => number): string {
  return (median(rounds.map(us)) / 1000).toFixed(2);
}
