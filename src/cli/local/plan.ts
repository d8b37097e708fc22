// A cluster on one machine, before it is started: who listens where, and which folder is whose.

import { nodeId, type NodeId } from "../../base/brand.ts";
import { must } from "../../base/assert.ts";
import { NetworkError, type Network } from "../../env/network.ts";
import { type Random, below } from "../../env/random.ts";
import { Failure } from "../failure.ts";

export const LOCAL_HOST = "127.0.0.1";

export interface LocalNode {
  readonly id: NodeId;
  readonly name: string;
  /** host:port */
  readonly http: string;
  /** http://host:port */
  readonly origin: string;
  readonly peer: string;
  readonly data: string;
  /** What the node writes to its log lands here, in the node's own folder. */
  readonly logPath: string;
}

export interface LocalPlan {
  readonly nodes: readonly LocalNode[];
  readonly token: string;
  readonly logLevel: string;
}

export interface Ports {
  readonly http: readonly number[];
  readonly peer: readonly number[];
}

export function planCluster(
  folder: string,
  ports: Ports,
  token: string,
  logLevel: string,
): LocalPlan {
  const nodes = ports.http.map((port, at): LocalNode => {
    const id = nodeId(at + 1);
    const name = `node-${id}`;
    const http = `${LOCAL_HOST}:${port}`;
    const peer = `${LOCAL_HOST}:${must(ports.peer[at], "a peer port for each node")}`;
    const data = `${folder}/${name}`;
    return { id, name, http, origin: `http://${http}`, peer, data, logPath: `${data}/log` };
  });
  return { nodes, token, logLevel };
}

/** The command line of one node. Everything is said, so that the environment decides none of it. */
export function serveArguments(plan: LocalPlan, node: LocalNode): readonly string[] {
  const members = plan.nodes.map(({ id, peer }) => `${id}=${peer}`).join(",");
  const flags = {
    id: String(node.id),
    data: node.data,
    http: node.http,
    peer: node.peer,
    "advertise-http": node.http,
    "advertise-peer": node.peer,
    "initial-cluster": members,
    "cluster-token": plan.token,
    "log-level": plan.logLevel,
  };
  return ["serve", ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
}

/** Fails with all the addresses of the plan that are taken, before anything is started. */
export async function assertAddressesFree(network: Network, plan: LocalPlan): Promise<void> {
  const taken: string[] = [];
  for (const node of plan.nodes) {
    if (!(await isFree(network, node.http))) taken.push(`${node.http} (HTTP of ${node.name})`);
    if (!(await isFree(network, node.peer))) taken.push(`${node.peer} (peers of ${node.name})`);
  }
  if (taken.length === 0) return;
  const are = taken.length === 1 ? "This address is" : "These addresses are";
  throw new Failure(
    `${are} in use: ${taken.join(", ")}.\nIs this cluster running already? Otherwise choose others with --port and --peer-port.`,
  );
}

async function isFree(network: Network, address: string): Promise<boolean> {
  try {
    const listener = await network.listen(address, (connection) => connection.destroy());
    await listener.close();
    return true;
  } catch (error) {
    if (error instanceof NetworkError && error.code === "EADDRINUSE") return false;
    if (error instanceof NetworkError) {
      throw new Failure(`Cannot listen on ${address}: ${error.message}.`);
    }
    throw error;
  }
}

// Below the range from which operating systems take the ports of outgoing connections: there, a
// node's port could be taken by a connection of another node before it listens.
const FREE_PORT_MIN = 12_000;
const FREE_PORT_MAX = 32_000;
const TRIES_MAX = 1000;

/** Ports that nobody listens on at the moment, HTTP and peers for each of `nodes`. */
export async function freePorts(network: Network, random: Random, nodes: number): Promise<Ports> {
  const found = new Set<number>();
  for (let tries = 0; found.size < 2 * nodes; tries++) {
    if (tries === TRIES_MAX) throw new Failure("There are no free ports on this machine.");
    const port = FREE_PORT_MIN + below(random, FREE_PORT_MAX - FREE_PORT_MIN);
    if (await isFree(network, `${LOCAL_HOST}:${port}`)) found.add(port);
  }
  const ports = [...found];
  return { http: ports.slice(0, nodes), peer: ports.slice(nodes) };
}
