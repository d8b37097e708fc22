// Committed entries that this replica has not applied yet. The code that applies an entry is dear when it has not
// run for a moment (docs/benchmarks.md, "What the limit is"), and at a node whose own clients wait for nothing it
// would run after each commit, for a few entries. There they gather for a moment and are applied together. Raft
// depends on no moment: with asynchronous storage writes it is told when entries are applied (etcd raft doc.go).

import { APPLIED_TOGETHER_BYTES_MAX, APPLIED_TOGETHER_MAX } from "../base/limits.ts";
import { type ApplyWork, ENTRY_NORMAL, type Entry } from "../raft/messages.ts";

export class Backlog {
  #entries: readonly Entry[] = [];
  #bytes = 0;
  #ticket = 0;
  #changesMembers = false;

  /** Work of the core, in the order in which it was handed out. */
  add(work: ApplyWork): void {
    this.#entries = this.isEmpty ? work.entries : [...this.#entries, ...work.entries];
    this.#ticket = work.ticket;
    for (const { data, type } of work.entries) {
      this.#bytes += data.length;
      if (type !== ENTRY_NORMAL) this.#changesMembers = true;
    }
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether it is enough for once, or holds what is never put off: a change of the members. */
  get isDue(): boolean {
    return (
      this.#changesMembers ||
      this.#entries.length >= APPLIED_TOGETHER_MAX ||
      this.#bytes >= APPLIED_TOGETHER_BYTES_MAX
    );
  }

  /** Takes all of it out, as one piece of work; null if there is none. */
  take(): ApplyWork | null {
    if (this.isEmpty) return null;
    const work = { ticket: this.#ticket, entries: this.#entries };
    this.#entries = [];
    this.#bytes = 0;
    this.#changesMembers = false;
    return work;
  }
}
