// The log in a form that people can read, for `raft3d wal dump` and `raft3d wal verify`. Read only; it
// works on a folder that a node has open, and on a damaged one as far as it goes.

import { decodeUtf8 } from "../../base/bytes.ts";
import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { CorruptionError } from "../errors.ts";
import { type EntrySpan, entryData } from "./entries.ts";
import type { SegmentHeader } from "./format.ts";
import { type HardState, type Item, type SnapshotMark, readItems } from "./items.ts";
import { refuseLoss } from "./read.ts";
import { type LogEnd, walkLog } from "./walk.ts";
import { type SyncedPoint, WATERMARK_PATH, readWatermark } from "./watermark.ts";

export interface DumpedEntry {
  readonly index: number;
  readonly term: number;
  /** raftpb.EntryType: 0 normal, 1 and 2 a change of the configuration. */
  readonly type: number;
  readonly dataBytes: number;
  /** The data, if it is JSON. */
  readonly json: string | null;
}

export type DumpLine =
  | { readonly kind: "synced"; readonly file: string; readonly point: SyncedPoint }
  | { readonly kind: "segment"; readonly file: string; readonly header: SegmentHeader }
  | {
      readonly kind: "batch";
      readonly file: string;
      readonly offset: number;
      readonly number: number;
      readonly payloadBytes: number;
      readonly hardState: HardState;
      readonly marks: readonly { readonly mark: SnapshotMark; readonly carried: boolean }[];
      readonly entries: readonly DumpedEntry[];
    }
  | {
      readonly kind: "end";
      readonly file: string;
      readonly offset: number;
      /** A write cut short stands there; the next start removes it. */
      readonly isTorn: boolean;
    }
  | {
      readonly kind: "corruption";
      readonly file: string;
      readonly offset: number;
      readonly what: string;
    };

/** Everything in the log, in order. Its last line is "end" or "corruption". */
export async function* dumpLog(disk: Disk, logger: Logger): AsyncGenerator<DumpLine> {
  try {
    const { point } = await readWatermark(disk, logger);
    yield { kind: "synced", file: WATERMARK_PATH, point };
    const last = yield* dumpSegments(disk, logger);
    refuseLoss(disk, last, point);
    const { end, file } = last;
    yield { kind: "end", file: file.path, offset: end.offset, isTorn: end.kind === "torn" };
  } catch (thrown) {
    if (!(thrown instanceof CorruptionError)) throw thrown;
    const { file, offset, what } = thrown;
    yield { kind: "corruption", file, offset, what };
  }
}

async function* dumpSegments(disk: Disk, logger: Logger): AsyncGenerator<DumpLine, LogEnd> {
  const walk = walkLog(disk, logger);
  let step = await walk.next();
  for (; step.done !== true; step = await walk.next()) {
    const { value } = step;
    const file = value.file.path;
    if (value.kind === "segment") {
      yield { kind: "segment", file, header: value.header };
      continue;
    }
    const { number, offset, payload } = value.batch;
    const items = readItems(payload);
    if (typeof items === "string") throw new CorruptionError(disk, file, offset, items);
    yield { kind: "batch", file, offset, number, payloadBytes: payload.length, ...sort(items) };
  }
  return step.value;
}

function sort(items: readonly Item[]): {
  readonly hardState: HardState;
  readonly marks: readonly { readonly mark: SnapshotMark; readonly carried: boolean }[];
  readonly entries: readonly DumpedEntry[];
} {
  let hardState: HardState = { term: 0, vote: 0, commit: 0 };
  const marks: { readonly mark: SnapshotMark; readonly carried: boolean }[] = [];
  const entries: DumpedEntry[] = [];
  for (const item of items) {
    if (item.kind === "hard-state") hardState = item.hardState;
    else if (item.kind === "mark") marks.push({ mark: item.mark, carried: item.carried });
    else entries.push(...dumpEntries(item.span));
  }
  return { hardState, marks, entries };
}

function dumpEntries(span: EntrySpan): readonly DumpedEntry[] {
  return span.entries.map((entry) => {
    const data = entryData(span, entry);
    const { index, term, type } = entry;
    return { index, term, type, dataBytes: data.length, json: asJson(data) };
  });
}

function asJson(data: Uint8Array): string | null {
  try {
    const text = decodeUtf8(data);
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}
