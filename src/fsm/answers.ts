// The answers to commands that came with an Idempotency-Key, so that a client that tries again gets
// the first answer again, from any node, after a failover, a restart or a snapshot.
//
// A key stands for one request, which its fingerprint identifies. Refusals are remembered as well:
// the same request must not be refused first and carried out the second time because the farm has
// changed. A key used for another request is refused, and that refusal is not remembered.
//
// The table is bounded: when one more comes, the oldest goes. The bound decides which keys are
// known, so it belongs to the replicated state: it is fixed when the cluster is founded and travels
// in the snapshots, and two nodes of different builds cannot disagree about it.

import { assert } from "../base/assert.ts";
import type { Reply } from "./reply.ts";
import type { TablePicture } from "./table.ts";
import { RowTable } from "./table.ts";

/** An answer as a row of a table, which keeps the order and takes pictures for snapshots. */
export interface Answer {
  /** The Idempotency-Key. */
  readonly id: string;
  /** Log index of the command that was answered. */
  readonly created_index: number;
  readonly fingerprint: string;
  readonly reply: Reply;
}

export type Recall =
  | { readonly kind: "unknown" }
  | { readonly kind: "replay"; readonly reply: Reply }
  | { readonly kind: "reused" };

const UNKNOWN: Recall = { kind: "unknown" };
const REUSED: Recall = { kind: "reused" };

export class Answers {
  readonly max: number;
  readonly #table = new RowTable<Answer>();

  constructor(max: number) {
    assert(Number.isSafeInteger(max) && max > 0, () => `room for ${max} answers`);
    this.max = max;
  }

  get size(): number {
    return this.#table.size;
  }

  /** What is known of a key. Changes nothing: a replay does not make an answer younger. */
  recall(key: string, fingerprint: string): Recall {
    const answer = this.#table.get(key);
    if (answer === undefined) return UNKNOWN;
    return answer.fingerprint === fingerprint ? { kind: "replay", reply: answer.reply } : REUSED;
  }

  /**
   * Remembers the answer to a key that is unknown, and forgets the oldest if there are too many.
   */
  remember(answer: Answer): void {
    if (this.#table.size === this.max) {
      const oldest = this.#table.first();
      assert(oldest !== undefined, "a full table has an oldest answer");
      this.#table.remove(oldest.id);
    }
    this.#table.insert(answer);
  }

  view(): TablePicture<Answer> {
    return this.#table.view();
  }
}
