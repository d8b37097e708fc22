// Goes through the log on the disk from its first batch to its end, checking everything that can be
// checked without knowing what it means. Read only; it needs no lock, so a log that is being written may
// look torn at its end. Throws a CorruptionError at the first damage.

import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { CorruptionError } from "../errors.ts";
import { WAL_FOLDER } from "../names.ts";
import type { SegmentHeader } from "./format.ts";
import { type SegmentFile, listSegments, readSegment } from "./segment-reader.ts";
import { type Batch, type Continuation, type SegmentEnd, scanSegment } from "./segment-scan.ts";

/** Where the log ends, and how it would go on. */
export interface LogEnd {
  readonly file: SegmentFile;
  readonly header: SegmentHeader;
  /** Not "damaged": that has been thrown. */
  readonly end: Exclude<SegmentEnd, { readonly kind: "damaged" }>;
  readonly next: Continuation;
}

export type WalkedLog =
  | { readonly kind: "segment"; readonly file: SegmentFile; readonly header: SegmentHeader }
  | { readonly kind: "batch"; readonly file: SegmentFile; readonly batch: Batch };

export async function* walkLog(disk: Disk, logger: Logger): AsyncGenerator<WalkedLog, LogEnd> {
  let last: LogEnd | null = null;
  for (const file of await listSegments(disk, logger)) {
    const { header, bytes } = await readSegment(disk, file);
    if (last !== null) checkContinuation(disk, file, header, last);
    yield { kind: "segment", file, header };
    const scan = scanSegment(bytes, header);
    let step = scan.next();
    for (; step.done !== true; step = scan.next()) yield { kind: "batch", file, batch: step.value };
    const { end, next } = step.value;
    if (end.kind === "damaged") throw new CorruptionError(disk, file.path, end.offset, end.what);
    last = { file, header, end, next };
  }
  if (last === null) {
    throw new CorruptionError(disk, WAL_FOLDER, 0, "there is no segment of the log");
  }
  return last;
}

/** A segment gets its name only after everything in the one before it was synced, so it goes on there. */
function checkContinuation(
  disk: Disk,
  file: SegmentFile,
  header: SegmentHeader,
  last: LogEnd,
): void {
  const { end, next } = last;
  if (header.firstBatch === next.number && header.chain === next.chain) return;
  const what = `batch ${next.number} is bad or missing: ${file.path} goes on behind it`;
  throw new CorruptionError(disk, last.file.path, end.offset, what);
}
