// `npm run bench:large`: three nodes get a farm of a million jobs, and show whether they stay in time: how
// long turns of the event loop are held by snapshots and lists, what memory it takes, how fast a node with
// all of it starts.
//   --jobs N        how many
//   --planted N     of them there from the beginning, put into the data folders; the others are written
//   --connections N that write them
//   --folder DIR    where the data goes; a disk, not memory

import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { must } from "../../src/base/assert.ts";
import { MAIN } from "../system/process-cluster.ts";
import { freePorts } from "../system/ports.ts";
import { machineOf, plant } from "./planted.ts";
import { Server, ask, metric, until } from "./processes.ts";
import { drive, hasWrk } from "./wrk.ts";

const HOST = "127.0.0.1";
const NODES = [0, 1, 2] as const;
const TURNS = fileURLToPath(new URL("turns.mjs", import.meta.url));
const SLICE_SECONDS = 20;
const OPENING_MS = 1500;
const STARTS = 3;

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

class Farm {
  readonly #folder: string;
  readonly #https: readonly string[];
  readonly #peers: readonly string[];
  readonly servers: Server[] = [];

  constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder;
    this.#https = ports.slice(0, 3).map((port) => `${HOST}:${port}`);
    this.#peers = ports.slice(3).map((port) => `${HOST}:${port}`);
    for (const at of NODES) this.start(at);
  }

  start(at: number): void {
    const members = this.#peers.map((peer, n) => `${n + 1}=${peer}`).join(",");
    const args = [
      ...(process.env["X_ARGS"] ?? "").split(" ").filter((a) => a),
      "--import",
      TURNS,
      MAIN,
      "serve",
      "--id",
      `${at + 1}`,
    ];
    args.push("--data", this.data(at), "--initial-cluster", members);
    args.push("--http", this.http(at), "--peer", `${this.#peers[at]}`);
    const log = join(this.#folder, `${at + 1}.log`);
    this.servers[at] = new Server(`raft3d ${at + 1}`, process.execPath, args, log);
  }

  /** Where the node has its data. */
  data(at: number): string {
    return join(this.#folder, `node-${at + 1}`);
  }

  http(at: number): string {
    return must(this.#https[at], "a node");
  }

  server(at: number): Server {
    return must(this.servers[at], "a node");
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

  async leader(): Promise<number> {
    let leader = 0;
    await until("a leader", this.servers, async () => {
      leader = Number((await ask(`http://${this.http(0)}/api/v1/cluster`))?.["leader_id"] ?? 0);
      return leader !== 0;
    });
    return leader - 1;
  }

  /** As all nodes have seen them. */
  async leaderChanges(): Promise<number> {
    const seen = NODES.map((at) => metric(this.http(at), "raft3d_leader_changes_total"));
    return (await Promise.all(seen)).reduce((sum, count) => sum + count, 0);
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
    const columns: string[] = [];
    for (const at of NODES) {
      const { gc, held, late } = await this.turns(at);
      const turns = [late, held, gc].map((ms) => ms.toFixed(0).padStart(4)).join(" ");
      const mib = Math.round(this.server(at).residentMib()).toString().padStart(5);
      const snapshots = await metric(this.http(at), "raft3d_snapshots_taken_total");
      columns.push(`${at === leader ? "*" : " "}${turns} ${mib} ${snapshots}`);
    }
    say(`${what.padEnd(34)} ${columns.join(" | ")}`);
  }
}

async function post(http: string, path: string, body: unknown): Promise<number> {
  const answer = await fetch(`http://${http}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { readonly id: number }).id;
}

/** Founds the cluster, and starts it again with the jobs in place. */
async function begin(farm: Farm, jobs: number): Promise<void> {
  await Promise.all(NODES.map((at) => farm.server(at).stop()));
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

async function fill(farm: Farm, jobs: number, planted: number): Promise<void> {
  const http = farm.http(await farm.leader());
  const printer_id = await post(http, "/api/v1/printers", { company: "Prusa", model: "MK4S" });
  const filament = { type: "PLA", color: "black", total_weight_in_grams: 1e12 };
  const filament_id = await post(http, "/api/v1/filaments", filament);
  const job = { printer_id, filament_id, filepath: "/gcode/%s.gcode", print_weight_in_grams: 1 };
  const load = { method: "POST", path: "/api/v1/print_jobs", body: JSON.stringify(job) } as const;
  let made = planted;
  const before = await farm.leaderChanges();
  while (made < jobs) {
    const leader = farm.http(await farm.leader());
    const driven = drive([leader], load, Number(values.connections), SLICE_SECONDS);
    // The connections are all opened in one turn, which says nothing of what comes after it.
    await new Promise((go) => setTimeout(go, OPENING_MS));
    for (const at of NODES) await farm.turns(at);
    const one = await driven;
    if (one.failed + one.broken > 0) throw new Error(`${one.failed} failed, ${one.broken} broke`);
    made += one.requests;
    const rate = Math.round(one.requests / (one.us / 1e6)).toLocaleString("en");
    const p99 = Math.round(one.p99 / 1000);
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
  const folder = mkdtempSync(join(resolve(values.folder), "bench-data-"));
  const farm = new Farm(folder, await freePorts(6));
  try {
    for (const at of NODES) await farm.ready(at);
    say(
      "For each node (* leads): the longest turn in ms, late, held, and for collecting garbage;\n" +
        "resident MiB; snapshots taken.\n",
    );
    await farm.line("started");
    const planted = Number(values.planted);
    if (planted > 0) await begin(farm, planted);
    await fill(farm, Number(values.jobs), planted);
    for (const at of NODES) {
      const began = performance.now();
      const bytes = await list(farm.http(at), "/api/v1/print_jobs");
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      await farm.line(`list: ${Math.round(bytes / 2 ** 20)} MiB in ${seconds} s at node ${at + 1}`);
    }
    for (let n = 0; n < STARTS; n++) {
      const at = (await farm.leader()) === 0 ? 1 : 0;
      await farm.server(at).stop("SIGKILL");
      const began = performance.now();
      farm.start(at);
      await farm.ready(at);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      await farm.line(`node ${at + 1} killed; ready after ${seconds} s`);
    }
  } finally {
    await Promise.all(farm.servers.map((server) => server.stop("SIGKILL")));
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
