// Finds the segment files and reads them, checking each against its name and its header. Read only.

import type { NodeId } from "../../base/brand.ts";
import { SECTOR_BYTES } from "../../base/limits.ts";
import { type Disk, readWhole } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import {
  ClusterMismatchError,
  CorruptionError,
  NodeMismatchError,
  UnknownFormatError,
} from "../errors.ts";
import { WAL_FOLDER, parseName } from "../names.ts";
import {
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  WAL_VERSION,
  decodeSegmentHeader,
} from "./format.ts";
import { NEXT_SEGMENT_PATH } from "./next-segment.ts";
import { SEGMENT_SUFFIX } from "./segments.ts";
import { WATERMARK_PATH } from "./watermark.ts";

export interface SegmentFile {
  readonly path: string;
  readonly sequence: number;
}

/** The segments in their order. Throws where one is missing in the middle. */
export async function listSegments(disk: Disk, logger: Logger): Promise<readonly SegmentFile[]> {
  const files: SegmentFile[] = [];
  for (const name of await disk.list(WAL_FOLDER)) {
    const path = `${WAL_FOLDER}/${name}`;
    const sequence = parseName(name, SEGMENT_SUFFIX);
    if (sequence?.length === 1) files.push({ path, sequence: sequence[0] ?? 0 });
    else if (path !== WATERMARK_PATH && path !== NEXT_SEGMENT_PATH) {
      logger.warn("a file in the log's folder is not the log's", { file: path });
    }
  }
  for (const [place, file] of files.entries()) {
    const before = files[place - 1];
    if (before === undefined || file.sequence === before.sequence + 1) continue;
    const what = `the segment before this one is missing: ${before.path} is the nearest`;
    throw new CorruptionError(disk, file.path, 0, what);
  }
  return files;
}

export async function readSegment(
  disk: Disk,
  file: SegmentFile,
): Promise<{ readonly header: SegmentHeader; readonly bytes: Uint8Array }> {
  const bytes = await readWhole(disk, file.path);
  if (bytes === null) throw new CorruptionError(disk, file.path, 0, "the segment is gone");
  const decoded = decodeSegmentHeader(bytes);
  if (decoded.kind === "bad") throw new CorruptionError(disk, file.path, 0, decoded.what);
  if (decoded.kind === "unknown-version") {
    throw new UnknownFormatError(disk, file.path, decoded.version, WAL_VERSION);
  }
  const { header } = decoded;
  if (header.sequence !== file.sequence) {
    const what = `the file holds segment ${header.sequence}`;
    throw new CorruptionError(disk, file.path, 0, what);
  }
  if (bytes.length !== header.segmentBytes || bytes.length % SECTOR_BYTES !== 0) {
    const what = `the segment has ${bytes.length} bytes and should have ${header.segmentBytes}`;
    throw new CorruptionError(disk, file.path, Math.min(bytes.length, header.segmentBytes), what);
  }
  if (bytes.length <= SEGMENT_HEADER_BYTES) {
    throw new CorruptionError(disk, file.path, 0, "the segment has no room for a batch");
  }
  return { header, bytes };
}

/** A folder copied from another node must not be taken for this one's. */
export function checkIdentity(
  disk: Disk,
  path: string,
  header: SegmentHeader,
  expected: { readonly clusterId: string; readonly nodeId: NodeId },
): void {
  if (header.clusterId !== expected.clusterId) {
    throw new ClusterMismatchError(disk, path, expected.clusterId, header.clusterId);
  }
  if (header.nodeId !== expected.nodeId) {
    throw new NodeMismatchError(disk, path, expected.nodeId, header.nodeId);
  }
}
