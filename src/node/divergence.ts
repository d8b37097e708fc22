// Nodes compare what they hold. Every replica that has applied the same entries must hold the same state;
// if a bug, a flipped bit in memory or two versions of the program make one differ, that must be noticed
// before its answers are believed (etcd's post-mortem of 3.5: nothing compared, for a year).
//
// Each node keeps its hashes at indexes every node stops by, tells them to the others now and then, and
// compares. The one that differs from a majority of the cluster at one index is the odd one out, and
// stops serving.

import type { NodeId } from "../base/brand.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { MachineHashes } from "../fsm/machine.ts";

/** Hashes are kept at multiples of this many entries. */
export const CHECKPOINT_ENTRIES = 256;
/** Checkpoints remembered, own and others'. */
const CHECKPOINTS_KEPT = 64;
/**
 * First byte of a report. A raft message is a protobuf whose first byte is 0x08 (the field `type`, which
 * raft always sets), so the two share one stream without a wrapper.
 */
export const REPORT_TAG = 0;
const REPORT_VERSION = 1;

/** Whether a replica's hashes at this index are to be noted. */
export function isCheckpoint(index: number): boolean {
  return index % CHECKPOINT_ENTRIES === 0;
}

export interface Finding {
  readonly index: number;
  readonly mine: string;
  /** Nodes whose hash at that index differs from this node's. */
  readonly different: readonly NodeId[];
  /** True if a majority of the cluster agrees on another hash than this node's. */
  readonly oddOneOut: boolean;
}

export class Divergence {
  readonly #id: NodeId;
  readonly #byIndex = new Map<number, Map<NodeId, string>>(); // oldest checkpoint first
  #newest: MachineHashes | null = null;

  constructor(id: NodeId) {
    this.#id = id;
  }

  /** Notes this node's own hashes at a checkpoint. */
  note(hashes: MachineHashes, clusterSize: number): Finding | null {
    this.#newest = hashes;
    this.#put(hashes.index, this.#id, `${hashes.chain}/${hashes.farm}`);
    return this.#compare(hashes.index, clusterSize);
  }

  /** What to tell the others; null if there is nothing yet. */
  report(): Uint8Array | null {
    if (this.#newest === null) return null;
    const { index, chain, farm } = this.#newest;
    return new ByteWriter(64)
      .u8(REPORT_TAG)
      .u8(REPORT_VERSION)
      .u64(index)
      .text(chain)
      .text(farm)
      .take();
  }

  /** Takes another node's report. One of an unknown version says nothing that could be compared. */
  hear(from: NodeId, bytes: Uint8Array, clusterSize: number): Finding | null {
    const reader = new ByteReader(bytes, 1);
    if (reader.u8() !== REPORT_VERSION) return null;
    const index = reader.u64();
    this.#put(index, from, `${reader.text()}/${reader.text()}`);
    return this.#compare(index, clusterSize);
  }

  #put(index: number, node: NodeId, hash: string): void {
    const at = this.#byIndex.get(index) ?? new Map<NodeId, string>();
    at.set(node, hash);
    this.#byIndex.set(index, at);
    while (this.#byIndex.size > CHECKPOINTS_KEPT) {
      const oldest = Math.min(...this.#byIndex.keys());
      this.#byIndex.delete(oldest);
    }
  }

  #compare(index: number, clusterSize: number): Finding | null {
    const at = this.#byIndex.get(index);
    const mine = at?.get(this.#id);
    if (at === undefined || mine === undefined) return null;
    const different = [...at].filter(([, hash]) => hash !== mine);
    if (different.length === 0) return null;
    const votes = new Map<string, number>();
    for (const [, hash] of different) votes.set(hash, (votes.get(hash) ?? 0) + 1);
    const oddOneOut = Math.max(...votes.values()) > clusterSize / 2;
    return { index, mine, different: different.map(([node]) => node), oddOneOut };
  }
}
