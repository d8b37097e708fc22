// `npm run bench`: Raft3D, etcd, and what Node.js does by itself, one after the other on the same disk with
// the same load, so that their ratios mean something on whatever machine this is.
//   --connections 1,16,64,256
//   --seconds N     of each measurement; a warm-up comes before it
//   --rounds N      of everything; figures are medians, ratios those of the same round
//   --only NAME     one system, or all whose names begin so; may be repeated
//   --folder DIR    where their data goes; a disk, not memory
//   --json FILE     writes down every sample

import { rmSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../../src/cli/bench/report.ts";
import { dataFolder, syncsPerSecond } from "./disk.ts";
import { type Operation, type Sample, perSecond, table } from "./samples.ts";
import { KINDS, type Kind, type System, type Through, freshFolder } from "./systems.ts";
import { type Load, drive, hasWrk } from "./wrk.ts";

/** The first load on a process meets cold code. */
const FIRST_WARM_UP_SECONDS = 4;
const WARM_UP_SECONDS = 1;
const READ_CONNECTIONS = 64;
const SYNC_SECONDS = 2;

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "1,16,64,256" },
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

class Bench {
  readonly samples: Sample[] = [];
  readonly syncs: number[] = [];
  readonly #connections = values.connections
    .split(",")
    .map((one) => wholeNumber("--connections", one));
  readonly #seconds = wholeNumber("--seconds", values.seconds);
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async round(kinds: readonly Kind[]): Promise<void> {
    this.syncs.push(syncsPerSecond(this.#folder, SYNC_SECONDS));
    for (const kind of kinds) {
      const folder = freshFolder(join(this.#folder, kind.name.replaceAll(/\W/g, "-")));
      const system = await kind.start(folder);
      try {
        await this.#all(kind, system);
      } finally {
        await system.stop();
        rmSync(folder, { recursive: true });
      }
    }
  }

  async #all(kind: Kind, system: System): Promise<void> {
    await drive(system.addresses("leader"), system.create, 16, FIRST_WARM_UP_SECONDS);
    for (const through of kind.ways) {
      for (const connections of this.#connections) {
        if (connections < system.addresses(through).length) continue;
        await this.#one(system, "create", system.create, through, connections);
      }
    }
    const get = await system.get();
    for (const through of kind.ways) {
      await this.#one(system, "get", get, through, READ_CONNECTIONS);
    }
  }

  async #one(
    system: System,
    operation: Operation,
    load: Load,
    through: Through,
    connections: number,
  ): Promise<void> {
    const { servers } = system;
    const addresses = system.addresses(through);
    await drive(addresses, load, connections, WARM_UP_SECONDS);
    const cpuBefore = servers.map((server) => server.cpuSeconds());
    const syncsBefore = await system.syncs();
    const closed = await drive(addresses, load, connections, this.#seconds);
    const syncs = await system.syncs();
    const thousands = closed.requests / 1000;
    const sample: Sample = {
      system: system.name,
      operation,
      through,
      connections,
      closed,
      cpu: servers.map((server, at) => (server.cpuSeconds() - (cpuBefore[at] ?? 0)) / thousands),
      syncsPerRequest:
        syncs === null || syncsBefore === null ? null : (syncs - syncsBefore) / closed.requests,
      residentMib: servers.map((server) => server.residentMib()),
    };
    this.samples.push(sample);
    const rate = Math.round(perSecond(closed)).toLocaleString("en");
    say(`  ${system.name}, ${operation}, ${connections} connections, ${through}: ${rate}/s`);
    if (closed.failed + closed.broken > 0) {
      throw new Error(`${closed.failed} answers were no success, ${closed.broken} did not come`);
    }
  }
}

async function main(): Promise<void> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const kinds = KINDS.filter(({ missing, name }) => {
    const isChosen = values.only.length === 0 || values.only.some((one) => name.startsWith(one));
    const why = isChosen ? missing() : null;
    if (why !== null) say(`${name} is left out: ${why}`);
    return isChosen && why === null;
  });
  const folder = dataFolder(values.folder);
  const bench = new Bench(folder);
  const rounds = wholeNumber("--rounds", values.rounds);
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    await bench.round(kinds);
  }
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  say(`\n${cpus().length} × ${cpu?.model ?? "?"}, ${gib} GiB, Node.js ${process.version}.`);
  const syncs = Math.round(median(bench.syncs)).toLocaleString("en");
  say(`The disk alone: ${syncs} synced writes of 4 KiB a second.`);
  say(`Medians of ${rounds}, ${values.seconds} s each; wrk; ratios of the same round.`);
  say(`\nCreates\n\n${table(bench.samples, "create")}`);
  say(`\nOne object, read linearizably\n\n${table(bench.samples, "get")}`);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(bench.samples, null, 1));
}

await main();
