// Who refused whom, and why. A wrong configuration is met again with every attempt to connect:
// people and the owner are told when the reason changes, not each time.

import type { NodeId } from "../base/brand.ts";
import type { Logger } from "../env/logger.ts";
import type { Refusal } from "./transport.ts";

/** Anybody may claim any id, so the book is bounded; the oldest entry goes. */
const ENTRIES_MAX = 256;

export type Side = "dialled" | "accepted";

export class RefusalBook {
  readonly #logger: Logger;
  readonly #report: (peer: NodeId, refusal: Refusal) => void;
  readonly #entries = new Map<string, Refusal>();
  readonly #strangerReasons = new Set<string>();

  constructor(logger: Logger, report: (peer: NodeId, refusal: Refusal) => void) {
    this.#logger = logger;
    this.#report = report;
  }

  /** A connection that this node dialled, or accepted, was refused. */
  refused(side: Side, peer: NodeId, refusal: Refusal): void {
    const key = `${side} ${peer}`;
    const before = this.#entries.get(key);
    this.#entries.delete(key); // And in again at the end: the order is that of the last refusal.
    this.#entries.set(key, refusal);
    if (this.#entries.size > ENTRIES_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    if (before !== undefined && isSame(before, refusal)) return;
    const { by, code, message } = refusal;
    this.#logger.warn("connection refused", { peer, side, by, code, reason: message });
    this.#report(peer, refusal);
  }

  /** The two came to terms: the next refusal is news again. */
  settled(side: Side, peer: NodeId): void {
    this.#entries.delete(`${side} ${peer}`);
  }

  /** Why there is no connection to the peer, if it was refused. */
  dialled(peer: NodeId): Refusal | null {
    return this.#entries.get(`dialled ${peer}`) ?? null;
  }

  /** Somebody connected who does not speak this protocol, or does not speak at all. */
  stranger(remote: string, reason: string): void {
    if (this.#strangerReasons.has(reason)) return;
    if (this.#strangerReasons.size >= ENTRIES_MAX) this.#strangerReasons.clear();
    this.#strangerReasons.add(reason);
    this.#logger.info("connection by a stranger", { remote, reason });
  }
}

function isSame(a: Refusal, b: Refusal): boolean {
  return a.by === b.by && a.code === b.code && a.message === b.message;
}
