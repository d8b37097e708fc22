// What a batch holds: the hard state first, then snapshot marks and blocks of entries in the order in
// which they happened.

import { AssertionError, assert } from "../../base/assert.ts";
import { ByteReader, ByteWriter, ShortInputError } from "../../base/bytes.ts";
import { type ConfState, decodeConfState, encodeConfState } from "../conf-state.ts";
import { type EntrySpan, readSpan } from "./entries.ts";

export interface HardState {
  readonly term: number;
  /** The node voted for in this term; 0 for none. */
  readonly vote: number;
  readonly commit: number;
}

/**
 * founding: the state a cluster begins with; there is no snapshot file. installed: a snapshot from the
 * leader took the place of all entries. local: this node wrote a snapshot of its own state.
 */
type MarkKind = "founding" | "installed" | "local";

/** The log's word that the state at this index is safe on the disk, and may be started from. */
export interface SnapshotMark {
  readonly kind: MarkKind;
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** `marks` with one more, oldest first and each index once. */
export function withMark(
  marks: readonly SnapshotMark[],
  mark: SnapshotMark,
): readonly SnapshotMark[] {
  const others = marks.filter((one) => one.index !== mark.index);
  return [...others, mark].sort((a, b) => a.index - b.index);
}

export type Item =
  | { readonly kind: "hard-state"; readonly hardState: HardState }
  /** `carried`: repeated at the start of a segment; it says nothing new and drops no entries. */
  | { readonly kind: "mark"; readonly mark: SnapshotMark; readonly carried: boolean }
  | { readonly kind: "entries"; readonly span: EntrySpan };

const TAG_HARD_STATE = 1;
const TAG_MARK = 2;
const TAG_ENTRIES = 3;

const MARK_CODES = { founding: 1, installed: 2, local: 3 } as const satisfies Record<
  MarkKind,
  number
>;
const MARK_KINDS: readonly (MarkKind | undefined)[] = [undefined, "founding", "installed", "local"];

export const HARD_STATE_BYTES = 1 + 3 * 8;

export function writeHardState(writer: ByteWriter, hardState: HardState): void {
  writer.u8(TAG_HARD_STATE).u64(hardState.term).u64(hardState.vote).u64(hardState.commit);
}

export function writeMark(writer: ByteWriter, mark: SnapshotMark, carried: boolean): void {
  writer
    .u8(TAG_MARK)
    .u8(MARK_CODES[mark.kind])
    .u8(carried ? 1 : 0);
  writer.u64(mark.index).u64(mark.term);
  encodeConfState(writer, mark.confState);
}

/** Bytes `writeMark` will write. */
export function markBytes(mark: SnapshotMark): number {
  const writer = new ByteWriter();
  writeMark(writer, mark, false);
  return writer.length;
}

export function writeEntries(writer: ByteWriter, block: Uint8Array): void {
  writer.u8(TAG_ENTRIES).raw(block);
}

/** The items of a payload that matched its checksum; a text saying why if they cannot be read. */
export function readItems(payload: Uint8Array): readonly Item[] | string {
  try {
    const reader = new ByteReader(payload);
    const items: Item[] = [];
    while (reader.left > 0) items.push(readItem(reader, payload));
    if (items[0]?.kind !== "hard-state") return "a batch does not begin with a hard state";
    return items;
  } catch (thrown) {
    // The checksum held, so this is a form that no version wrote: report it as what it is, damage.
    if (thrown instanceof ShortInputError || thrown instanceof AssertionError) {
      return `a batch cannot be read (${thrown.message})`;
    }
    throw thrown;
  }
}

function readItem(reader: ByteReader, payload: Uint8Array): Item {
  const tag = reader.u8();
  switch (tag) {
    case TAG_HARD_STATE:
      return {
        kind: "hard-state",
        hardState: { term: reader.u64(), vote: reader.u64(), commit: reader.u64() },
      };
    case TAG_MARK: {
      const kind = MARK_KINDS[reader.u8()];
      assert(kind !== undefined, "unknown kind of mark");
      const carried = reader.u8();
      assert(carried <= 1, "a mark is carried or not");
      const [index, term] = [reader.u64(), reader.u64()];
      return {
        kind: "mark",
        mark: { kind, index, term, confState: decodeConfState(reader) },
        carried: carried === 1,
      };
    }
    case TAG_ENTRIES:
      return { kind: "entries", span: readSpan(reader, payload) };
    default:
      throw new AssertionError(`unknown item ${tag}`);
  }
}
