// What was given to the log and is not yet being written. Appends gather here while a write is under
// way, and leave as one batch. Everything raft hands over is checked on the way in, because what is
// wrong here would only be found at the next start, when it is too late.

import { assert } from "../../base/assert.ts";
import { BATCH_FRAME_BYTES, BatchBuilder } from "./batch-builder.ts";
import { type BlockRange, blockRange, splitBlock } from "./entries.ts";
import { type HardState, type SnapshotMark, markBytes } from "./items.ts";

/** Goes to the disk together, in this order. */
export interface LogRecord {
  /** Null: as it was. */
  readonly hardState: HardState | null;
  /** A mark that is not "local" drops every entry before it. Its snapshot file is on the disk. */
  readonly mark: SnapshotMark | null;
  /** A block as core/codec.go writes it; copied before `append` returns. */
  readonly entries: Uint8Array | null;
}

export class Admission {
  readonly #batchBytesMax: number;
  readonly #queue: BatchBuilder[] = [];
  /** A batch that was written: its memory is used again. */
  #spare: BatchBuilder | null = null;
  #hardState: HardState;
  #lastIndex: number;
  /** Entries at or below it are inside an installed snapshot and are never written again. */
  #floor = 0;

  constructor(batchBytesMax: number, hardState: HardState, lastIndex: number) {
    this.#batchBytesMax = batchBytesMax;
    this.#hardState = hardState;
    this.#lastIndex = lastIndex;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Puts a record into the queue; returns the batch that holds its end. */
  admit(record: LogRecord): BatchBuilder {
    const before = this.#hardState;
    const hardState = record.hardState ?? before;
    // A record may be spread over several batches. Term and vote may be durable before its entries are;
    // the commit index must not, or a crash in between would leave it beyond the log's end.
    const { term, vote } = hardState;
    const early: HardState = { term, vote, commit: before.commit };
    if (record.mark !== null) {
      this.#checkMark(record.mark);
      this.#batchFor(markBytes(record.mark), early).addMark(record.mark, false);
    }
    if (record.entries !== null) this.#admitEntries(record.entries, early);
    this.#checkHardState(hardState);
    this.#hardState = hardState;
    const last = this.#queue.at(-1) ?? this.#newBatch();
    last.hardState = hardState;
    return last;
  }

  #admitEntries(block: Uint8Array, early: HardState): void {
    const room = this.#batchBytesMax - BATCH_FRAME_BYTES - 1;
    const range = blockRange(block);
    if (range.count === 0) return;
    this.#checkEntries(range);
    if (block.length <= room) {
      this.#batchFor(1 + block.length, early).addEntries(block, range.last);
      return;
    }
    for (const piece of splitBlock(block, room)) {
      this.#batchFor(1 + piece.length, early).addEntries(piece, blockRange(piece).last);
    }
  }

  /** Takes note of a hard state that needs no sync: it goes out with the next batch. */
  remember(hardState: HardState): void {
    assert(hardState.term === this.#hardState.term, "a new term must be appended");
    assert(hardState.vote === this.#hardState.vote, "a new vote must be appended");
    this.#checkHardState(hardState);
    this.#hardState = hardState;
    const last = this.#queue.at(-1);
    if (last !== undefined) last.hardState = hardState;
  }

  /** The next batch to write; undefined if there is none. */
  take(): BatchBuilder | undefined {
    return this.#queue.shift();
  }

  /** Gives a written batch back. */
  recycle(batch: BatchBuilder): void {
    this.#spare = batch;
  }

  /** The last batch if it has room for `bytes` more, else a new one. */
  #batchFor(bytes: number, hardState: HardState): BatchBuilder {
    assert(BATCH_FRAME_BYTES + bytes <= this.#batchBytesMax, "an entry fits no batch");
    const last = this.#queue.at(-1);
    const hasRoom = last !== undefined && last.bytes + bytes <= this.#batchBytesMax;
    const batch = hasRoom ? last : this.#newBatch();
    batch.hardState = hardState;
    return batch;
  }

  #newBatch(): BatchBuilder {
    const batch = this.#spare?.reset(this.#hardState) ?? new BatchBuilder(this.#hardState);
    this.#spare = null;
    this.#queue.push(batch);
    return batch;
  }

  #checkHardState(hardState: HardState): void {
    assert(hardState.term >= this.#hardState.term, "the term went back");
    assert(hardState.commit >= this.#hardState.commit, "the commit index went back");
    assert(
      hardState.commit <= this.#lastIndex,
      () => `entry ${hardState.commit} is not in the log`,
    );
  }

  #checkMark(mark: SnapshotMark): void {
    assert(mark.kind !== "founding", "a cluster is founded once, by createLog");
    if (mark.kind === "local") {
      assert(mark.index <= this.#lastIndex, () => `no entry ${mark.index} to take a snapshot at`);
      return;
    }
    assert(mark.index > this.#hardState.commit, "a snapshot was installed over committed entries");
    this.#lastIndex = mark.index;
    this.#floor = mark.index;
  }

  #checkEntries(range: BlockRange): void {
    const { first, last } = range;
    assert(
      first <= this.#lastIndex + 1,
      () => `entry ${first} behind entry ${this.#lastIndex}: a gap`,
    );
    const settled = Math.max(this.#floor, this.#hardState.commit);
    assert(first > settled, () => `entry ${first} is settled and may not be written again`);
    this.#lastIndex = last;
  }
}
