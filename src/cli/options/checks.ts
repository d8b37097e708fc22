// What options must satisfy together. A check sees the options that could be read and none of those
// that could not, so it runs beside the checks of single values and all problems come out at once.
//
// Those of `serve` find the mistakes that are made when three command lines are copied and edited:
// an id or an address of another node. Found later, they show as nodes that cannot reach each
// other.

import { LOCAL_NODES_MAX } from "../../base/limits.ts";
import { camelCase } from "../text.ts";
import type { CommandName } from "./commands.ts";
import { hostOf, isWildcard, portOf } from "./kinds.ts";
import type { OptionsOf } from "./table.ts";

type Partly<C extends CommandName> = Partial<OptionsOf<C>>;
type Check<C extends CommandName> = (options: Partly<C>) => readonly string[];

const CHECKS: { readonly [C in CommandName]?: Check<C> } = {
  serve: checkServe,
  up: checkUp,
  "printers update": (options) => needsChange(options, ["company", "model"]),
  "filaments update": (options) =>
    needsChange(options, ["type", "color", "total-weight", "remaining-weight"]),
  "events replay": (options) =>
    isSet(options.data) && isSet(options.endpoint)
      ? ["Either --data or --endpoint: a replay has one source."]
      : [],
};

export function check<C extends CommandName>(command: C, options: Partly<C>): readonly string[] {
  return CHECKS[command]?.(options) ?? [];
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function needsChange(
  options: Readonly<Record<string, unknown>>,
  names: readonly string[],
): readonly string[] {
  if (names.some((name) => options[camelCase(name)] !== null)) return [];
  return [`Nothing to change: give one of ${names.map((name) => `--${name}`).join(", ")}.`];
}

function checkServe(options: Partly<"serve">): readonly string[] {
  const { http, id, initialCluster: members, peer } = options;
  const problems: string[] = [];
  if (http !== undefined && http === peer) {
    problems.push(`--http and --peer are the same address, ${http}: a node listens on two.`);
  }
  const own = members?.find((member) => member.id === id);
  if (members !== undefined && id !== undefined && own === undefined) {
    const ids = members.map((member) => member.id).join(", ");
    problems.push(`--id ${id} is not in --initial-cluster, which names ${ids}.`);
  }
  const other = members?.find((member) => member.peer === http);
  if (other !== undefined && http !== peer) {
    const what = `--http ${http} is the address of node ${other.id} in --initial-cluster`;
    problems.push(`${what}: those are the addresses between the nodes.`);
  }
  if (own !== undefined && peer !== undefined && options.advertisePeer !== undefined) {
    problems.push(...checkPeer(own.peer, peer, options.advertisePeer));
  }
  const { leaderWaitMs: wait, requestTimeoutMs: timeout } = options;
  if (wait !== undefined && timeout !== undefined && wait > timeout) {
    problems.push(
      `--leader-wait-ms ${wait} is longer than --request-timeout-ms ${timeout}: no request is left to wait so long.`,
    );
  }
  return problems;
}

/** The others dial what stands in --initial-cluster, and must arrive at this node. */
function checkPeer(entry: string, listen: string, advertised: string | null): readonly string[] {
  if (advertised !== null) {
    if (advertised === entry) return [];
    return [
      `--advertise-peer ${advertised} is not this node's address in --initial-cluster, ${entry}.`,
    ];
  }
  const reached = isWildcard(listen) ? portOf(listen) === portOf(entry) : listen === entry;
  if (reached) return [];
  return [
    `--peer ${listen} is not this node's address in --initial-cluster, ${entry}. If the others reach it there all the same, say so with --advertise-peer ${entry}.`,
  ];
}

function checkUp(options: Partly<"up">): readonly string[] {
  const { nodes, peerPort, port } = options;
  if (nodes === undefined || port === undefined || peerPort === undefined) return [];
  const problems: string[] = [];
  for (const [name, first] of [["port", port] as const, ["peer-port", peerPort] as const]) {
    const last = first + nodes - 1;
    if (last > 65_535) problems.push(`--${name} ${first} leaves no ports for ${nodes} nodes.`);
  }
  if (Math.abs(port - peerPort) < nodes) {
    const apart = `at least ${nodes} apart (up to ${LOCAL_NODES_MAX} nodes take as many ports)`;
    problems.push(`--port ${port} and --peer-port ${peerPort} overlap: they must be ${apart}.`);
  }
  return problems;
}

/**
 * Where others reach this node's HTTP if nobody says: at the host under which its peers reach it.
 */
export function httpAddress(http: string, advertised: string | null, peer: string): string {
  if (advertised !== null) return advertised;
  return isWildcard(http) ? `${hostOf(peer)}:${portOf(http)}` : http;
}
