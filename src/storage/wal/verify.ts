// Checks a log as a start would, without changing anything: its bytes, and that what they say is a log
// that a correct node can have written.

import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { CorruptionError } from "../errors.ts";
import type { HardState, SnapshotMark } from "./items.ts";
import { Replay } from "./replay.ts";
import { readWholeLog } from "./read.ts";
import { readWatermark } from "./watermark.ts";

export interface LogReport {
  readonly segments: number;
  readonly batches: number;
  readonly hardState: HardState | null;
  readonly marks: readonly SnapshotMark[];
  /** Null if the log holds no entry. */
  readonly firstIndex: number | null;
  readonly lastIndex: number;
  /** A write cut short at the end, which the next start removes. */
  readonly torn: { readonly file: string; readonly offset: number } | null;
  /** Null if the log is good. */
  readonly corruption: CorruptionError | null;
}

export async function verifyLog(disk: Disk, logger: Logger): Promise<LogReport> {
  const replay = new Replay();
  let segments = 0;
  let torn: LogReport["torn"] = null;
  let corruption: CorruptionError | null = null;
  try {
    const { point } = await readWatermark(disk, logger);
    const { end, file } = await readWholeLog(disk, logger, replay, point, () => {
      segments += 1;
    });
    if (end.kind === "torn") torn = { file: file.path, offset: end.offset };
  } catch (thrown) {
    if (!(thrown instanceof CorruptionError)) throw thrown;
    corruption = thrown;
  }
  const { batches, hardState, marks, lastIndex } = replay;
  const { firstIndex } = replay.entries;
  return { segments, batches, hardState, marks, firstIndex, lastIndex, torn, corruption };
}
