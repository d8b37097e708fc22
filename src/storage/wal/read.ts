// Reads the whole log into a Replay and holds it to all that must be true of it: `openLog` starts from
// what comes out, `verifyLog` only reports it. Read only.

import { must } from "../../base/assert.ts";
import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { CorruptionError } from "../errors.ts";
import type { SegmentHeader } from "./format.ts";
import type { Replay } from "./replay.ts";
import type { SegmentFile } from "./segment-reader.ts";
import type { Batch } from "./segment-scan.ts";
import type { Segment } from "./segments.ts";
import { type LogEnd, walkLog } from "./walk.ts";
import { type SyncedPoint, WATERMARK_PATH } from "./watermark.ts";

export interface WholeLog extends LogEnd {
  readonly segments: readonly Segment[];
}

/** `onSegment` may refuse a segment by throwing. Throws a CorruptionError at the first damage. */
export async function readWholeLog(
  disk: Disk,
  logger: Logger,
  replay: Replay,
  synced: SyncedPoint,
  onSegment: (file: SegmentFile, header: SegmentHeader) => void,
): Promise<WholeLog> {
  const segments: Segment[] = [];
  const walk = walkLog(disk, logger);
  let step = await walk.next();
  for (; step.done !== true; step = await walk.next()) {
    const { file } = step.value;
    if (step.value.kind === "segment") {
      const { header } = step.value;
      onSegment(file, header);
      segments.push({ header, path: file.path, lastEntry: 0 });
      continue;
    }
    const { batch } = step.value;
    const wrong = disagreement(batch, synced) ?? replay.apply(batch.payload);
    if (wrong !== null) throw new CorruptionError(disk, file.path, batch.offset, wrong);
    const segment = must(segments.at(-1), "segment");
    segment.lastEntry = Math.max(segment.lastEntry, replay.batchLast);
  }
  const last = step.value;
  refuseLoss(disk, last, synced);
  return { ...last, segments };
}

function disagreement(batch: Batch, synced: SyncedPoint): string | null {
  if (batch.number !== synced.batch || batch.crc === synced.chain) return null;
  return `batch ${batch.number} is not the one that ${WATERMARK_PATH} knows`;
}

/** What was once synced must be there: a log that ends before it has lost its end. */
export function refuseLoss(disk: Disk, last: LogEnd, synced: SyncedPoint): void {
  if (last.next.number > synced.batch) return;
  const what =
    `the log ends before batch ${last.next.number}, but everything up to batch ${synced.batch} ` +
    `was once synced (${WATERMARK_PATH})`;
  throw new CorruptionError(disk, last.file.path, last.end.offset, what);
}
