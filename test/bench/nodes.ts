// Three nodes of Raft3D as processes, each with a folder of its own in one folder, and what a benchmark asks them.

import { join } from "node:path";
import { must } from "../../src/base/assert.ts";
import { MAIN } from "../system/process-cluster.ts";
import { Server, ask, metric, until } from "./processes.ts";

export const HOST = "127.0.0.1";
/** Of three nodes. Where they are, and not their ids, which begin at 1. */
export const NODES = [0, 1, 2] as const;

export interface NodesOptions {
  /** Of Raft3D; this build's by default. */
  readonly program?: string;
  /** For Node.js itself. */
  readonly nodeArgs?: readonly string[];
  /** For `serve`, beside those that every node needs. */
  readonly args?: readonly string[];
}

export class Nodes {
  readonly servers: Server[] = [];
  /** host:port. */
  readonly https: readonly string[];
  readonly #folder: string;
  readonly #peers: readonly string[];
  readonly #nodeArgs: readonly string[];
  readonly #program: string;
  readonly #args: readonly string[];

  /** Starts them. Six ports. */
  constructor(
    folder: string,
    ports: readonly number[],
    { args = [], nodeArgs = [], program = MAIN }: NodesOptions = {},
  ) {
    this.#folder = folder;
    this.#nodeArgs = nodeArgs;
    this.#program = program;
    this.#args = args;
    this.https = ports.slice(0, 3).map((port) => `${HOST}:${port}`);
    this.#peers = ports.slice(3).map((port) => `${HOST}:${port}`);
    for (const at of NODES) this.start(at);
  }

  start(at: number): void {
    const members = this.#peers.map((peer, n) => `${n + 1}=${peer}`).join(",");
    const args = [...this.#nodeArgs, this.#program, "serve", "--id", `${at + 1}`];
    args.push("--data", this.data(at), "--initial-cluster", members);
    args.push("--http", this.http(at), "--peer", `${this.#peers[at]}`, ...this.#args);
    const log = join(this.#folder, `${at + 1}.log`);
    this.servers[at] = new Server(`raft3d ${at + 1}`, process.execPath, args, log);
  }

  data(at: number): string {
    return join(this.#folder, `node-${at + 1}`);
  }

  http(at: number): string {
    return must(this.https[at], "a node");
  }

  server(at: number): Server {
    return must(this.servers[at], "a node");
  }

  /** Waits until all know the same one. */
  async leader(): Promise<number> {
    let leader = 0;
    await until("a leader", this.servers, async () => {
      const all = await Promise.all(this.https.map((one) => ask(`http://${one}/api/v1/cluster`)));
      leader = Number(all[0]?.["leader_id"] ?? 0);
      return leader !== 0 && all.every((one) => one?.["leader_id"] === leader);
    });
    return leader - 1;
  }

  /** By node. */
  async metrics(name: string): Promise<readonly number[]> {
    return Promise.all(this.https.map((http) => metric(http, name)));
  }

  /** The id of a new object. */
  create(path: string, body: unknown): Promise<number> {
    return createObject(this.http(0), path, body);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop(signal)));
  }
}

/** Its id. */
export async function createObject(http: string, path: string, body: unknown): Promise<number> {
  const answer = await fetch(`http://${http}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { readonly id: number }).id;
}
