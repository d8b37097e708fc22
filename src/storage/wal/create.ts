// Founding a log. It is built under another name and appears as a whole, so that a crash leaves either
// no log or one that holds what the node was founded with.

import { assert } from "../../base/assert.ts";
import { encodeUtf8 } from "../../base/bytes.ts";
import { CLUSTER_ID_BYTES_MAX, SEGMENT_BYTES } from "../../base/limits.ts";
import type { Disk } from "../../env/disk.ts";
import { WAL_FOLDER, hex16 } from "../names.ts";
import { BatchBuilder } from "./batch-builder.ts";
import {
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  encodeSegmentHeader,
  segmentSeed,
} from "./format.ts";
import type { HardState, SnapshotMark } from "./items.ts";
import type { LogOptions } from "./log.ts";
import { writeFilled } from "./next-segment.ts";
import { SEGMENT_SUFFIX } from "./segments.ts";
import { createWatermark } from "./watermark.ts";

const BUILDING_FOLDER = `${WAL_FOLDER}.tmp`;
const FIRST_SEQUENCE = 1;
const FIRST_BATCH = 1;

/** Whether this disk holds a log, good or bad. */
export async function hasLog(disk: Disk): Promise<boolean> {
  return (await disk.stat(WAL_FOLDER)) !== null;
}

/** Makes a log whose first batch holds `hardState` and `mark`. There must be none. */
export async function createLog(
  options: Omit<LogOptions, "clock" | "logger">,
  hardState: HardState,
  mark: SnapshotMark,
): Promise<void> {
  const { disk, random, clusterId, nodeId } = options;
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  assert(!(await hasLog(disk)), "there is a log already");
  assert(encodeUtf8(clusterId).length <= CLUSTER_ID_BYTES_MAX, "the cluster id is too long");
  await emptyFolder(disk, BUILDING_FOLDER);
  const header: SegmentHeader = {
    clusterId,
    nodeId,
    sequence: FIRST_SEQUENCE,
    segmentBytes,
    firstBatch: FIRST_BATCH,
    chain: 0,
    salt: random.u32(),
  };
  const first = new BatchBuilder(hardState);
  first.addMark(mark, false);
  const place = {
    number: FIRST_BATCH,
    chain: 0,
    seed: segmentSeed(header),
    offset: SEGMENT_HEADER_BYTES,
  };
  const { bytes, crc } = first.seal(place);
  const path = `${BUILDING_FOLDER}/${hex16(FIRST_SEQUENCE)}${SEGMENT_SUFFIX}`;
  await writeFilled(disk, path, segmentBytes, header);
  await writeFirst(disk, path, encodeSegmentHeader(header), bytes);
  await createWatermark(disk, `${BUILDING_FOLDER}/synced`, {
    segment: FIRST_SEQUENCE,
    offset: SEGMENT_HEADER_BYTES + bytes.length,
    batch: FIRST_BATCH,
    chain: crc,
  });
  await disk.syncFolder(BUILDING_FOLDER);
  await disk.rename(BUILDING_FOLDER, WAL_FOLDER);
  await disk.syncFolder("");
}

async function emptyFolder(disk: Disk, folder: string): Promise<void> {
  await disk.makeFolder(folder);
  for (const name of await disk.list(folder)) await disk.remove(`${folder}/${name}`);
}

async function writeFirst(
  disk: Disk,
  path: string,
  header: Uint8Array,
  batch: Uint8Array,
): Promise<void> {
  const file = await disk.open(path, "write");
  try {
    await file.write(0, header);
    await file.write(SEGMENT_HEADER_BYTES, batch);
    await file.sync();
  } finally {
    await file.close();
  }
}
