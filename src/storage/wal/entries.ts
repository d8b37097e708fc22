// Blocks of entries as core/codec.go writes them: u32 count, then for each entry u64 index, u64 term,
// u8 type, u32 length and its data. The log stores a block as it comes; here it is walked, to know its
// indexes, and cut where it is too long for one batch.

import { assert } from "../../base/assert.ts";
import { ByteReader, ByteWriter } from "../../base/bytes.ts";

const ENTRY_HEADER_BYTES = 8 + 8 + 1 + 4;
const COUNT_BYTES = 4;

/** Where one entry stands in the bytes of its span. */
export interface EntryPlace {
  readonly index: number;
  readonly term: number;
  readonly type: number;
  readonly at: number;
  readonly bytes: number;
}

/** A run of entries with consecutive indexes. */
export interface EntrySpan {
  readonly source: Uint8Array;
  readonly entries: readonly EntryPlace[];
}

export function entryData(span: EntrySpan, entry: EntryPlace): Uint8Array {
  return span.source.subarray(entry.at + ENTRY_HEADER_BYTES, entry.at + entry.bytes);
}

/** Reads the block at the reader's place in `source`. Throws where it is none. */
export function readSpan(reader: ByteReader, source: Uint8Array): EntrySpan {
  const count = reader.u32();
  const entries: EntryPlace[] = [];
  let expected: number | null = null;
  for (let i = 0; i < count; i++) {
    const at = reader.at;
    const [index, term, type] = [reader.u64(), reader.u64(), reader.u8()];
    const length = reader.u32();
    reader.view(length);
    assert(expected === null || index === expected, () => `entry ${index} stands out of order`);
    entries.push({ index, term, type, at, bytes: ENTRY_HEADER_BYTES + length });
    expected = index + 1;
  }
  return { source, entries };
}

export interface BlockRange {
  readonly count: number;
  /** 0 in an empty block. */
  readonly first: number;
  readonly last: number;
}

/** What a block holds, without an object for each entry: this runs for every append. */
export function blockRange(block: Uint8Array): BlockRange {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const count = view.getUint32(0, true);
  let at = COUNT_BYTES;
  let first = 0;
  for (let i = 0; i < count; i++) {
    const index = view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
    if (i === 0) first = index;
    assert(index === first + i, () => `entry ${index} in a block stands out of order`);
    at += ENTRY_HEADER_BYTES + view.getUint32(at + ENTRY_HEADER_BYTES - 4, true);
  }
  assert(at === block.length, "a block of entries does not end with its last entry");
  return { count, first, last: count === 0 ? 0 : first + count - 1 };
}

/** Cuts a block into blocks of at most `bytesMax`, each of whole entries. */
export function* splitBlock(block: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  const span = readSpan(new ByteReader(block), block);
  yield* packBlocks(
    span.entries.map((entry) => block.subarray(entry.at, entry.at + entry.bytes)),
    bytesMax,
  );
}

/** Puts encoded entries together into blocks of at most `bytesMax`. */
export function* packBlocks(
  entries: Iterable<Uint8Array>,
  bytesMax: number,
): Generator<Uint8Array> {
  const writer = new ByteWriter(COUNT_BYTES).u32(0);
  let count = 0;
  for (const entry of entries) {
    if (count > 0 && writer.length + entry.length > bytesMax) {
      yield writer.setU32(0, count).take();
      writer.reset().u32(0);
      count = 0;
    }
    writer.raw(entry);
    count += 1;
  }
  if (count > 0) yield writer.setU32(0, count).take();
}
