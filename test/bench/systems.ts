// What is measured: each started fresh, alone on the machine, with its data on the same disk.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { must } from "../../src/base/assert.ts";
import { MAIN } from "../system/process-cluster.ts";
import { freePorts } from "../system/ports.ts";
import { HOST, NODES, Nodes, createObject } from "./nodes.ts";
import { Server, ask, metric, until } from "./processes.ts";
import type { Load } from "./wrk.ts";

const FASTIFY_ECHO = fileURLToPath(new URL("fastify-echo.mjs", import.meta.url));
const BARE_REPLICA = fileURLToPath(new URL("bare-replica.ts", import.meta.url));

/** Where load can go. */
export type Through = "leader" | "follower" | "all";

export interface System {
  readonly name: string;
  /** The leader first, if there is one. */
  readonly servers: readonly Server[];
  addresses(through: Through): readonly string[];
  /** A write that makes an object of its own. */
  readonly create: Load;
  /** A linearizable read of one object; made when it is asked for. */
  get(): Promise<Load>;
  /** Syncs of logs so far, over all nodes; null where nothing is kept. */
  syncs(): Promise<number | null>;
  /** False: what was measured "through the leader" was not, or not all of it. */
  isLedAsAtStart(): Promise<boolean>;
  stop(): Promise<void>;
}

/** How a system is started: with its files in a folder that is there and empty. */
export interface Kind {
  readonly name: string;
  /** Why it cannot be measured here; null: it can. */
  readonly missing: () => string | null;
  readonly ways: readonly Through[];
  /** Keeps what it is sent: measured at a fixed rate too. */
  readonly isStore: boolean;
  /** Measured only if it is asked for by name. */
  readonly isOnRequest?: boolean;
  start(folder: string): Promise<System>;
}

export const RAFT3D = "raft3d";
export const ETCD = "etcd";
/** The yardstick: the least that a JSON service on Node.js does. */
export const ECHO = "bare node:http";

const PRINTER = { company: "Creality", model: "Ender 3 V2" };
const CREATE: Load = { method: "POST", path: "/api/v1/printers", body: JSON.stringify(PRINTER) };

/** A read of a printer that is created for it. */
async function getCreated(http: string): Promise<Load> {
  const id = await createObject(http, CREATE.path, PRINTER);
  return { method: "GET", path: `${CREATE.path}/${id}`, body: "" };
}

const raft3d: Kind = {
  name: RAFT3D,
  missing: () => null,
  ways: ["leader", "follower", "all"],
  isStore: true,
  async start(folder) {
    const nodes = new Nodes(folder, await freePorts(6));
    const leader = (): Promise<number> => nodes.leader();
    const get = (): Promise<Load> => getCreated(nodes.http(0));
    const { https, servers } = nodes;
    const syncs = "raft3d_log_batches_total";
    return cluster({ name: RAFT3D, servers, https, leader, create: CREATE, get, syncs });
  },
};

const etcd: Kind = {
  name: ETCD,
  missing: () =>
    spawnSync("etcd", ["--version"]).error === undefined
      ? null
      : "etcd is not installed (Debian: apt-get install etcd-server)",
  ways: ["leader"],
  isStore: true,
  async start(folder) {
    const ports = await freePorts(6);
    const https = ports.slice(0, 3).map((port) => `${HOST}:${port}`);
    const peers = ports.slice(3).map((port) => `http://${HOST}:${port}`);
    const members = peers.map((peer, at) => `n${at + 1}=${peer}`).join(",");
    const servers = NODES.map((at) => {
      const http = `http://${https[at]}`;
      const args = ["--name", `n${at + 1}`, "--data-dir", join(folder, `node-${at + 1}`)];
      args.push("--listen-client-urls", http, "--advertise-client-urls", http);
      args.push("--listen-peer-urls", `${peers[at]}`, "--initial-cluster", members);
      args.push("--initial-advertise-peer-urls", `${peers[at]}`, "--logger", "zap");
      args.push("--log-level", "error");
      return new Server(`etcd ${at + 1}`, "etcd", args, join(folder, `${at + 1}.log`));
    });
    const leader = async (): Promise<number> => {
      let at = -1;
      await until("a leader", servers, async () => {
        const url = (http: string): string => `http://${http}/v3/maintenance/status`;
        const all = await Promise.all(https.map((http) => ask(url(http), {})));
        const id = all[0]?.["leader"];
        at = all.findIndex((one) => {
          const header = one?.["header"] as { readonly member_id?: string } | undefined;
          return id !== undefined && header?.member_id === id;
        });
        return at >= 0 && all.every((one) => one?.["leader"] === id);
      });
      return at;
    };
    const value = base64(JSON.stringify(PRINTER));
    // Twelve digits are base64 of nine bytes: a key of its own for each write.
    const create: Load = {
      method: "POST",
      path: "/v3/kv/put",
      body: JSON.stringify({ key: "%s", value }),
    };
    const get = async (): Promise<Load> => {
      const key = base64("printer 1");
      await ask(`http://${https[0]}/v3/kv/put`, { key, value });
      return { method: "POST", path: "/v3/kv/range", body: JSON.stringify({ key }) };
    };
    const syncs = "etcd_disk_wal_fsync_duration_seconds_count";
    return cluster({ name: ETCD, servers, https, leader, create, get, syncs });
  },
};

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

