// What tests of the storage layer stand on: a simulated disk whose operations complete at once, a clock
// that stands still, a logger that remembers, and entries to store.

import { nodeId } from "../base/brand.ts";
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import type { LogFields, Logger } from "../env/logger.ts";
import type { ConfState } from "../storage/conf-state.ts";
import type { SnapshotSource } from "../storage/snapshots/snapshot-writer.ts";
import { entryData, readSpan } from "../storage/wal/entries.ts";
import type { LogOptions } from "../storage/wal/log.ts";
import { type SimDisk, immediateDisk } from "./disk.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";

/** Blocks of a snapshot of which nothing is known, with no pause between them. */
export function madeOf(
  blocks: Iterable<Uint8Array>,
  pause = (): Promise<void> => Promise.resolve(),
): SnapshotSource {
  return { parts: [{ of: null, blocks: () => blocks[Symbol.iterator]() }], pause };
}

export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line. */
export class RecordingLogger implements Logger {
  readonly lines: LoggedLine[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", message, fields });
  }

  child(): Logger {
    return this;
  }

  get warnings(): readonly LoggedLine[] {
    return this.lines.filter((line) => line.level === "warn");
  }
}

/** Sizes that make a small log roll over often. */
const SMALL_SEGMENT_BYTES = 4096;
export const SMALL_BATCH_BYTES = 2048;

export interface StorageWorld {
  readonly disk: SimDisk;
  readonly random: SimRandom;
  readonly clock: SimClock;
  readonly logger: RecordingLogger;
  readonly options: LogOptions;
}

/** A world on `disk`, or on an empty one. */
export function storageWorld(seed: number, disk?: SimDisk): StorageWorld {
  const random = new SimRandom(seed);
  const found = disk ?? immediateDisk(random.fork());
  const clock = new SimClock();
  const logger = new RecordingLogger();
  const options: LogOptions = {
    disk: found,
    clock,
    random,
    logger,
    clusterId: "test-cluster",
    nodeId: nodeId(1),
    segmentBytes: SMALL_SEGMENT_BYTES,
    batchBytesMax: SMALL_BATCH_BYTES,
  };
  return { disk: found, random, clock, logger, options };
}

export const FOUNDERS: ConfState = {
  voters: [1, 2, 3],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export interface TestEntry {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

/** Entries from `first` on, one for each text. */
export function entriesFrom(
  first: number,
  term: number,
  texts: readonly string[],
): readonly TestEntry[] {
  return texts.map((text, i) => ({ index: first + i, term, text }));
}

/** Entries as core/codec.go hands them over. */
export function encodeEntries(entries: readonly TestEntry[]): Uint8Array {
  const writer = new ByteWriter().u32(entries.length);
  for (const { index, term, text } of entries) {
    writer.u64(index).u64(term).u8(0).sized(encodeUtf8(text));
  }
  return writer.take();
}

export function decodeEntries(blocks: Iterable<Uint8Array>): readonly TestEntry[] {
  return [...blocks].flatMap((block) => {
    const span = readSpan(new ByteReader(block), block);
    return span.entries.map((entry) => {
      return { index: entry.index, term: entry.term, text: decodeUtf8(entryData(span, entry)) };
    });
  });
}
