// The segment files as files: how one is made the current one, and how old ones go. Both are done so
// that a crash at any moment leaves a gapless sequence of files, each with a valid header.

import type { Disk, DiskFile } from "../../env/disk.ts";
import { WAL_FOLDER, hex16 } from "../names.ts";
import { type SegmentHeader, encodeSegmentHeader } from "./format.ts";
import { NEXT_SEGMENT_PATH } from "./next-segment.ts";

export const SEGMENT_SUFFIX = ".wal";

/** A segment file as the log knows it. */
export interface Segment {
  readonly header: SegmentHeader;
  readonly path: string;
  /** The highest index of any entry ever written in it; 0 if it has none. */
  lastEntry: number;
}

function segmentPath(sequence: number): string {
  return `${WAL_FOLDER}/${hex16(sequence)}${SEGMENT_SUFFIX}`;
}

/**
 * Turns the prepared file into the segment that `header` describes and opens it as "durable". The
 * header is on the disk before the name is: a segment under its own name always has one.
 */
export async function openNextSegment(
  disk: Disk,
  header: SegmentHeader,
): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
  const path = segmentPath(header.sequence);
  const file = await disk.open(NEXT_SEGMENT_PATH, "durable");
  await file.write(0, encodeSegmentHeader(header));
  await disk.rename(NEXT_SEGMENT_PATH, path);
  // Before the first batch in it is acknowledged, the file itself must not be able to vanish.
  await disk.syncFolder(WAL_FOLDER);
  return { segment: { header, path, lastEntry: 0 }, file };
}

/** Deletes segments, oldest first. */
export async function removeSegments(disk: Disk, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) {
    await disk.remove(segment.path);
    // After each one: a crash must not leave a hole by forgetting the first removal and not the second.
    await disk.syncFolder(WAL_FOLDER);
  }
}
