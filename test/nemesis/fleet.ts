// The cluster of one round with its surroundings: processes, wire, disks and clocks. It knows which nodes are
// down because they were made to be, and what a node may end itself with; anything else is a violation.

import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT_CODES, type FatalReason } from "../../src/node/fatal.ts";
import { freePorts } from "../system/ports.ts";
import {
  type ClusterStatus,
  type Place,
  ProcessCluster,
  type ServerProcess,
  until,
} from "../system/process-cluster.ts";
import { type Machine, run } from "./machine.ts";
import { Shim } from "./shim.ts";
import { Wire, address } from "./wire.ts";

/** How often it is looked whether every node that should run does. */
const WATCH_MS = 50;
/** A node that answers nothing for so long counts as silent. */
const STATUS_MS = 500;
const SMALL_DISK_MIB = 32;
const START_MS_MAX = 180_000;

export interface FleetSettings {
  readonly folder: string;
  readonly seed: number;
  readonly size: number;
  readonly args: readonly string[];
}

export class Fleet {
  readonly cluster: ProcessCluster;
  readonly wire: Wire | null;
  readonly #shims: readonly Shim[];
  readonly #disks: readonly string[];
  /** Nodes that were ended on purpose, or ended themselves as they had to. */
  readonly #down = new Set<number>();
  /** How many reasons hold at the moment for which a node may end itself, by reason. */
  readonly #allowed = new Map<FatalReason, number>();
  readonly #report: (violation: string) => void;
  readonly #watch: NodeJS.Timeout;
  /** Nodes that ended themselves for an allowed reason, by reason. */
  readonly ends = new Map<FatalReason, number>();

  static async found(
    machine: Machine,
    settings: FleetSettings,
    report: (violation: string) => void,
  ): Promise<Fleet> {
    const { args, folder, seed, size } = settings;
    mkdirSync(folder, { recursive: true });
    const wire = machine.wire === null ? null : await Wire.open(machine.wire, seed, size);
    const ports = wire === null ? await freePorts(size * 2) : [];
    const places = Array.from({ length: size }, (_, i): Place => {
      const data = join(folder, `node-${i + 1}`, "data");
      if (wire === null) {
        const [http, peer] = [ports[i], ports[size + i]];
        return { data, http: `127.0.0.1:${http}`, peer: `127.0.0.1:${peer}` };
      }
      const host = address(i + 1);
      return { data, http: `${host}:8001`, peer: `${host}:9001`, launcher: Wire.launcher(i + 1) };
    });
    for (const { data } of places) mkdirSync(dirname(data));
    const disks = machine.hasNamespaces ? places.map(({ data }) => dirname(data)) : [];
    for (const disk of disks) {
      run("mount", ["-t", "tmpfs", "-o", `size=${SMALL_DISK_MIB}m`, "nemesis", disk]);
    }
    const { shim } = machine;
    const shims =
      shim === null ? [] : places.map((_, i) => new Shim(shim, join(folder, `shim-${i + 1}`)));
    const cluster = new ProcessCluster(folder, places, args);
    for (const [i, { env }] of shims.entries()) cluster.server(i + 1).env = env;
    return new Fleet(cluster, wire, shims, disks, report);
  }

  private constructor(
    cluster: ProcessCluster,
    wire: Wire | null,
    shims: readonly Shim[],
    disks: readonly string[],
    report: (violation: string) => void,
  ) {
    this.cluster = cluster;
    this.wire = wire;
    this.#shims = shims;
    this.#disks = disks;
    this.#report = report;
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    for (const { id } of this.servers) this.#down.add(id);
  }

  get servers(): readonly ServerProcess[] {
    return this.cluster.servers;
  }

  get hasShims(): boolean {
    return this.#shims.length > 0;
  }

  get hasSmallDisks(): boolean {
    return this.#disks.length > 0;
  }

  isDown(id: number): boolean {
    return this.#down.has(id);
  }

  shim(id: number): Shim {
    const found = this.#shims[id - 1];
    if (found === undefined) throw new Error(`node ${id} has no shim`);
    return found;
  }

  /** While `during` runs, nodes may end themselves for this reason. */
  async allowing<T>(reason: FatalReason, during: () => Promise<T>): Promise<T> {
    this.#allowed.set(reason, (this.#allowed.get(reason) ?? 0) + 1);
    try {
      return await during();
    } finally {
      this.#look();
      this.#allowed.set(reason, (this.#allowed.get(reason) ?? 0) - 1);
    }
  }

