// node.json: who this data folder belongs to, and what the node remembers of itself and its peers apart
// from the log. `instance` is drawn when the folder is made and `starts` counts up at every start, so
// that peers can tell an emptied or rolled-back folder from the one they know.
//
// The file is replaced as a whole and carries a checksum over its own text: a folder whose identity
// cannot be believed is refused.

import { assert } from "../base/assert.ts";
import { type NodeId, isNodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8, hex32 } from "../base/bytes.ts";
import { crc32 } from "../base/hash.ts";
import { type Disk, readWhole, replaceWhole } from "../env/disk.ts";
import { type Random, randomHex } from "../env/random.ts";
import {
  ClusterMismatchError,
  CorruptionError,
  NodeMismatchError,
  UnknownFormatError,
} from "./errors.ts";
import { NODE_FILE } from "./names.ts";

const FORMAT = 1;
const INSTANCE_BYTES = 8;
const CRC_FIELD = /,\n {2}"crc": "([0-9a-f]{8})"\n\}\n$/;

/** What a node remembers of another. */
export interface PeerFacts {
  readonly instance: string;
  readonly starts: number;
  /** Drawn by the process of that start: no other process may claim the same start. */
  readonly run: string;
}

export interface NodeFileFacts {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** 16 hexadecimal digits, drawn when the folder was made. */
  readonly instance: string;
  /** How often a node was started on this folder, this time included. */
  readonly starts: number;
  /** Whether the log was made: from then on its absence is a loss. */
  readonly founded: boolean;
  readonly peers: ReadonlyMap<NodeId, PeerFacts>;
}

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

export class NodeFile {
  readonly #disk: Disk;
  #facts: NodeFileFacts;
  #written: Promise<void> = Promise.resolve();

  private constructor(disk: Disk, facts: NodeFileFacts) {
    this.#disk = disk;
    this.#facts = facts;
  }

  /** Null if there is none. Throws if it is damaged, of another format, or somebody else's. */
  static async open(disk: Disk, who: Identity): Promise<NodeFile | null> {
    const bytes = await readWhole(disk, NODE_FILE);
    if (bytes === null) return null;
    const facts = decodeFacts(disk, bytes);
    if (facts.clusterId !== who.clusterId) {
      throw new ClusterMismatchError(disk, NODE_FILE, who.clusterId, facts.clusterId);
    }
    if (facts.nodeId !== who.nodeId) {
      throw new NodeMismatchError(disk, NODE_FILE, who.nodeId, facts.nodeId);
    }
    return new NodeFile(disk, facts);
  }

  /** Makes the file in a folder that has none, durably. */
  static async create(disk: Disk, random: Random, who: Identity): Promise<NodeFile> {
    assert((await disk.stat(NODE_FILE)) === null, "there is a node.json already");
    const instance = randomHex(random, INSTANCE_BYTES);
    const facts = { ...who, instance, starts: 0, founded: false, peers: new Map() };
    const file = new NodeFile(disk, facts);
    await file.#write();
    return file;
  }

  /** As last changed, durable or not yet. */
  get facts(): NodeFileFacts {
    return this.#facts;
  }

  /** Counts a start. Must be durable before this start says anything to anybody. */
  countStart(): Promise<void> {
    this.#facts = { ...this.#facts, starts: this.#facts.starts + 1 };
    return this.#write();
  }

  /** Notes that the log exists. */
  markFounded(): Promise<void> {
    this.#facts = { ...this.#facts, founded: true };
    return this.#write();
  }

  /** Remembers what a peer said of itself. */
  recordPeer(id: NodeId, facts: PeerFacts): Promise<void> {
    const { instance, starts, run } = facts;
    const peers = new Map(this.#facts.peers).set(id, { instance, starts, run });
    this.#facts = { ...this.#facts, peers };
    return this.#write();
  }

  /** Resolves when what is known now is durable. Writes follow one another; a failure ends them all. */
  #write(): Promise<void> {
    const bytes = encodeFacts(this.#facts);
    this.#written = this.#written.then(() => replaceWhole(this.#disk, NODE_FILE, bytes));
    return this.#written;
  }
}

function encodeFacts(facts: NodeFileFacts): Uint8Array {
  const ids = [...facts.peers.keys()].toSorted((a, b) => a - b);
  const fields = {
    format: FORMAT,
    cluster_id: facts.clusterId,
    node_id: facts.nodeId,
    instance: facts.instance,
    starts: facts.starts,
    founded: facts.founded,
    peers: Object.fromEntries(ids.map((id) => [id, facts.peers.get(id)])),
  };
  const body = JSON.stringify(fields, null, 2).slice(0, -"\n}".length);
  return encodeUtf8(`${body},\n  "crc": "${hex32(crc32(body))}"\n}\n`);
}

function decodeFacts(disk: Disk, bytes: Uint8Array): NodeFileFacts {
  const fields = parse(disk, bytes);
  // Every format keeps the checksum as it is: only what matches it is believed about its format.
  const text = decodeUtf8(bytes);
  const crc = CRC_FIELD.exec(text);
  if (crc === null || crc[1] !== hex32(crc32(text.slice(0, crc.index)))) {
    throw new CorruptionError(disk, NODE_FILE, 0, "the text does not match its checksum");
  }
  const { format } = fields;
  if (typeof format === "number" && format !== FORMAT) {
    throw new UnknownFormatError(disk, NODE_FILE, format, FORMAT);
  }
  const facts = readFacts(fields);
  if (facts === null) throw new CorruptionError(disk, NODE_FILE, 0, "a field is missing or wrong");
  return facts;
}

type Fields = Readonly<Record<string, unknown>>;

function parse(disk: Disk, bytes: Uint8Array): Fields {
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes));
    if (isFields(value)) return value;
  } catch {
    // Neither UTF-8 nor JSON: said below.
  }
  throw new CorruptionError(disk, NODE_FILE, 0, "this is not a JSON object");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readFacts(fields: Fields): NodeFileFacts | null {
  const { cluster_id: clusterId, node_id: id, founded, peers } = fields;
  const own = readStarts(fields);
  if (typeof clusterId !== "string" || typeof id !== "number" || !isNodeId(id)) return null;
  if (own === null || typeof founded !== "boolean" || !isFields(peers)) return null;
  const known = new Map<NodeId, PeerFacts>();
  for (const [name, value] of Object.entries(peers)) {
    const peer = Number(name);
    const facts = isFields(value) ? readPeer(value) : null;
    if (!isNodeId(peer) || facts === null) return null;
    known.set(peer, facts);
  }
  return { clusterId, nodeId: id, ...own, founded, peers: known };
}

function readPeer(fields: Fields): PeerFacts | null {
  const counted = readStarts(fields);
  const { run } = fields;
  return counted === null || typeof run !== "string" ? null : { ...counted, run };
}

function readStarts(fields: Fields): Pick<PeerFacts, "instance" | "starts"> | null {
  const { instance, starts } = fields;
  if (typeof instance !== "string" || typeof starts !== "number") return null;
  return Number.isSafeInteger(starts) && starts >= 0 ? { instance, starts } : null;
}
