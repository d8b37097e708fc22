// The write-ahead log of a running node. `openLog` (open.ts) makes one out of what is on the disk.
//
// Invariants:
//   - A batch is written only after the one before it was synced: one write is under way at a time.
//   - `append` resolves only when everything in it is on the disk, and appends resolve in order.
//   - After a failed write the log is of no use any more: every call rejects with the first failure, and
//     nothing is tried again (a write that failed may have been done, in part or later).
//   - A segment is deleted only while a later one holds a synced batch, which repeats the hard state and
//     the marks that are still needed.

import { assert, must, toError } from "../../base/assert.ts";
import type { NodeId } from "../../base/brand.ts";
import { BATCH_BYTES_MAX, MARKS_CARRIED_MAX, SEGMENT_BYTES } from "../../base/limits.ts";
import type { Clock } from "../../env/clock.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import type { Random } from "../../env/random.ts";
import { Admission, type LogRecord } from "./admission.ts";
import { BatchBuilder } from "./batch-builder.ts";
import { SEGMENT_HEADER_BYTES, segmentSeed } from "./format.ts";
import { type HardState, type SnapshotMark, withMark } from "./items.ts";
import { NextSegment } from "./next-segment.ts";
import type { Continuation } from "./segment-scan.ts";
import { type Segment, openNextSegment, removeSegments } from "./segments.ts";
import type { SyncedPoint, WatermarkWriter } from "./watermark.ts";

export interface LogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly segmentBytes?: number;
  /** Header and payload of one batch, at most half a segment. */
  readonly batchBytesMax?: number;
}

export interface LogStats {
  readonly segments: number;
  /** What the segments take on the disk. */
  readonly bytes: number;
  /** Since the log was opened: batches written, each with one sync; their bytes; the time it took. */
  readonly batches: number;
  readonly writtenBytes: number;
  readonly writeMs: number;
}

/** What `openLog` found, for the log to go on with. */
export interface LogState {
  readonly hardState: HardState;
  readonly marks: readonly SnapshotMark[];
  readonly lastIndex: number;
  /** Oldest first; the last one is the current one. */
  readonly segments: readonly Segment[];
  /** The current segment, open as "durable". */
  readonly file: DiskFile;
  /** Where in it the next batch goes. */
  readonly offset: number;
  readonly next: Continuation;
  /** False if the current segment holds no batch yet. */
  readonly hasBatch: boolean;
  readonly watermark: WatermarkWriter;
}

export class Log {
  readonly #options: LogOptions;
  readonly #segmentBytes: number;
  readonly #admission: Admission;
  readonly #nextSegment: NextSegment;
  readonly #watermark: WatermarkWriter;

  // What is on the disk.
  #segments: readonly Segment[];
  #file: DiskFile;
  #offset: number;
  /** Of the current segment's batches. */
  #seed: number;
  #next: Continuation;
  #hasBatch: boolean;
  #hardState: HardState;
  #marks: readonly SnapshotMark[];
  #releasedThrough = 0;
  /** The last batch written since the log was opened. */
  #synced: SyncedPoint | null = null;

  #draining: Promise<void> | null = null;
  #releasing: Promise<void> = Promise.resolve();
  #failure: Error | null = null;
  #closed = false;
  #writingSinceMs: number | null = null;
  #batches = 0;
  #writtenBytes = 0;
  #writeMs = 0;