  #look(): void {
    for (const server of this.servers) {
      if (server.isRunning || this.#down.has(server.id)) continue;
      this.#down.add(server.id);
      const last = server.log.trimEnd().split("\n").at(-1) ?? "";
      const reason = reasonOf(server.exitCode, last);
      if (reason !== null && (this.#allowed.get(reason) ?? 0) > 0) {
        this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1);
        continue;
      }
      this.#report(`node ${server.id} ended itself with ${server.exitCode}: ${last}`);
    }
  }

  /** Ends a node; for a node that is down already this does nothing. */
  async stop(id: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#look();
    if (this.#down.has(id)) return;
    this.#down.add(id);
    const server = this.cluster.server(id);
    if (signal === "SIGKILL") server.signal("SIGCONT"); // told to go on and then killed: no stopped corpse
    const code = await server.stop(signal);
    if (signal === "SIGTERM" && code !== 0) {
      this.#report(`node ${id} was asked to stop and ended with ${code}`);
    }
  }

  start(id: number): void {
    if (!this.#down.has(id)) return;
    this.#down.delete(id);
    this.cluster.server(id).start();
  }

  startAll(): void {
    for (const { id } of this.servers) this.start(id);
  }

  /** What the nodes say that run; null for those who do not answer soon. */
  statuses(): Promise<readonly (ClusterStatus | null)[]> {
    const running = this.servers.filter(({ id }) => !this.#down.has(id));
    return Promise.all(running.map((server) => server.status(AbortSignal.timeout(STATUS_MS))));
  }

  /** The leader of the highest term that anybody knows of; null if nobody knows one. */
  async leader(): Promise<number | null> {
    const known = (await this.statuses()).flatMap((status) =>
      status === null || status.leader_id === null ? [] : [status],
    );
    return known.toSorted((a, b) => b.term - a.term)[0]?.leader_id ?? null;
  }

  /**
   * Waits until every process answers. How long a process takes to start is the machine's affair: on a busy
   * one it may be most of a minute.
   */
  async waitAllUp(): Promise<void> {
    const isUp = async (server: ServerProcess): Promise<boolean> =>
      (await server.status(AbortSignal.timeout(2000))) !== null;
    await until(
      "every node answers",
      async () => (await Promise.all(this.servers.map(isUp))).every((up) => up),
      START_MS_MAX,
    );
  }

  async waitReady(id: number, boundMs = START_MS_MAX): Promise<void> {
    const server = this.cluster.server(id);
    await until(
      `node ${id} is ready`,
      async () => {
        try {
          const signal = AbortSignal.timeout(2000);
          return (await server.request("GET", "/readyz", undefined, {}, signal)).status === 200;
        } catch {
          return false; // not up yet: what is being waited for
        }
      },
      boundMs,
    );
  }

  /** Leaves no room on this node's disk; returns what makes room again. */
  fillDisk(id: number): () => void {
    const disk = this.#disks[id - 1];
    if (disk === undefined) throw new Error(`node ${id} has no small disk`);
    const ballast = join(disk, "ballast");
    const file = openSync(ballast, "w");
    const page = Buffer.alloc(4096);
    try {
      for (;;) writeSync(file, page);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
    return () => rmSync(ballast);
  }

  /** Everything that was done to the surroundings is undone, and every node runs. */
  async heal(): Promise<void> {
    await this.wire?.heal();
    for (const shim of this.#shims) shim.heal();
    for (const server of this.servers) server.signal("SIGCONT");
    this.startAll();
  }

  /** Copies what a failed round left to where it stays. */
  keep(folder: string): void {
    for (const { id } of this.servers) {
      const from = dirname(this.cluster.server(id).data);
      cpSync(from, join(folder, `node-${id}`), { recursive: true });
    }
  }

  async dispose(): Promise<void> {
    clearInterval(this.#watch);
    for (const shim of this.#shims) shim.heal(); // a process that hangs in a sync cannot be killed off
    for (const { id } of this.servers) this.#down.add(id);
    for (const server of this.servers) server.signal("SIGCONT");
    await Promise.all(this.servers.map((server) => server.stop("SIGKILL")));
    await this.wire?.close();
    for (const disk of this.#disks) run("umount", [disk]);
    await this.cluster.dispose();
  }
}

/** Null: no reason that a node may have. A node whose disk hangs can only kill itself. */
function reasonOf(code: number | null, lastLine: string): FatalReason | null {
  if (code === null) return lastLine.includes('"reason":"disk-stalled"') ? "disk-stalled" : null;
  const found = Object.entries(EXIT_CODES).find(([, one]) => one === code);
  return found === undefined ? null : (found[0] as FatalReason);
}
