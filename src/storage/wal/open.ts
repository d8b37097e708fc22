// Opens the log that is on the disk: reads all of it, decides where it ends, makes that end durable and
// clean, and hands over what it says. Whatever cannot be explained by a crash is reported as a
// CorruptionError, and then nothing has been changed.

import { BATCH_BYTES_MAX } from "../../base/limits.ts";
import type { DiskFile } from "../../env/disk.ts";
import { CorruptionError } from "../errors.ts";
import { WAL_FOLDER } from "../names.ts";
import type { EntryTable } from "./entry-table.ts";
import { writeFill } from "./fill.ts";
import { BATCH_HEADER_BYTES, batchExtent } from "./format.ts";
import type { HardState, SnapshotMark } from "./items.ts";
import { Log, type LogOptions } from "./log.ts";
import { removeNextSegment } from "./next-segment.ts";
import { Replay } from "./replay.ts";
import { checkIdentity } from "./segment-reader.ts";
import { readWholeLog } from "./read.ts";
import type { LogEnd } from "./walk.ts";
import { WATERMARK_PATH, WatermarkWriter, readWatermark } from "./watermark.ts";

/** A piece of the log that is written again at once. */
const REWRITE_BYTES = 1024 * 1024;

/** What the log says, for the node to start from. */
export interface RecoveredLog {
  readonly hardState: HardState;
  /** Oldest first. */
  readonly marks: readonly SnapshotMark[];
  readonly entries: EntryTable;
  readonly lastIndex: number;
  /** The torn write that was cut off; null if the log ended cleanly. */
  readonly torn: { readonly file: string; readonly offset: number } | null;
}

export async function openLog(
  options: LogOptions,
): Promise<{ readonly log: Log; readonly recovered: RecoveredLog }> {
  const { disk, logger } = options;
  const watermark = await readWatermark(disk, logger);
  const replay = new Replay();
  const found = await readWholeLog(disk, logger, replay, watermark.point, (file, header) =>
    checkIdentity(disk, file.path, header, options),
  );
  const { end, header, next, segments } = found;
  const { hardState } = replay;
  if (hardState === null) {
    throw new CorruptionError(disk, found.file.path, end.offset, "the log holds no batch at all");
  }
  // Only now, with everything found good, is anything changed.
  await removeNextSegment(disk);
  const file = await disk.open(found.file.path, "durable");
  const torn = reportTornWrite(options, found);
  await fillAgain(options, file, found);
  const { point } = watermark;
  await writeAgain(file, point.segment === header.sequence ? point.offset : 0, end.offset);
  // The names likewise.
  await disk.syncFolder(WAL_FOLDER);
  await disk.syncFolder("");
  const writer = new WatermarkWriter(await disk.open(WATERMARK_PATH, "durable"), watermark);
  await writer.advance({
    segment: header.sequence,
    offset: end.offset,
    batch: next.number - 1,
    chain: next.chain,
  });
  const { entries, lastIndex, marks } = replay;
  const log = new Log(options, {
    hardState,
    marks,
    lastIndex,
    segments,
    file,
    offset: end.offset,
    next,
    hasBatch: next.number > header.firstBatch,
    watermark: writer,
  });
  return { log, recovered: { hardState, marks, entries, lastIndex, torn } };
}

/**
 * What was read may be in the memory of the machine only, left there by a process that was killed before
 * its write was through, or whose write failed: then the system shows the bytes, takes them for clean, and
 * no sync will ever write them (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX
 * ATC 2020). They must be on the disk before this node answers for them, so they are written once more.
 */
async function writeAgain(file: DiskFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += REWRITE_BYTES) {
    await file.write(at, await file.read(at, Math.min(REWRITE_BYTES, to - at)));
  }
  await file.sync();
}

function reportTornWrite({ logger }: LogOptions, { end, file }: LogEnd): RecoveredLog["torn"] {
  if (end.kind === "clean") return null;
  logger.warn("a write cut short was removed from the end of the log", {
    file: file.path,
    offset: end.offset,
    bytes: end.through - end.offset,
  });
  return { file: file.path, offset: end.offset };
}

/**
 * Behind the tail nothing may ever stand but fill, or the next batch would be mixed with what is left of
 * another. Where the fill is to be seen it may not be on the disk: an earlier start may have cut off a
 * torn write in vain, and then the system shows what will never be written, as above. So it is written
 * again as far as one batch can have reached.
 */
async function fillAgain(options: LogOptions, file: DiskFile, found: LogEnd): Promise<void> {
  const { end, header } = found;
  const longest = batchExtent((options.batchBytesMax ?? BATCH_BYTES_MAX) - BATCH_HEADER_BYTES);
  const reach = Math.min(end.offset + longest, header.segmentBytes);
  const through = end.kind === "clean" ? reach : Math.max(end.through, reach);
  const fill = new Uint8Array(through - end.offset);
  writeFill(fill, end.offset, header);
  await file.write(end.offset, fill);
}
