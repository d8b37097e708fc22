// Log Matching (thesis §3.5): if two logs hold an entry with the same index and term, they hold the same
// entries up to there. Checked at every entry that a core hands out to be written, committed or not: an
// index and a term must stand for one content, and for one term of the entry before.

import { must } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { crc32 } from "../base/hash.ts";
import { ByteReader } from "../base/bytes.ts";
import type { Ready } from "../raft/messages.ts";
import { entryData, readSpan } from "../storage/wal/entries.ts";

interface Known {
  readonly node: NodeId;
  readonly content: number;
  /** Null where the first node to write the entry did not know it. */
  before: number | null;
}

export class LogMatching {
  /** By "index/term". */
  readonly #known = new Map<string, Known>();
  /** By node: the term of each entry of its log. */
  readonly #terms = new Map<NodeId, Map<number, number>>();

  /** A process that starts may have lost what it had not synced. */
  forget(node: NodeId): void {
    this.#terms.delete(node);
  }

  /** What is wrong with the entries that a core wants written; null if nothing. */
  check(node: NodeId, ready: Ready): string | null {
    const { append } = ready;
    if (append === null) return null;
    let terms = this.#terms.get(node) ?? new Map<number, number>();
    // A snapshot takes the place of everything.
    const { snapshot } = append;
    if (snapshot !== null) terms = new Map([[snapshot.index, snapshot.term]]);
    this.#terms.set(node, terms);
    if (append.entryCount === 0) return null;
    const span = readSpan(new ByteReader(append.entries), append.entries);
    for (const entry of span.entries) {
      const { index, term } = entry;
      const content = crc32(entryData(span, entry));
      const before = terms.get(index - 1) ?? null;
      terms.set(index, term);
      const key = `${index}/${term}`;
      const known = this.#known.get(key);
      if (known === undefined) {
        this.#known.set(key, { node, content, before });
        continue;
      }
      known.before ??= before;
      const same =
        known.content === content && (before === null || must(known.before, "term") === before);
      if (!same) return `nodes ${known.node} and ${node} hold different entries at ${key}`;
    }
    return null;
  }
}
