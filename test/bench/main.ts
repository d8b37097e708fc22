// `npm run bench`: Raft3D, etcd, and what Node.js does by itself, one after the other on the same disk with
// the same load, so that their ratios mean something on whatever machine this is.
//   --connections 1,16,64,256
//   --rates LIST    of creates in open loops: shares of what the slower of Raft3D and etcd makes at 64
//                   connections (25%,50%,75%), rates a second (500,1000), or "none"
//   --seconds N     of each measurement; a warm-up comes before it
//   --rounds N      of everything; figures are medians, ratios those of the same round
//   --only NAME     one system, or all whose names begin so; may be repeated
//   --folder DIR    where their data goes; a disk, not memory
//   --json FILE     writes down every sample

import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../../src/cli/bench/report.ts";
import { dataFolder } from "./disk.ts";
import { isShare, parseRates } from "./fixed-rate.ts";
import { whole } from "./markdown.ts";
import { type Plan, Rounds, USUAL_CONNECTIONS } from "./rounds.ts";
import { KINDS, type Kind } from "./systems.ts";
import { closedTable, generatorNote, rateTable } from "./tables.ts";
import { verdict } from "./verdict.ts";
import { hasWrk } from "./wrk.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "1,16,64,256" },
    rates: { type: "string", default: "25%,50%,75%" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", multiple: true, default: [] },
    folder: { type: "string", default: "." },
    json: { type: "string" },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option} takes a whole number`);
  return value;
}

function plan(): Plan {
  const connections = values.connections.split(",").map((one) => wholeNumber("--connections", one));
  const rates = parseRates(values.rates);
  if (rates.some(isShare) && !connections.includes(USUAL_CONNECTIONS)) {
    throw new Error(`shares in --rates are of creates at ${USUAL_CONNECTIONS} --connections`);
  }
  return { connections, rates, seconds: wholeNumber("--seconds", values.seconds) };
}

function chosen(): readonly Kind[] {
  return KINDS.filter(({ isOnRequest = false, missing, name }) => {
    const isChosen =
      values.only.length === 0 ? !isOnRequest : values.only.some((one) => name.startsWith(one));
    const why = isChosen ? missing() : null;
    if (why !== null) say(`${name} is left out: ${why}`);
    return isChosen && why === null;
  });
}

function report(bench: Rounds, rounds: number): void {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  say(`\n${cpus().length} × ${cpu?.model ?? "?"}, ${gib} GiB, Node.js ${process.version}.`);
  say(`The disk alone: ${whole(median(bench.syncs))} synced writes of 4 KiB a second.`);
  say(`Medians of ${rounds}, ${values.seconds} s each; wrk; ratios of the same round.`);
  say(`\nCreates\n\n${closedTable(bench.samples, "create")}`);
  say(`\nOne object, read linearizably\n\n${closedTable(bench.samples, "get")}`);
  if (bench.rateSamples.length > 0) {
    say(`\nLatency at a fixed rate: creates through the leader\n\n${rateTable(bench.rateSamples)}`);
    say(`\n${generatorNote(bench.rateSamples)}`);
  }
  say(`\nWhat was to be reached, and was\n\n${verdict(bench.samples)}`);
}

async function main(): Promise<void> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const rounds = wholeNumber("--rounds", values.rounds);
  const wanted = plan();
  const kinds = chosen();
  const bench = new Rounds(dataFolder(values.folder), wanted, say);
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    await bench.one(kinds);
  }
  report(bench, rounds);
  if (values.json !== undefined) {
    const { rateSamples, samples, syncs } = bench;
    writeFileSync(values.json, JSON.stringify({ syncs, samples, rateSamples }, null, 1));
  }
}

await main();
