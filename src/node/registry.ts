// Who the other nodes are, and whether a node that introduces itself may be believed.
//
// A Raft node must never come back having forgotten what it acknowledged (DESIGN, safety rule 8). So each
// node remembers of every other the instance drawn when its data directory was made, and how often it
// was started. An emptied directory shows itself by another instance, one restored from a backup by
// fewer starts or by another process under a start that is known, and so does a copied one.
//
// For that to hold from the first day, a new cluster is founded once, with every founder present: a node
// takes no part in the consensus before it has seen and written down all of them. Without this rule
// three founders could elect a leader two at a time, and a founder that was emptied in between could
// form a majority with one that never knew it.

import type { NodeId } from "../base/brand.ts";
import type { Logger } from "../env/logger.ts";
import type { Admission, Introduction, NodeFacts, RefusalCode } from "../transport/transport.ts";

/** What is kept of a peer, durably. */
export interface KnownPeer {
  readonly instance: string;
  readonly starts: number;
  /** The process of that start. */
  readonly run: string;
}

/** Where it is kept: node.json. */
export interface PeerBook {
  readonly founded: boolean;
  peer(id: NodeId): KnownPeer | null;
  /** Durable when it resolves. */
  recordPeer(id: NodeId, known: KnownPeer): Promise<void>;
}

export class Registry {
  readonly #book: PeerBook;
  readonly #others: ReadonlySet<NodeId>;
  readonly #logger: Logger;
  readonly #onComplete: () => void;
  #writes: Promise<unknown> = Promise.resolve();

  /** `onComplete` is called when every founder is known: at once, or by the admission of the last. */
  constructor(options: {
    readonly book: PeerBook;
    readonly others: readonly NodeId[];
    readonly logger: Logger;
    readonly onComplete: () => void;
  }) {
    this.#book = options.book;
    this.#others = new Set(options.others);
    this.#logger = options.logger;
    this.#onComplete = options.onComplete;
  }

  /** The founders this node has not met yet. */
  missing(): readonly NodeId[] {
    return [...this.#others].filter((id) => this.#book.peer(id) === null);
  }

  async admit(introduction: Introduction): Promise<Admission> {
    const { facts } = introduction;
    // One at a time: each admission reads what the one before it wrote.
    const admission = this.#writes.then(() => this.#admit(facts));
    this.#writes = admission.catch(() => undefined); // the failure reaches the caller below
    return admission;
  }

  async #admit(facts: NodeFacts): Promise<Admission> {
    const refusal = this.#judge(facts);
    if (refusal !== null) return { ok: false, ...refusal };
    const known = this.#book.peer(facts.nodeId);
    if (known === null || known.starts < facts.starts) {
      const { instance, starts, run } = facts;
      await this.#book.recordPeer(facts.nodeId, { instance, starts, run });
    }
    if (known === null) {
      this.#logger.info("met a founder for the first time", { peer: facts.nodeId });
      if (this.missing().length === 0) this.#onComplete();
    }
    return { ok: true };
  }

  #judge(facts: NodeFacts): { readonly code: RefusalCode; readonly message: string } | null {
    const id = facts.nodeId;
    const known = this.#book.peer(id);
    if (!this.#others.has(id) || (known === null && this.#book.founded)) {
      return { code: "unknown-peer", message: `node ${id} is not a member of this cluster` };
    }
    if (known === null) return null;
    if (known.instance !== facts.instance) {
      return {
        code: "data-replaced",
        message:
          `this cluster knows node ${id} with another data directory: its directory was emptied or ` +
          `replaced, and a node that has forgotten what it acknowledged must not come back under the ` +
          `same id. Bring the old directory back, or see docs/operations.md, "A node that lost its data"`,
      };
    }
    if (facts.starts < known.starts) {
      return {
        code: "data-rolled-back",
        message:
          `node ${id} was started ${known.starts} times before, and says ${facts.starts}: its data ` +
          `directory was put back to an earlier state (a backup, a snapshot of the machine). See ` +
          `docs/operations.md, "A node that lost its data"`,
      };
    }
    if (facts.starts === known.starts && known.run !== facts.run) {
      return {
        code: "same-id-twice",
        message:
          `start ${facts.starts} of node ${id} was another process: there are two copies of its data ` +
          `directory, or it was put back to an earlier state. Only the newest may go on; see ` +
          `docs/operations.md, "A node that lost its data"`,
      };
    }
    return null;
  }
}
