// docs/mutants.md: what is planted, and what finds it. Written by `npm run mutants -- --write`.

import { BUG_CLASSES, type Mutant } from "./mutant.ts";
import type { Outcome, SeedBudget } from "./checks.ts";

export interface Result {
  readonly mutant: Mutant;
  /** Null: the simulator was not asked. */
  readonly simulator: Outcome | null;
  /** Null: they were not run any more, because the simulator had caught it. */
  readonly units: Outcome | null;
}

export function isCaught({ simulator, units }: Result): boolean {
  return simulator?.kind === "caught" || units?.kind === "caught";
}

const MESSAGE_CHARS_MAX = 110;

function cut(text: string): string {
  const plain = text
    .replaceAll("|", "\\|")
    .replaceAll("`", "'")
    .replaceAll(/[<>*_]/g, "\\$&");
  return plain.length <= MESSAGE_CHARS_MAX ? plain : `${plain.slice(0, MESSAGE_CHARS_MAX - 1)}…`;
}

function simulatorCell({ simulator, mutant }: Result): string {
  if (mutant.outsideSimulator !== undefined) return `cannot meet it: ${mutant.outsideSimulator}`;
  if (simulator === null) return "not run";
  if (simulator.kind === "held") return `**missed** in ${simulator.seeds} seeds`;
  return `${simulator.by} (${simulator.seeds}), ${seconds(simulator)}: ${cut(simulator.message)}`;
}

function unitCell({ units }: Result): string {
  if (units === null) return "not run";
  if (units.kind === "held") return "**missed**";
  return `${seconds(units)}: ${cut(units.by)}`;
}

function seconds(outcome: Outcome): string {
  return `${outcome.seconds.toFixed(outcome.seconds < 10 ? 1 : 0)} s`;
}

export interface Summary {
  readonly total: number;
  readonly caught: number;
  readonly bySimulator: number;
  readonly simulatorAsked: number;
  readonly byUnits: number;
  /** Seeds until it was found, of those that the simulator caught; 0 if none. */
  readonly medianSeeds: number;
}

export function summarise(results: readonly Result[]): Summary {
  const found = results.flatMap(({ simulator }) =>
    simulator?.kind === "caught" ? [simulator.seeds ?? 0] : [],
  );
  const sorted = found.toSorted((a, b) => a - b);
  return {
    total: results.length,
    caught: results.filter(isCaught).length,
    bySimulator: found.length,
    simulatorAsked: results.filter(({ simulator }) => simulator !== null).length,
    byUnits: results.filter(({ units }) => units?.kind === "caught").length,
    medianSeeds: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}

export function summaryText(summary: Summary): string {
  const { total, caught, bySimulator, simulatorAsked, byUnits, medianSeeds } = summary;
  return (
    `${caught} of ${total} planted bugs were caught. The simulator was asked for ${simulatorAsked} and found ` +
    `${bySimulator}, after ${medianSeeds} seeds in the median; tests beside the code found ${byUnits}.`
  );
}

export function renderPage(
  results: readonly Result[],
  budget: SeedBudget,
  isQuick: boolean,
): string {
  const order = isQuick
    ? "The tests beside the code were run first (`--quick`): `not run` says nothing about what the simulator would find."
    : "The simulator was asked first, and the tests beside the code for what got past it.";
  const rows = results.map((result) => {
    const { name, class: of, story } = result.mutant;
    return `| \`${name}\` | ${of} | ${story} | ${simulatorCell(result)} | ${unitCell(result)} |`;
  });
  const used = new Set(results.map(({ mutant }) => mutant.class));
  const classes = Object.entries(BUG_CLASSES).filter(([name]) => used.has(name as Mutant["class"]));
  return `# Planted bugs

A test that cannot fail proves nothing. So bugs are planted, one at a time, in a copy of the sources
(\`test/mutation\`), and the suite has to find each of them. This page is written by
\`npm run mutants -- --write\`; a test holds its names to the catalogue.

${summaryText(summarise(results))} ${order}
It is given ${budget.count} seeds for each, its fixed corpus first, or ${budget.seconds} s of processor time. Without a
planted bug all of these seeds and tests hold.

**Simulator:** the seed that failed, how many had been run by then, how long that took, and what it said.
**Tests:** how long it took to the first test that failed, and which it was.

## Catalogue

| Planted bug | Class | What is wrong | Simulator | Tests |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

## Classes

B1 to B31 are the classes of bugs that were found in systems like this one; the others are Raft3D's own.

| Class | What it is |
| --- | --- |
${classes.map(([name, text]) => `| ${name} | ${text} |`).join("\n")}
`;
}
