// A cluster of real processes on loopback, for tests: started from the built program, killed for real,
// with its data in a temporary folder, and gone when the test is over.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "./ports.ts";

/** The built program. */
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface ClusterStatus {
  readonly cluster_id: string;
  readonly node_id: number;
  readonly leader_id: number | null;
  readonly term: number;
  readonly commit_index: number;
  readonly applied_index: number;
  readonly state_hash: string;
  readonly members: readonly { readonly id: number; readonly reachable: boolean }[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly body: any;
}

/** Where a node keeps its data and listens. */
export interface Place {
  readonly data: string;
  readonly http: string;
  readonly peer: string;
  /** A command that starts the program given behind it: in another namespace, say. */
  readonly launcher?: readonly string[];
}

export class ServerProcess {
  readonly id: number;
  readonly data: string;
  readonly http: string;
  readonly peer: string;
  readonly #args: readonly string[];
  readonly #launcher: readonly string[];
  #child: ChildProcess | null = null;
  #log = "";
  exitCode: number | null = null;
  /** Added to the environment of the next start. */
  env: Readonly<Record<string, string>> = {};

  constructor(
    id: number,
    data: string,
    http: string,
    peer: string,
    args: readonly string[],
    launcher: readonly string[] = [],
  ) {
    this.id = id;
    this.data = data;
    this.http = http;
    this.peer = peer;
    this.#args = args;
    this.#launcher = launcher;
  }

  /** Everything it wrote to standard output and error, over all its lives. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  start(extra: readonly string[] = []): void {
    const args = [
      "serve",
      ...Object.entries({ id: this.id, data: this.data, http: this.http, peer: this.peer }).flatMap(
        ([name, value]) => [`--${name}`, String(value)],
      ),
      "--log-level=info",
      ...this.#args,
      ...extra,
    ];
    const env = { ...process.env, ...this.env };
    const [program = "", ...rest] = [...this.#launcher, process.execPath, MAIN, ...args];
    const child = spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.exitCode = null;
    const collect = (chunk: Buffer): void => void (this.#log += chunk.toString());
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("close", (code) => {
      this.exitCode = code;
      if (this.#child === child) this.#child = null;
    });
  }

  /** Sends a signal and waits until the process is gone. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === null) return this.exitCode;
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
    return this.exitCode;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Waits until the process has ended by itself. */
  async ended(): Promise<number | null> {
    if (this.#child !== null) await once(this.#child, "close");
    return this.exitCode;
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Answer> {
    const init: RequestInit = { method, headers: { ...headers } };
    if (signal !== undefined) init.signal = signal;
    if (body !== undefined) {
      init.body = typeof body === "string" ? body : JSON.stringify(body);
      init.headers = { "content-type": "application/json", ...headers };
    }
    const response = await fetch(`http://${this.http}${path}`, init);
    const text = await response.text();
    const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== "" ? JSON.parse(text) : text,
    };
  }

  get(path: string): Promise<Answer> {
    return this.request("GET", path);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request("POST", path, body, headers);
  }

  /** Null where the node does not answer. */
  async status(signal?: AbortSignal): Promise<ClusterStatus | null> {
    try {
      const { status, body } = await this.request("GET", "/api/v1/cluster", undefined, {}, signal);
      return status === 200 ? body : null;
    } catch {
      return null; // it is down, or not up yet: the caller waits on this condition
    }
  }
}

/** Clusters that were made and not yet asked for their logs, ended ones included. */
const clusters = new Set<ProcessCluster>();

/** What the nodes of the test that has just ended said. Forgets clusters that are gone. */
export function takeLogs(): string {
  const logs = [...clusters].map((cluster) => cluster.logs()).join("\n");
  for (const cluster of clusters) if (cluster.isDisposed) clusters.delete(cluster);
  return logs;
}

export class ProcessCluster {
  isDisposed = false;
  readonly folder: string;
  readonly servers: readonly ServerProcess[];
  /** The value of --initial-cluster. */
  readonly initial: string;

  /** On loopback, in a new folder within `where`. */
  static async make(
    size: number,
    args: readonly string[] = [],
    where: string = tmpdir(),
  ): Promise<ProcessCluster> {
    const ports = await freePorts(size * 2);
    const folder = mkdtempSync(join(where, "raft3d-system-"));
    const places = Array.from({ length: size }, (_, i) => ({
      data: join(folder, `node-${i + 1}`),
      http: `127.0.0.1:${ports[i]}`,
      peer: `127.0.0.1:${ports[size + i]}`,
    }));
    return new ProcessCluster(folder, places, args);
  }

  /** The folder goes when the cluster does. */
  constructor(folder: string, places: readonly Place[], args: readonly string[] = []) {
    this.folder = folder;
    const initial = places.map(({ peer }, i) => `${i + 1}=${peer}`).join(",");
    this.initial = initial;
    // Small segments start faster; their size has tests of its own.
    const all = ["--initial-cluster", initial, "--segment-mib", "2", ...args];
    this.servers = places.map(
      ({ data, http, launcher, peer }, i) =>
        new ServerProcess(i + 1, data, http, peer, all, launcher),
    );
    clusters.add(this);
  }

  server(id: number): ServerProcess {
    const found = this.servers[id - 1];
    if (found === undefined) throw new Error(`no server ${id}`);
    return found;
  }

  get running(): ServerProcess[] {
    return this.servers.filter((server) => server.isRunning);
  }

  /** Starts every node and waits until all of them know one leader. */
  async start(): Promise<ServerProcess> {
    for (const server of this.servers) server.start();
    return this.leader();
  }

  /** Waits until all running nodes that matter agree on a running leader. */
  async leader(): Promise<ServerProcess> {
    let found: ServerProcess | undefined;
    await until("one leader", async () => {
      const ended = this.servers.find((server) => server.exitCode !== null && !server.isRunning);
      if (ended !== undefined && this.running.length === 0) {
        throw new Error(`node ${ended.id} ended with ${ended.exitCode}: ${ended.log}`);
      }
      const statuses = await Promise.all(this.running.map((server) => server.status()));
      const leaders = new Set(statuses.map((status) => status?.leader_id ?? 0));
      const [leader] = leaders;
      if (leaders.size !== 1 || leader === undefined || leader === 0) return false;
      found = this.server(leader);
      return found.isRunning;
    });
    if (found === undefined) throw new Error("no leader");
    return found;
  }

  /** Waits until all running nodes have applied all that is committed and hold the same. */
  async settled(): Promise<ClusterStatus> {
    let last: ClusterStatus | null = null;
    await until("the nodes hold the same", async () => {
      const statuses = await Promise.all(this.running.map((server) => server.status()));
      last = statuses[0] ?? null;
      const key = (status: ClusterStatus | null): string =>
        status === null
          ? "down"
          : `${status.applied_index} ${status.commit_index} ${status.state_hash}`;
      if (last === null || last.leader_id === null || new Set(statuses.map(key)).size !== 1)
        return false;
      return last.applied_index === last.commit_index;
    });
    if (last === null) throw new Error("nobody answers");
    return last;
  }

  async dispose(): Promise<void> {
    for (const server of this.servers) server.signal("SIGCONT");
    await Promise.all(this.servers.map((server) => server.stop("SIGKILL")));
    rmSync(this.folder, { recursive: true, force: true });
    this.isDisposed = true;
  }

  /** For a failed test's message. */
  logs(): string {
    return this.servers.map((server) => `--- node ${server.id}\n${server.log}`).join("\n");
  }
}

/** Waits on a condition; the bound is only there to end a test that would wait for ever. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  boundMs = 60_000,
): Promise<void> {
  const end = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${boundMs} ms in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}
