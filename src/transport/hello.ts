// The words of the handshake: HELLO, WELCOME and REFUSE, each a JSON object in a frame of its own,
// and the checks on them that need no owner. Their form is frozen for every version of the
// protocol, since two nodes must be able to tell each other that they share no version; fields may
// be added, and fields that are not known are passed over.

import { isNodeId, nodeId, type NodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { MESSAGE_CHARS_MAX } from "./payload.ts";
import type { NodeFacts, Purpose, RefusalCode } from "./transport.ts";

const MAGIC = "raft3d";
const TEXT_CHARS_MAX = 256;
const FORMATS_MAX = 64;

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** The versions of the protocol (everything behind the handshake) that this program speaks. */
export const PROTOCOL: VersionRange = { min: 1, max: 1 };

export interface Hello {
  readonly protocol: VersionRange;
  readonly purpose: Purpose;
  readonly to: NodeId;
  readonly facts: NodeFacts;
}

export interface Welcome {
  /** The version that the listener chose. */
  readonly protocol: number;
  readonly facts: NodeFacts;
}

export interface RefuseWords {
  readonly code: string;
  readonly message: string;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

export type Check =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: RefusalCode; readonly message: string };

const PURPOSES: readonly Purpose[] = ["messages", "snapshot", "events"];

// --- Encoding

export function encodeHello(hello: Hello): Uint8Array {
  const { protocol, purpose, to, facts } = hello;
  return encodeJson({
    magic: MAGIC,
    protocol_min: protocol.min,
    protocol_max: protocol.max,
    purpose,
    to,
    ...factsToJson(facts),
  });
}

export function encodeWelcome(welcome: Welcome): Uint8Array {
  return encodeJson({
    magic: MAGIC,
    protocol: welcome.protocol,
    ...factsToJson(welcome.facts),
  });
}

export function encodeRefuse(words: RefuseWords): Uint8Array {
  const message = words.message.slice(0, MESSAGE_CHARS_MAX);
  return encodeJson({ magic: MAGIC, code: words.code, message });
}

function factsToJson(facts: NodeFacts): Record<string, unknown> {
  return {
    cluster: facts.clusterId,
    from: facts.nodeId,
    instance: facts.instance,
    starts: facts.starts,
    founded: facts.founded,
    run: facts.run,
    http: facts.http,
    formats: facts.formats,
  };
}

function encodeJson(value: Record<string, unknown>): Uint8Array {
  return encodeUtf8(JSON.stringify(value));
}

// --- Decoding

/** Thrown and caught in this file only: the first field that is wrong ends the reading. */
class FieldError extends Error {}

export function decodeHello(payload: Uint8Array): Parsed<Hello> {
  return decode(payload, (fields) => {
    const min = fields.count("protocol_min");
    const max = fields.count("protocol_max");
    if (min > max) throw new FieldError("protocol_min is above protocol_max");
    const purpose = PURPOSES.find((known) => known === fields.text("purpose"));
    if (purpose === undefined) throw new FieldError("purpose is not one that is known here");
    return { protocol: { min, max }, purpose, to: fields.node("to"), facts: fields.facts() };
  });
}

export function decodeWelcome(payload: Uint8Array): Parsed<Welcome> {
  return decode(payload, (fields) => ({
    protocol: fields.count("protocol"),
    facts: fields.facts(),
  }));
}

export function decodeRefuse(payload: Uint8Array): Parsed<RefuseWords> {
  return decode(payload, (fields) => ({
    code: fields.text("code"),
    message: fields.text("message", MESSAGE_CHARS_MAX),
  }));
}

function decode<T>(payload: Uint8Array, read: (fields: Fields) => T): Parsed<T> {
  try {
    const fields = new Fields(parseJson(payload));
    if (fields.text("magic") !== MAGIC) throw new FieldError("magic is wrong");
    return { ok: true, value: read(fields) };
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, reason: error.message };
    throw error;
  }
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(payload));
  } catch {
    throw new FieldError("not JSON");
  }
}

