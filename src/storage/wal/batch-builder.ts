// One batch being gathered: what several appends want written goes into one write and one sync. The
// bytes are copied in as they come, so a caller's memory is its own again when `append` returns.

import { assert } from "../../base/assert.ts";
import { ByteWriter } from "../../base/bytes.ts";
import { BATCH_HEADER_BYTES, type BatchPlace, batchExtent, sealBatch } from "./format.ts";
import {
  HARD_STATE_BYTES,
  type HardState,
  type SnapshotMark,
  writeEntries,
  writeHardState,
  writeMark,
} from "./items.ts";

export interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What every batch holds before its first item. */
export const BATCH_FRAME_BYTES = BATCH_HEADER_BYTES + HARD_STATE_BYTES;

export class BatchBuilder {
  readonly #writer = new ByteWriter(4096);
  readonly #hardWriter = new ByteWriter(HARD_STATE_BYTES);
  #hardState: HardState;
  #waiters: Waiter[] = [];
  #marks: SnapshotMark[] = [];
  #lastEntry = 0;

  constructor(hardState: HardState) {
    this.#hardState = hardState;
    this.reset(hardState);
  }

  /** Makes it empty, to be used again. */
  reset(hardState: HardState): this {
    this.#writer.reset().zeros(BATCH_FRAME_BYTES);
    this.#hardState = hardState;
    this.#waiters = [];
    this.#marks = [];
    this.#lastEntry = 0;
    return this;
  }

  /** The hard state that becomes durable with this batch. */
  get hardState(): HardState {
    return this.#hardState;
  }

  set hardState(hardState: HardState) {
    this.#hardState = hardState;
  }

  /** The marks in it that are not carried over. */
  get marks(): readonly SnapshotMark[] {
    return this.#marks;
  }

  /** The highest index of an entry in it; 0 if there is none. */
  get lastEntry(): number {
    return this.#lastEntry;
  }

  get isEmpty(): boolean {
    return this.#writer.length === BATCH_FRAME_BYTES;
  }

  /** Bytes of header and payload. */
  get bytes(): number {
    return this.#writer.length;
  }

  get extent(): number {
    return batchExtent(this.#writer.length - BATCH_HEADER_BYTES);
  }

  get waiters(): readonly Waiter[] {
    return this.#waiters;
  }

  addWaiter(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  addMark(mark: SnapshotMark, carried: boolean): void {
    writeMark(this.#writer, mark, carried);
    if (!carried) this.#marks.push(mark);
  }

  addEntries(block: Uint8Array, last: number): void {
    writeEntries(this.#writer, block);
    this.#lastEntry = Math.max(this.#lastEntry, last);
  }

  /** The finished batch: a view that holds until the next reset. */
  seal(place: BatchPlace): { readonly bytes: Uint8Array; readonly crc: number } {
    const payloadBytes = this.#writer.length - BATCH_HEADER_BYTES;
    const hard = this.#hardWriter.reset();
    writeHardState(hard, this.#hardState);
    this.#writer.zeros(this.extent - this.#writer.length);
    const bytes = this.#writer.view();
    bytes.set(hard.view(), BATCH_HEADER_BYTES);
    assert(bytes.length === batchExtent(payloadBytes), "a batch is whole sectors");
    return { bytes, crc: sealBatch(bytes, payloadBytes, place) };
  }
}
