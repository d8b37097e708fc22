// `npm run bench:failover`: the leader of three nodes is killed (SIGKILL) under load, again and again. How long
// until a write is acknowledged under the next leader, as clients see it that try again as documented? At
// the end everything that was ever acknowledged must be at every node, once.
//   --kills N
//   --connections N
//   --folder DIR    where the data goes; a disk, not memory

import { parseArgs } from "node:util";
import { median } from "../../src/cli/bench/report.ts";
import { Load, modelsAt, wrongWith } from "../system/load.ts";
import { ProcessCluster, type ServerProcess, until } from "../system/process-cluster.ts";
import { dataFolder } from "./disk.ts";

/** Acknowledged writes between two kills. */
const WRITES_BETWEEN = 2000;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    connections: { type: "string", default: "64" },
    folder: { type: "string", default: "." },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Milliseconds from the kill to the first acknowledgement under another leader. */
async function kill(leader: ServerProcess, load: Load): Promise<number> {
  const from = load.acknowledged.length;
  const atMs = performance.now();
  await leader.stop("SIGKILL");
  let firstMs = 0;
  await until("a write under another leader", () => {
    const first = load.acknowledged
      .slice(from)
      .find((one) => one.atMs > atMs && one.leader !== 0 && one.leader !== leader.id);
    firstMs = first?.atMs ?? 0;
    return first !== undefined;
  });
  return firstMs - atMs;
}

async function isReady(server: ServerProcess): Promise<boolean> {
  try {
    return (await server.get("/readyz")).status === 200;
  } catch {
    return false; // it does not listen yet: waited on
  }
}

async function main(): Promise<number> {
  const cluster = await ProcessCluster.make(3, [], dataFolder(values.folder));
  try {
    await cluster.start();
    const load = new Load(cluster, "failover", Number(values.connections));
    const durations: number[] = [];
    for (let n = 1; n <= Number(values.kills); n++) {
      const before = load.acknowledged.length;
      await until("load", () => load.acknowledged.length > before + WRITES_BETWEEN);
      const leader = await cluster.leader();
      const ms = await kill(leader, load);
      durations.push(ms);
      say(`kill ${n}: node ${leader.id}, writes again after ${Math.round(ms)} ms`);
      leader.start();
      await until("the node is back", () => isReady(leader));
    }
    await load.stop();
    await cluster.settled();
    const wrong: string[] = [];
    for (const server of cluster.servers) {
      wrong.push(...wrongWith(load, await modelsAt(server, "linearizable")));
    }
    const worst = Math.round(Math.max(...durations));
    const written = load.acknowledged.length.toLocaleString("en");
    say(`median ${Math.round(median(durations))} ms, worst ${worst} ms of ${durations.length}`);
    say(`${written} acknowledged; lost, doubled or otherwise wrong: ${wrong.length}`);
    for (const line of wrong.slice(0, 20)) say(`  ${line}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await cluster.dispose();
  }
}

process.exitCode = await main();