/** The fields of a JSON object, read with their types. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FieldError("not a JSON object");
    }
    this.#fields = value as Record<string, unknown>; // An object, as was just found out.
  }

  /** Not what every object inherits: a name like "constructor" is missing like any other. */
  #own(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  text(name: string, charsMax = TEXT_CHARS_MAX): string {
    const value = this.#own(name);
    if (typeof value !== "string" || value.length > charsMax) {
      throw new FieldError(`${name} is not a text of at most ${charsMax} characters`);
    }
    return value;
  }

  count(name: string): number {
    const value = this.#own(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw new FieldError(`${name} is not a count`);
    }
    return value;
  }

  node(name: string): NodeId {
    const value = this.count(name);
    if (!isNodeId(value)) throw new FieldError(`${name} is not a node id`);
    return nodeId(value);
  }

  flag(name: string): boolean {
    const value = this.#own(name);
    if (typeof value !== "boolean") throw new FieldError(`${name} is not true or false`);
    return value;
  }

  formats(name: string): Readonly<Record<string, number>> {
    const versions = new Fields(this.#own(name));
    const names = Object.keys(versions.#fields);
    if (names.length > FORMATS_MAX) throw new FieldError(`${name} are too many`);
    return Object.fromEntries(names.map((format) => [format, versions.count(format)]));
  }

  facts(): NodeFacts {
    return {
      clusterId: this.text("cluster"),
      nodeId: this.node("from"),
      instance: this.text("instance"),
      starts: this.count("starts"),
      founded: this.flag("founded"),
      run: this.text("run"),
      http: this.text("http"),
      formats: this.formats("formats"),
    };
  }
}

// --- Checks

/** What the listener can say about a HELLO by itself; `isPeer` knows the list of peers. */
export function checkHello(hello: Hello, own: NodeFacts, isPeer: (id: NodeId) => boolean): Check {
  const { facts, to } = hello;
  // The cluster first: ids of another cluster mean nothing here.
  const sameCluster = checkCluster(facts, own);
  if (!sameCluster.ok) return sameCluster;
  if (to !== own.nodeId) {
    const message = `this is node ${own.nodeId}, not node ${to}: check the peer addresses`;
    return { ok: false, code: "wrong-node", message };
  }
  if (facts.nodeId === own.nodeId) {
    const message = `node ${own.nodeId} is this one: two processes were started under one id`;
    return { ok: false, code: "same-id-twice", message };
  }
  if (!isPeer(facts.nodeId)) {
    const message = `node ${own.nodeId} knows of no member ${facts.nodeId} in its cluster`;
    return { ok: false, code: "unknown-peer", message };
  }
  return { ok: true };
}

/** What the dialler can say about a WELCOME by itself. */
export function checkWelcome(
  welcome: Welcome,
  own: NodeFacts,
  wanted: NodeId,
  spoken: VersionRange,
): Check {
  const { facts, protocol } = welcome;
  const sameCluster = checkCluster(facts, own);
  if (!sameCluster.ok) return sameCluster;
  if (facts.nodeId !== wanted) {
    const message = `node ${facts.nodeId} answered where node ${wanted} was expected`;
    return { ok: false, code: "wrong-node", message };
  }
  if (protocol < spoken.min || protocol > spoken.max) {
    const message = `version ${protocol} was chosen, which node ${own.nodeId} does not speak`;
    return { ok: false, code: "version", message };
  }
  return { ok: true };
}

function checkCluster(theirs: NodeFacts, own: NodeFacts): Check {
  if (theirs.clusterId === own.clusterId) return { ok: true };
  const here = `node ${own.nodeId} belongs to cluster ${own.clusterId}`;
  const there = `node ${theirs.nodeId} to cluster ${theirs.clusterId}`;
  return { ok: false, code: "wrong-cluster", message: `${here}, ${there}` };
}

/** The newest version that both speak; null if there is none. */
export function chooseProtocol(ours: VersionRange, theirs: VersionRange): number | null {
  const newest = Math.min(ours.max, theirs.max);
  return newest >= Math.max(ours.min, theirs.min) ? newest : null;
}
