// The kinds of value an option may have: how each is read from text, and what to say where it
// cannot be. The same reader serves the command line, the environment, the configuration file and
// the defaults.
//
// A fault completes the sentence "--name VALUE …", so that every problem reads the same way.

import { NODE_ID_MAX, type NodeId, isNodeId } from "../../base/brand.ts";
import { ADDRESS_CHARS_MAX } from "../../base/limits.ts";
import type { Member } from "../../node/print-farm-node.ts";

/** What each kind gives once it is read. */
export interface Values {
  readonly flag: boolean;
  readonly text: string;
  readonly count: number;
  readonly choice: string;
  readonly "node-id": NodeId;
  /** host:port, [v6]:port or :port, where a node listens. */
  readonly listen: string;
  /** host:port that others can dial. */
  readonly address: string;
  readonly members: readonly Member[];
  /** Origins: http://host:port. */
  readonly endpoints: readonly string[];
  /** Texts, comma separated or repeated. */
  readonly list: readonly string[];
}

export type Kind = keyof Values;

/** What a kind has to know besides its name. */
export interface KindRules {
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
}

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly string[] };

type Reader<K extends Kind> = (text: string, rules: KindRules) => Read<Values[K]>;

const READERS: { readonly [K in Kind]: Reader<K> } = {
  flag: readFlag,
  text: (text) => (text === "" ? bad("must not be empty") : good(text)),
  count: readCount,
  choice: (text, { choices = [] }) =>
    choices.includes(text) ? good(text) : bad(`must be one of ${choices.join(", ")}`),
  "node-id": readNodeId,
  listen: (text) => readAddress(text, true),
  address: (text) => readAddress(text, false),
  members: readMembers,
  endpoints: readEndpoints,
  list: (text) => {
    const pieces = text.split(",").map((piece) => piece.trim());
    return pieces.includes("") ? bad("must not have empty parts") : good(pieces);
  },
};

export function readValue(kind: Kind, text: string, rules: KindRules): Read<Values[Kind]> {
  return READERS[kind](text, rules);
}

/** Kinds that may be given more than once: what is given adds up. */
export function isRepeatable(kind: Kind): boolean {
  return kind === "endpoints" || kind === "list";
}

function good<T>(value: T): Read<T> {
  return { ok: true, value };
}

function bad(...faults: readonly string[]): Read<never> {
  return { ok: false, faults };
}

function readFlag(text: string): Read<boolean> {
  if (text === "true" || text === "1") return good(true);
  return text === "false" || text === "0" ? good(false) : bad("must be true or false");
}

function readCount(text: string, rules: KindRules): Read<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = rules;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return good(value);
  const upper = max === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : String(max);
  return bad(`must be a whole number from ${min} to ${upper}`);
}

function readNodeId(text: string): Read<NodeId> {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return isNodeId(value) ? good(value) : bad(`must be a node id, 1 to ${NODE_ID_MAX}`);
}

const HOST = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\])$/;
const WILDCARDS: readonly string[] = ["", "0.0.0.0", "[::]"];

/**
 * The host of an address that was read; "" and the wildcards stand for every address of the
 * machine.
 */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** Whether an address means "every address of this machine", which nobody can dial. */
export function isWildcard(address: string): boolean {
  return WILDCARDS.includes(hostOf(address));
}

function readAddress(text: string, listens: boolean): Read<string> {
  const form = listens ? "host:port, [v6]:port or :port" : "host:port or [v6]:port";
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, Math.max(0, colon));
  const port = text.slice(colon + 1);
  const hostIsGood = HOST.test(host) || (listens && host === "");
  if (colon < 0 || !hostIsGood || text.length > ADDRESS_CHARS_MAX || !/^\d{1,5}$/.test(port)) {
    return bad(`must be an address, ${form}`);
  }
  if (Number(port) < 1 || Number(port) > 65_535) return bad("must have a port from 1 to 65535");
  if (!listens && WILDCARDS.includes(host)) {
    return bad(`must be an address that others can dial, and nobody can dial ${host}`);
  }
  return good(`${host.toLowerCase()}:${Number(port)}`);
}

function readMembers(text: string): Read<readonly Member[]> {
  const members: Member[] = [];
  const faults: string[] = [];
  for (const piece of text.split(",").map((part) => part.trim())) {
    const equals = piece.indexOf("=");
    const id = readNodeId(piece.slice(0, Math.max(0, equals)));
    const peer = readAddress(piece.slice(equals + 1), false);
    if (equals < 0) faults.push(`must be a list of ID=host:port; "${piece}" is not of that form`);
    else if (!id.ok) faults.push(`names "${piece}", whose id ${id.faults.join(", ")}`);
    else if (!peer.ok) faults.push(`names "${piece}", whose address ${peer.faults.join(", ")}`);
    else members.push({ id: id.value, peer: peer.value });
  }
  faults.push(
    ...repeated(
      members.map((member) => String(member.id)),
      "the id",
    ),
  );
  faults.push(
    ...repeated(
      members.map((member) => member.peer),
      "the address",
    ),
  );
  return faults.length === 0 ? good(members) : bad(...faults);
}

function repeated(values: readonly string[], what: string): readonly string[] {
  const again = values.filter((value, at) => values.indexOf(value) !== at);
  return [...new Set(again)].map((value) => `names ${what} ${value} more than once`);
}

function readEndpoints(text: string): Read<readonly string[]> {
  const endpoints: string[] = [];
  const faults: string[] = [];
  for (const piece of text.split(",").map((part) => part.trim())) {
    const withScheme = piece.includes("://") ? piece : `http://${piece}`;
    const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
    if (url === null || url.hostname === "" || url.username !== "" || url.password !== "") {
      faults.push(`must be http://host:port; "${piece}" is not`);
    } else if (url.protocol !== "http:") {
      faults.push(`must begin with http://; this version does not speak ${url.protocol}//`);
    } else if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
      faults.push(`must have nothing behind the port; "${piece}" has`);
    } else {
      endpoints.push(url.origin);
    }
  }
  return faults.length === 0 ? good(endpoints) : bad(...faults);
}
