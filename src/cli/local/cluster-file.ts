// What `up` remembers of a cluster between two runs, in cluster.json beside the nodes' folders. The
// addresses between the nodes and the token are the cluster's identity: started with others, its
// nodes would take their own data for a stranger's.

import { decodeUtf8, encodeUtf8 } from "../../base/bytes.ts";
import { type Disk, readWhole, replaceWhole } from "../../env/disk.ts";
import { type Random, randomHex } from "../../env/random.ts";
import { Failure, USAGE } from "../failure.ts";
import { isObject, prettyJson } from "../json.ts";

const FILE = "cluster.json";
const FORMAT = 1;

export interface ClusterFacts {
  readonly nodes: number;
  readonly peerPort: number;
  /** Drawn when the cluster is made, so that two clusters on the same ports never mix. */
  readonly token: string;
}

/** The facts of the cluster in this folder; a folder without one gets them as wanted. */
export async function openClusterFile(
  disk: Disk,
  random: Random,
  wanted: { readonly nodes: number; readonly peerPort: number },
): Promise<ClusterFacts> {
  const bytes = await readWhole(disk, FILE);
  if (bytes === null) return create(disk, random, wanted);
  const facts = parse(bytes);
  if (facts === null) {
    throw new Failure(
      `${disk.root}/${FILE} is not what \`raft3d up\` wrote there, so it is not clear which cluster this is. Put it back, or choose another --data.`,
    );
  }
  if (facts.nodes !== wanted.nodes || facts.peerPort !== wanted.peerPort) {
    throw new Failure(
      `${disk.root} holds a cluster of ${facts.nodes} with its peers on ports from ${facts.peerPort}, which is not what was asked for.\nStart it with --nodes ${facts.nodes} --peer-port ${facts.peerPort}, or choose another --data for a new one.`,
      USAGE,
    );
  }
  return facts;
}

async function create(
  disk: Disk,
  random: Random,
  wanted: { readonly nodes: number; readonly peerPort: number },
): Promise<ClusterFacts> {
  await disk.makeFolder("");
  // Nodes without the file: made by hand, or the file was lost. With a fresh token they would
  // refuse their own data, and that message would not name the cause.
  const names = await disk.list("");
  const nodes = names.filter((name) => /^node-\d+$/.test(name));
  if (nodes.length > 0) {
    throw new Failure(
      `${disk.root} holds ${nodes.join(", ")} but no ${FILE}, so it is not clear which cluster they are of. Choose another --data.`,
    );
  }
  const facts = { ...wanted, token: `up-${randomHex(random, 8)}` };
  const { nodes: count, peerPort, token } = facts;
  const text = prettyJson({ format: FORMAT, nodes: count, peer_port: peerPort, token });
  await replaceWhole(disk, FILE, encodeUtf8(text));
  return facts;
}

function parse(bytes: Uint8Array): ClusterFacts | null {
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes));
    if (!isObject(value) || value["format"] !== FORMAT) return null;
    const { nodes, peer_port: peerPort, token } = value;
    if (typeof nodes !== "number" || typeof peerPort !== "number") return null;
    return typeof token === "string" ? { nodes, peerPort, token } : null;
  } catch {
    return null; // neither UTF-8 nor JSON
  }
}
