// Log Matching (thesis §3.5): if two logs hold an entry with the same index and term, they hold the same
// entries up to there. Checked at every entry that a core hands out to be written, committed or not, and at
// every one that a node found on its disk and hands to its core: an index and a term must stand for one
// entry, and for one term of the entry before.

import type { NodeId } from "../base/brand.ts";
import { crc32 } from "../base/hash.ts";
import { ByteReader } from "../base/bytes.ts";
import type { Ready } from "../raft/messages.ts";
import { readSpan } from "../storage/wal/entries.ts";

interface Place {
  readonly index: number;
  readonly term: number;
}

/** An entry as the first node that had it held it. */
interface Known {
  readonly node: NodeId;
  /** Of all of it, its type too. */
  readonly content: number;
  /** The term of the entry before. */
  readonly before: number;
}

export class LogMatching {
  /** By "index/term". */
  readonly #known = new Map<string, Known>();
  /** By node: the term of each entry of its log. */
  readonly #logs = new Map<NodeId, LogTerms>();

  /** Different entries seen so far, on any node. */
  get entries(): number {
    return this.#known.size;
  }

  /** A process begins with a log that ends here; whatever else its disk holds is loaded next. */
  opened(node: NodeId, base: Place): void {
    this.#logs.set(node, new LogTerms(base));
  }

  /** What is wrong with a block of entries that a node read from its disk; null if nothing. */
  loaded(node: NodeId, block: Uint8Array): string | null {
    return this.#check(node, block);
  }

  /** What is wrong with the entries that a core wants written; null if nothing. */
  ready(node: NodeId, { append }: Ready): string | null {
    if (append === null) return null;
    // A snapshot takes the place of everything.
    if (append.snapshot !== null) this.opened(node, append.snapshot);
    return append.entryCount === 0 ? null : this.#check(node, append.entries);
  }

  #check(node: NodeId, block: Uint8Array): string | null {
    const log = this.#logs.get(node);
    if (log === undefined) return `node ${node} has entries before it has a log`;
    const { entries } = readSpan(new ByteReader(block), block);
    for (const { at, bytes, index, term } of entries) {
      const before = log.add({ index, term });
      if (before === null) return `node ${node} holds entry ${index} behind a hole`;
      const content = crc32(block.subarray(at, at + bytes));
      const key = `${index}/${term}`;
      const known = this.#known.get(key);
      if (known === undefined) this.#known.set(key, { node, content, before });
      else if (known.content !== content || known.before !== before) {
        return `nodes ${known.node} and ${node} hold different entries at ${key}`;
      }
    }
    return null;
  }
}

/** The terms of a log's entries; the first is of the entry before its first. */
class LogTerms {
  readonly #first: number;
  readonly #terms: number[];

  constructor({ index, term }: Place) {
    this.#first = index;
    this.#terms = [term];
  }

  /** Puts an entry in the place of those from its index on, and gives the term before it; null: a hole. */
  add({ index, term }: Place): number | null {
    const at = index - this.#first;
    const before = this.#terms[at - 1];
    if (before === undefined) return null;
    this.#terms.length = at;
    this.#terms.push(term);
    return before;
  }
}
