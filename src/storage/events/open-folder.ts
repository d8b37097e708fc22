// Brings the folder of events into order at a start. Afterwards it holds exactly the events up to
// `replayFrom`, where the state machine starts, less the gaps; everything behind is made again by the
// replay of the log, and so is cut off here, whole or torn.
//
// Nothing is changed in place: a file is copied as far as it is good, and the copy takes its place.

import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { EVENT_FOLDER } from "../names.ts";
import { Catalog } from "./catalog.ts";
import { EventFile } from "./event-file.ts";
import { decodeLine } from "./line.ts";
import {
  type EventFileName,
  type Range,
  openPath,
  parseEventFileName,
  sealedPath,
} from "./names.ts";
import { copyEvents, salvage } from "./salvage.ts";
import { type FileScan, scanFile } from "./scan.ts";

/** No marker is longer. */
const MARKER_BYTES_MAX = 96;
const LINE_END = 0x0a;

export interface OpenedFolder {
  readonly catalog: Catalog;
  /** The file that new events go to; it begins behind everything in the catalog. */
  readonly current: EventFile;
}

interface Candidate {
  readonly path: string;
  readonly first: number;
  /** Null for a file that was open. */
  readonly last: number | null;
}

export async function openFolder(
  disk: Disk,
  logger: Logger,
  replayFrom: number,
): Promise<OpenedFolder> {
  await disk.makeFolder(EVENT_FOLDER);
  await disk.syncFolder("");
  // Names that a start before this one changed are seen, and need not be on the disk: if syncing them failed,
  // the power could still bring back an older file, without what was written to this one since.
  await disk.syncFolder(EVENT_FOLDER);
  const { catalog, candidates } = await sortNames(disk, logger);
  let current: EventFile | null = null;
  for (const file of candidates) {
    // A copy under this very name has just been made out of the file before it.
    if (file.path === current?.path || file.path === catalog.find(file.first)?.path) continue;
    const isCovered = file.last !== null && file.last <= catalog.goneThrough;
    const isSuperseded = catalog.find(file.first) !== null || current !== null;
    if (file.first > replayFrom || isCovered || isSuperseded) {
      await remove(disk, file.path);
    } else if (file.last !== null && file.last <= replayFrom) {
      await adoptSealed(disk, logger, catalog, file.path, { from: file.first, to: file.last });
    } else {
      current = await adoptLast(disk, logger, catalog, file, replayFrom);
    }
  }
  if (current !== null) return { catalog, current };
  const first = replayFrom + 1;
  const fresh = await EventFile.create(disk, openPath(first), first);
  await disk.syncFolder(EVENT_FOLDER);
  return { catalog, current: fresh };
}

async function sortNames(
  disk: Disk,
  logger: Logger,
): Promise<{ readonly catalog: Catalog; readonly candidates: readonly Candidate[] }> {
  const catalog = new Catalog();
  const candidates: Candidate[] = [];
  const gone: { readonly path: string; readonly range: Range }[] = [];
  for (const name of await disk.list(EVENT_FOLDER)) {
    const path = `${EVENT_FOLDER}/${name}`;
    const parsed: EventFileName = parseEventFileName(name);
    if (parsed.kind === "sealed") {
      candidates.push({ path, first: parsed.range.from, last: parsed.range.to });
    } else if (parsed.kind === "open") candidates.push({ path, first: parsed.first, last: null });
    else if (parsed.kind === "gone") gone.push({ path, range: parsed.range });
    else if (parsed.kind === "temporary") await disk.remove(path);
    else if (parsed.kind === "unknown") {
      logger.warn("a file in the events' folder holds no events", { file: path });
    }
  }
  for (const { range } of gone) catalog.setGone(range.to);
  for (const { path, range } of gone) {
    if (range.to < catalog.goneThrough) await remove(disk, path);
  }
  // Of files that begin alike the longest comes first: the others are what it was made of, or from.
  const length = (file: Candidate): number => file.last ?? file.first;
  candidates.sort((a, b) => a.first - b.first || length(b) - length(a));
  return { catalog, candidates };
}

async function remove(disk: Disk, path: string): Promise<void> {
  await disk.remove(path);
  await disk.syncFolder(EVENT_FOLDER);
}

/** A sealed file ends with a marker; only that is looked at now, the rest when somebody reads it. */
async function adoptSealed(
  disk: Disk,
  logger: Logger,
  catalog: Catalog,
  path: string,
  range: Range,
): Promise<void> {
  const file = await disk.open(path, "read");
  let bytes: number;
  let end: Uint8Array;
  try {
    bytes = await file.size();
    const from = Math.max(0, bytes - MARKER_BYTES_MAX);
    end = await file.read(from, bytes - from);
  } finally {
    await file.close();
  }
  if (endsWithMarker(end, range.to)) {
    catalog.add({ path, range, bytes, steps: null });
    return;
  }
  const scan = await scanFile(disk, path, range.from, range.to);
  const kept = await salvage(disk, logger, path, range, scan);
  if (kept !== null) catalog.add(kept);
}

function endsWithMarker(end: Uint8Array, through: number): boolean {
  if (end.at(-1) !== LINE_END) return false;
  const from = end.lastIndexOf(LINE_END, end.length - 2) + 1;
  const decoded = decodeLine(end.subarray(from, -1));
  return decoded.kind === "marker" && decoded.through === through;
}

/**
 * The file that reaches up to `replayFrom` or should: the open one, or a sealed one that goes on behind.
 * Returns it as the file to go on with; null if it is not complete that far, which makes it a sealed one.
 */
async function adoptLast(
  disk: Disk,
  logger: Logger,
  catalog: Catalog,
  file: Candidate,
  replayFrom: number,
): Promise<EventFile | null> {
  const { path, first } = file;
  const scan = await scanFile(disk, path, first, file.last ?? Number.MAX_SAFE_INTEGER);
  const source = { path, first, scan };
  if (scan.through < replayFrom) {
    await adoptIncomplete(disk, logger, catalog, source, replayFrom);
    return null;
  }
  const target = openPath(first);
  if (path === target && scan.through === replayFrom && scan.damage === null) {
    return EventFile.resume(disk, path, first, scan);
  }
  const copy = await copyEvents(disk, source, replayFrom, target);
  if (path !== target) await remove(disk, path);
  return EventFile.resume(disk, target, first, copy);
}

async function adoptIncomplete(
  disk: Disk,
  logger: Logger,
  catalog: Catalog,
  source: { readonly path: string; readonly first: number; readonly scan: FileScan },
  replayFrom: number,
): Promise<void> {
  const { path, first, scan } = source;
  const range = { from: first, to: replayFrom };
  if (scan.damage !== null) {
    const kept = await salvage(disk, logger, path, range, scan);
    if (kept !== null) catalog.add(kept);
    return;
  }
  // No line is damaged: the file ends where a snapshot from the leader jumped ahead, or in a crash right
  // after, and what was not synced by then is part of the gap. Or it was cut off between two lines, which
  // looks the same, so the place is said.
  logger.warn("a file of events ends early: what follows must come from another node", {
    file: path,
    offset: scan.bytes,
    from: scan.through + 1,
    to: replayFrom,
  });
  const good = { from: first, to: scan.through };
  if (good.to >= good.from) {
    const target = sealedPath(good);
    const { bytes, steps } = await copyEvents(disk, source, good.to, target);
    catalog.add({ path: target, range: good, bytes, steps });
  }
  await remove(disk, path);
}
