// `npm run bench:large`: three nodes get a farm of a million jobs, and show whether they stay in time: how
// long turns of the event loop are held by snapshots and lists, what memory it takes, how fast a node with
// all of it starts.
//   --jobs N        how many
//   --planted N     of them there from the beginning, put into the data folders; the others are written
//   --connections N that write them
//   --folder DIR    where the data goes; a disk, not memory

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { must } from "../../src/base/assert.ts";
import { SNAPSHOT_FOLDER, SNAPSHOT_SUFFIX, parseName } from "../../src/storage/names.ts";
import { freePorts } from "../system/ports.ts";
import { dataFolder } from "./disk.ts";
import { NODES, Nodes } from "./nodes.ts";
import { machineOf, plant } from "./planted.ts";
import { until } from "./processes.ts";
import { perSecond } from "./samples.ts";
import { type Closed, type Load, drive, hasWrk } from "./wrk.ts";

const TURNS = fileURLToPath(new URL("turns.mjs", import.meta.url));
const SLICE_SECONDS = 20;
const OPENING_MS = 1500;
const JOBS = "/api/v1/print_jobs";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "1000000" },
    planted: { type: "string", default: "0" },
    connections: { type: "string", default: "256" },
    folder: { type: "string", default: "." },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** See turns.mjs. */
interface Turns {
  readonly late: number;
  readonly held: number;
  readonly gc: number;
}

/** Three nodes whose turns are watched. */
class Farm extends Nodes {
  constructor(folder: string, ports: readonly number[]) {
    super(folder, ports, { nodeArgs: ["--import", TURNS] });
  }

  async ready(at: number): Promise<void> {
    const url = `http://${this.http(at)}/readyz`;
    await until("ready", this.servers, async () => {
      try {
        return (await fetch(url)).ok;
      } catch {
        return false; // not listening yet: waited on
      }
    });
  }

  /** As all nodes have seen them. */
  async leaderChanges(): Promise<number> {
    const seen = await this.metrics("raft3d_leader_changes_total");
    return seen.reduce((sum, count) => sum + count, 0);
  }

  /** Entries applied since the newest snapshot of a node. */
  async behindSnapshot(at: number): Promise<number> {
    const applied = must((await this.metrics("raft3d_applied_index"))[at], "a node");
    const taken = readdirSync(join(this.data(at), SNAPSHOT_FOLDER)).flatMap(
      (name) => parseName(name, SNAPSHOT_SUFFIX)?.[0] ?? [],
    );
    return applied - Math.max(0, ...taken);
  }

  /** How long turns were held since it was asked last. */
  async turns(at: number): Promise<Turns> {
    const lines = (): readonly string[] =>
      this.server(at)
        .log()
        .match(/^TURNS .*$/gm) ?? [];
    const before = lines().length;
    this.server(at).signal("SIGUSR2");
    await until("the turns", this.servers, async () => lines().length > before);
    return JSON.parse(must(lines().at(-1), "a line").slice("TURNS ".length)) as Turns;
  }

  async line(what: string): Promise<void> {
    const leader = await this.leader();
    const taken = await this.metrics("raft3d_snapshots_taken_total");
    const columns: string[] = [];
    for (const at of NODES) {
      const { gc, held, late } = await this.turns(at);
      const turns = [late, held, gc].map((ms) => ms.toFixed(0).padStart(4)).join(" ");
      const mib = Math.round(this.server(at).residentMib()).toString().padStart(5);
      columns.push(`${at === leader ? "*" : " "}${turns} ${mib} ${taken[at]}`);
    }
    say(`${what.padEnd(34)} ${columns.join(" | ")}`);
  }
}

/** Founds the cluster, and starts it again with the jobs in place. */
async function begin(farm: Farm, jobs: number): Promise<void> {
  await farm.stop();
  await plant(
    NODES.map((at) => farm.data(at)),
    machineOf(jobs),
  );
  const began = performance.now();
  for (const at of NODES) farm.start(at);
  for (const at of NODES) await farm.ready(at);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  await farm.line(`planted ${jobs.toLocaleString("en")}; ready in ${seconds} s`);
}

/** A spool for as many jobs as anybody writes, and what creates one on it. */
async function jobsOf(farm: Farm): Promise<Load> {
  const printer_id = await farm.create("/api/v1/printers", { company: "Prusa", model: "MK4S" });
  const filament = { type: "PLA", color: "black", total_weight_in_grams: 1e12 };
  const filament_id = await farm.create("/api/v1/filaments", filament);
  const job = { printer_id, filament_id, filepath: "/gcode/%s.gcode", print_weight_in_grams: 1 };
  return { method: "POST", path: JOBS, body: JSON.stringify(job) };
}

/** Creates through the leader for a while. */
async function create(farm: Farm, load: Load): Promise<Closed> {
  const leader = farm.http(await farm.leader());
  const driven = drive([leader], load, Number(values.connections), SLICE_SECONDS);
  // The connections are all opened in one turn, which says nothing of what comes after it.
  await new Promise((go) => setTimeout(go, OPENING_MS));
  for (const at of NODES) await farm.turns(at);
  const closed = await driven;
  const { broken, failed } = closed;
  if (failed + broken > 0) throw new Error(`${failed} failed, ${broken} broke`);
  return closed;
}

async function fill(farm: Farm, load: Load, jobs: number, planted: number): Promise<void> {
  let made = planted;
  const before = await farm.leaderChanges();
  while (made < jobs) {
    const closed = await create(farm, load);
    made += closed.requests;
    const rate = Math.round(perSecond(closed)).toLocaleString("en");
    const p99 = Math.round(closed.p99 / 1000);
    await farm.line(`${made.toLocaleString("en")} jobs, ${rate}/s, p99 ${p99} ms`);
  }
  say(`changes of the leader meanwhile: ${(await farm.leaderChanges()) - before}`);
}

/** Reads the whole list, and gives its length in bytes. */
async function list(http: string, path: string): Promise<number> {
  const answer = await fetch(`http://${http}${path}`);
  if (!answer.ok || answer.body === null) throw new Error(`${path}: ${answer.status}`);
  let bytes = 0;
  for await (const piece of answer.body) bytes += piece.length;
  return bytes;
}

async function main(): Promise<void> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const farm = new Farm(dataFolder(values.folder), await freePorts(6));
  try {
    for (const at of NODES) await farm.ready(at);
    say(
      "For each node (* leads): the longest turn in ms, late, held, and for collecting garbage;\n" +
        "resident MiB; snapshots taken.\n",
    );
    await farm.line("started");
    const planted = Number(values.planted);
    if (planted > 0) await begin(farm, planted);
    const load = await jobsOf(farm);
    await fill(farm, load, Number(values.jobs), planted);
    for (const at of NODES) {
      const began = performance.now();
      const bytes = await list(farm.http(at), JOBS);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      await farm.line(`list: ${Math.round(bytes / 2 ** 20)} MiB in ${seconds} s at node ${at + 1}`);
    }
    // Out of the load, before a quiet moment gives it a snapshot: it has to apply again what has come since its last.
    for (const at of NODES) {
      await create(farm, load);
      const behind = await farm.behindSnapshot(at);
      await farm.server(at).stop("SIGKILL");
      const began = performance.now();
      farm.start(at);
      await farm.ready(at);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      await farm.line(`node ${at + 1} killed, ${behind} entries on; ready ${seconds} s`);
    }
  } finally {
    await farm.stop("SIGKILL");
  }
}

await main();