interface ClusterParts {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly https: readonly string[];
  /** Waits until all know the same one. Where it is. */
  readonly leader: () => Promise<number>;
  readonly create: Load;
  readonly get: () => Promise<Load>;
  /** The metric that counts them. */
  readonly syncs: string;
}

async function cluster(parts: ClusterParts): Promise<System> {
  const { create, get, https, name, servers } = parts;
  const leader = await parts.leader();
  const order = [leader, ...NODES.filter((at) => at !== leader)];
  const addresses = order.flatMap((at) => https[at] ?? []);
  return {
    name,
    servers: order.flatMap((at) => servers[at] ?? []),
    create,
    get,
    addresses: (through) => {
      if (through === "all") return addresses;
      return through === "leader" ? addresses.slice(0, 1) : addresses.slice(1, 2);
    },
    syncs: async () => {
      const counts = await Promise.all(https.map((http) => metric(http, parts.syncs)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    isLedAsAtStart: async () => (await parts.leader()) === leader,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** A server that reads JSON and sends it back: what the language and its HTTP cost by themselves. */
function echo(name: string, args: (address: string) => readonly string[]): Kind {
  return {
    name,
    missing: () => null,
    ways: ["leader"],
    isStore: false,
    async start(folder) {
      const [port] = await freePorts(1);
      const address = `${HOST}:${port}`;
      const server = new Server(name, process.execPath, args(address), join(folder, "echo.log"));
      await until("an answer", [server], async () => (await ask(`http://${address}/`)) !== null);
      return echoSystem(name, address, [server]);
    },
  };
}

/** What a server answers that keeps nothing. */
const GET_ANYTHING: Load = { method: "GET", path: "/livez", body: "" };

/** What answers at one address only, and does not count its syncs. */
function echoSystem(
  name: string,
  address: string,
  servers: readonly Server[],
  get: () => Promise<Load> = () => Promise.resolve(GET_ANYTHING),
): System {
  return {
    name,
    servers,
    create: CREATE,
    get,
    addresses: () => [address],
    syncs: () => Promise.resolve(null),
    isLedAsAtStart: () => Promise.resolve(true),
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Three durable copies behind what `kind` of bare-replica.ts says: steps between a bare server and Raft3D. */
function copies(name: string, kind: string, isOnRequest: boolean): Kind {
  return {
    name,
    missing: () => null,
    ways: ["leader"],
    isStore: false,
    isOnRequest,
    async start(folder) {
      const [leader, ...followers] = (await freePorts(3)).map((port) => `${HOST}:${port}`);
      const address = must(leader, "a port");
      const start = (role: string, args: readonly string[]): Server => {
        const program = ["--import", "tsx", BARE_REPLICA, ...args];
        return new Server(role, process.execPath, program, join(folder, `${role}.log`));
      };
      const servers = followers.map((follower, at) =>
        start(`follower-${at}`, ["follower", follower, join(folder, `data-${at}`)]),
      );
      for (const [at, server] of servers.entries()) {
        await until("a follower", [server], () => accepts(must(followers[at], "a port")));
      }
      const data = join(folder, "data");
      servers.unshift(start("leader", ["leader", kind, address, data, ...followers]));
      await until("an answer", servers, () => accepts(address));
      const get = (): Promise<Load> => getCreated(address);
      return echoSystem(name, address, servers, kind === "fsm" ? get : undefined);
    },
  };
}

/** The last of these by etcd's raft: the least that the library costs on Node.js, under any driver. */
function bareRaft(name: string): Kind {
  return {
    name,
    missing: () => null,
    ways: ["leader"],
    isStore: false,
    isOnRequest: true,
    async start(folder) {
      const ports = (await freePorts(6)).map((port) => `${HOST}:${port}`);
      const [https, peers] = [ports.slice(0, 3), ports.slice(3)];
      const servers = https.map((http, at) => {
        const args = ["raft", `${at + 1}`, http, join(folder, `data-${at}`), ...peers];
        const program = ["--import", "tsx", BARE_REPLICA, ...args];
        return new Server(`raft-${at}`, process.execPath, program, join(folder, `raft-${at}.log`));
      });
      for (const http of https) await until("an answer", servers, () => accepts(http));
      const address = must(https[0], "an address");
      return echoSystem(name, address, servers, () => getCreated(address));
    },
  };
}

/** Whether somebody listens there. */
async function accepts(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  const socket = connect({ host: must(host, "a host"), port: Number(port) });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // not up yet: the caller waits on this condition
  } finally {
    socket.destroy();
  }
}

export const KINDS: readonly Kind[] = [
  raft3d,
  etcd,
  copies("bare replication", "node:http", false),
  copies("bare replication, Raft3D's HTTP", "http", true),
  copies("bare replication, Raft3D's HTTP and state machine", "fsm", true),
  bareRaft("bare raft, Raft3D's HTTP and state machine"),
  echo(ECHO, (address) => [MAIN, "bench-echo", "--http", address]),
  echo("fastify echo", (address) => [FASTIFY_ECHO, address]),
];

/** An empty folder for a system. */
export function freshFolder(path: string): string {
  if (existsSync(path)) rmSync(path, { recursive: true });
  mkdirSync(path, { recursive: true });
  return path;
}