  constructor(options: LogOptions, state: LogState) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    const batchBytesMax = options.batchBytesMax ?? BATCH_BYTES_MAX;
    assert(2 * batchBytesMax <= this.#segmentBytes, "a batch must fit half a segment");
    this.#admission = new Admission(batchBytesMax, state.hardState, state.lastIndex);
    this.#nextSegment = new NextSegment(
      options.disk,
      options.random,
      options.logger,
      this.#segmentBytes,
    );
    this.#watermark = state.watermark;
    this.#segments = state.segments;
    this.#file = state.file;
    this.#offset = state.offset;
    this.#next = state.next;
    this.#hasBatch = state.hasBatch;
    this.#hardState = state.hardState;
    this.#marks = state.marks;
    this.#seed = segmentSeed(this.#current.header);
    this.#prepareNext();
  }

  /** As last given to `append` or `remember`, written or not. */
  get hardState(): HardState {
    return this.#admission.hardState;
  }

  /** Index of the last entry given to `append`, written or not. */
  get lastIndex(): number {
    return this.#admission.lastIndex;
  }

  /** The snapshots the log on the disk vouches for, oldest first. */
  get marks(): readonly SnapshotMark[] {
    return this.#marks;
  }

  /** Set once, by the first failed operation. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** When the write under way began, on the monotonic clock; null if there is none. For a watchdog. */
  get writingSinceMs(): number | null {
    return this.#writingSinceMs;
  }

  get stats(): LogStats {
    return {
      segments: this.#segments.length,
      bytes: this.#segments.reduce((sum, segment) => sum + segment.header.segmentBytes, 0),
      batches: this.#batches,
      writtenBytes: this.#writtenBytes,
      writeMs: this.#writeMs,
    };
  }

  /**
   * Resolves when all of it is durable. What is appended while a write is under way shares the next one.
   */
  append(record: LogRecord): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    assert(!this.#closed, "the log is closed");
    const batch = this.#admission.admit(record);
    const done = new Promise<void>((resolve, reject) => batch.addWaiter({ resolve, reject }));
    this.#draining ??= this.#drain();
    return done;
  }

  /** Takes note of a higher commit index. It needs no sync: it goes out with the next batch. */
  remember(hardState: HardState): void {
    this.#admission.remember(hardState);
  }

  /** Writes down how far the log is synced. Call it when the log is idle. */
  async markSynced(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#synced === null) return;
    try {
      await this.#watermark.advance(this.#synced);
    } catch (thrown) {
      throw this.#fail(toError(thrown));
    }
  }

  /**
   * Deletes leading segments whose entries all lie at or below `throughIndex` (`releaseIndex` in
   * recovery.ts says how far to go), and never beyond the newest snapshot that the log vouches for.
   */
  release(throughIndex: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const vouched = Math.min(throughIndex, this.#marks.at(-1)?.index ?? 0);
    this.#releasedThrough = Math.max(this.#releasedThrough, vouched);
    this.#marks = this.#marks.filter((mark) => mark.index >= this.#releasedThrough);
    this.#releasing = this.#releasing.then(() => this.#deleteReleased());
    return this.#releasing;
  }

  /** Waits for what is under way, notes how far the log is synced, and lets go of the files. */
  async close(): Promise<void> {
    assert(!this.#closed, "the log is closed already");
    this.#closed = true;
    await this.#draining;
    await this.#nextSegment.settle();
    await this.#releasing.catch(() => undefined); // its caller has been told
    if (this.#failure !== null) return; // the process is about to end: nothing is touched any more
    await this.markSynced();
    await this.#watermark.close();
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#admission.take();
        if (batch === undefined) return;
        await this.#settle(batch);
      }
    } finally {
      this.#draining = null;
    }
  }

  /** Writes a batch and tells those who wait for it; never rejects. */
  async #settle(batch: BatchBuilder): Promise<void> {
    try {
      if (this.#failure !== null) throw this.#failure;
      await this.#write(batch);
    } catch (thrown) {
      const error = this.#fail(toError(thrown));
      for (const waiter of batch.waiters) waiter.reject(error);
      return;
    }
    for (const waiter of batch.waiters) waiter.resolve();
    this.#admission.recycle(batch);
  }

  async #write(batch: BatchBuilder): Promise<void> {
    if (!this.#hasBatch) await this.#writeOpening();
    if (this.#left < batch.extent) {
      await this.#roll();
      await this.#writeOpening();
    }
    assert(this.#left >= batch.extent, "the marks of a segment leave no room for a batch");
    await this.#put(batch);
  }

  get #current(): Segment {
    return must(this.#segments.at(-1), "current segment");
  }

  /** Bytes left in the current segment. */
  get #left(): number {
    return this.#current.header.segmentBytes - this.#offset;
  }

  /** Goes over to the next segment. Everything in the one left behind has been synced. */
  async #roll(): Promise<void> {
    const { disk, clusterId, nodeId } = this.#options;
    const { sequence, salt } = await this.#nextSegment.take();
    const { segment, file } = await openNextSegment(disk, {
      clusterId,
      nodeId,
      sequence,
      segmentBytes: this.#segmentBytes,
      firstBatch: this.#next.number,
      chain: this.#next.chain,
      salt,
    });
    await this.#file.close();
    this.#file = file;
    this.#segments = [...this.#segments, segment];
    this.#seed = segmentSeed(segment.header);
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#hasBatch = false;
    this.#prepareNext();
  }

  #prepareNext(): void {
    this.#nextSegment.prepare(this.#current.header.sequence + 1);
  }

  /** A segment begins with what would be lost if all segments before it were deleted. */
  async #writeOpening(): Promise<void> {
    const opening = new BatchBuilder(this.#hardState);
    for (const mark of this.#marks.slice(-MARKS_CARRIED_MAX)) opening.addMark(mark, true);
    await this.#put(opening);
    // Before anything in it is answered for: else the whole file could vanish and not be missed.
    await this.markSynced();
  }

  async #put(batch: BatchBuilder): Promise<void> {
    const current = this.#current;
    const { number, chain } = this.#next;
    const { bytes, crc } = batch.seal({ number, chain, seed: this.#seed, offset: this.#offset });
    assert(bytes.length <= this.#left, "a batch would end behind its segment");
    const startedMs = this.#options.clock.monotonicMs();
    this.#writingSinceMs = startedMs;
    await this.#file.write(this.#offset, bytes);
    this.#writingSinceMs = null;
    this.#writeMs += this.#options.clock.monotonicMs() - startedMs;
    this.#batches += 1;
    this.#writtenBytes += bytes.length;
    this.#offset += bytes.length;
    this.#synced = {
      segment: current.header.sequence,
      offset: this.#offset,
      batch: number,
      chain: crc,
    };
    this.#next = { number: number + 1, chain: crc };
    this.#hasBatch = true;
    this.#hardState = batch.hardState;
    for (const mark of batch.marks) this.#marks = withMark(this.#marks, mark);
    current.lastEntry = Math.max(current.lastEntry, batch.lastEntry);
  }

  async #deleteReleased(): Promise<void> {
    // The current segment counts only once it holds a batch that repeats what the others hold.
    const kept = this.#hasBatch ? 1 : 2;
    const old = this.#segments.slice(0, -kept);
    const needed = old.findIndex((segment) => segment.lastEntry > this.#releasedThrough);
    const count = needed < 0 ? old.length : needed;
    this.#segments = this.#segments.slice(count);
    try {
      await removeSegments(this.#options.disk, old.slice(0, count));
    } catch (thrown) {
      throw this.#fail(toError(thrown));
    }
  }

  /** Ends the log's use; returns the failure that did. */
  #fail(error: Error): Error {
    if (this.#failure === null) {
      this.#failure = error;
      this.#options.logger.error("the log failed", { reason: error.message });
    }
    const failure = this.#failure;
    for (let batch = this.#admission.take(); batch !== undefined; batch = this.#admission.take()) {
      for (const waiter of batch.waiters) waiter.reject(failure);
    }
    return failure;
  }
}
