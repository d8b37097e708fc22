// What was measured, for people and for programs. Of several rounds it is the median that counts:
// one round that met another program's busy minute must not decide. The maximum is over all rounds,
// because the worst wait is the worst wait.

import { must } from "../../base/assert.ts";
import { prettyJson } from "../json.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { renderTable } from "../table.ts";
import { grouped, printable } from "../text.ts";
import type { Measurement } from "./load.ts";

/** Measurements of one target. */
export interface Series {
  readonly name: string;
  readonly rounds: readonly Measurement[];
}

type Figure = "perSecond" | "p50" | "p90" | "p99" | "p999";

/** The middle one; of two, their mean. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = must(sorted[Math.ceil(middle) - 1], "a value to take the median of");
  return (low + must(sorted[Math.floor(middle)], "the value beside it")) / 2;
}

function medianOf(series: Series, figure: Figure): number {
  return median(series.rounds.map((round) => round[figure]));
}

function maximum(series: Series): number {
  return Math.max(...series.rounds.map((round) => round.max));
}

function sumOf(series: Series, what: (round: Measurement) => number): number {
  return series.rounds.reduce((sum, round) => sum + what(round), 0);
}

export function progress(session: Session, name: string, measured: Measurement): void {
  const { terminal } = session;
  const rate = `${grouped(Math.round(measured.perSecond))}/s`;
  terminal.err(paint(terminal, "dim", `${name}: ${rate}, p99 ${ms(measured.p99)} ms\n`));
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

export function report(session: Session, all: readonly Series[]): void {
  const { terminal } = session;
  const numbers = ["ANSWERS", "PER SECOND", "p50 ms", "p90", "p99", "p99.9", "max"];
  const columns = [{ title: "" }, ...numbers.map((title) => ({ title, isNumber: true }))];
  const rows = all.map((series) => [
    series.name,
    grouped(sumOf(series, (round) => round.requests)),
    grouped(Math.round(medianOf(series, "perSecond"))),
    ms(medianOf(series, "p50")),
    ms(medianOf(series, "p90")),
    ms(medianOf(series, "p99")),
    ms(medianOf(series, "p999")),
    ms(maximum(series)),
  ]);
  terminal.out(`\n${renderTable(terminal, columns, rows)}`);
  const rounds = all[0]?.rounds.length ?? 0;
  if (rounds > 1) terminal.out(`Medians of ${rounds} rounds; max is over all of them.\n`);
  const ratio = ratioOf(all);
  if (ratio !== null) terminal.out(`The cluster does ${ratio.toFixed(2)} of the bare server.\n`);
  for (const series of all) {
    for (const [what, count] of Object.entries(unexpectedIn(series))) {
      const text = `${series.name}: ${grouped(count)} times ${printable(what)}\n`;
      terminal.out(paint(terminal, "red", text));
    }
  }
}

/** How near the cluster comes to the bare server, by the rate; null without a baseline. */
function ratioOf(all: readonly Series[]): number | null {
  const [cluster, bare] = all;
  if (cluster === undefined || bare === undefined) return null;
  return medianOf(cluster, "perSecond") / medianOf(bare, "perSecond");
}

function unexpectedIn(series: Series): Readonly<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const round of series.rounds) {
    for (const [what, count] of Object.entries(round.unexpected)) {
      sums.set(what, (sums.get(what) ?? 0) + count);
    }
  }
  return Object.fromEntries(sums);
}

export function jsonReport(
  session: Session,
  operation: string,
  connections: number,
  all: readonly Series[],
): void {
  const series = all.map((one) => ({
    name: one.name,
    per_second: medianOf(one, "perSecond"),
    p50_ms: medianOf(one, "p50"),
    p90_ms: medianOf(one, "p90"),
    p99_ms: medianOf(one, "p99"),
    p999_ms: medianOf(one, "p999"),
    max_ms: maximum(one),
    unexpected: unexpectedIn(one),
    rounds: one.rounds.map(roundJson),
  }));
  session.terminal.out(prettyJson({ operation, connections, series, ratio: ratioOf(all) }));
}

function roundJson(round: Measurement) {
  const { max, p50, p90, p99, p999, perSecond, requests, seconds, unexpected } = round;
  return {
    requests,
    seconds,
    per_second: perSecond,
    p50_ms: p50,
    p90_ms: p90,
    p99_ms: p99,
    p999_ms: p999,
    max_ms: max,
    unexpected,
  };
}
