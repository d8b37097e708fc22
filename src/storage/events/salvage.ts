// Takes what is good out of a file of events. A line that cannot be believed ends what is kept of its
// file: the rest becomes a gap, to be filled from a peer. History is derived from the log, so a damaged
// file of it is no reason to refuse to start, and every reason to say so loudly.

import { EVENT_CHUNK_BYTES } from "../../base/limits.ts";
import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { EVENT_FOLDER } from "../names.ts";
import type { SealedFile } from "./catalog.ts";
import { EventFile } from "./event-file.ts";
import type { EventLine } from "./line.ts";
import { DAMAGED_SUFFIX, type Range, TEMPORARY_SUFFIX, sealedPath } from "./names.ts";
import { type FileScan, LineChecker, linesOf } from "./scan.ts";

/**
 * Copies the events of `source` up to `through` into a new file under `target`, marked and synced.
 * `scan` says what the source holds. `target` may be the source itself, which is then replaced.
 */
export async function copyEvents(
  disk: Disk,
  source: { readonly path: string; readonly first: number; readonly scan: FileScan },
  through: number,
  target: string,
): Promise<FileScan> {
  const temporary = `${target}${TEMPORARY_SUFFIX}`;
  if ((await disk.stat(temporary)) !== null) await disk.remove(temporary);
  const copy = await EventFile.create(disk, temporary, source.first);
  try {
    for await (const chunk of goodEvents(disk, source, through)) {
      await copy.append(chunk, chunk.at(-1)?.index ?? copy.through);
    }
    await copy.append([], Math.min(through, source.scan.through));
    await copy.mark();
  } finally {
    await copy.close();
  }
  await disk.rename(temporary, target);
  await disk.syncFolder(EVENT_FOLDER);
  const { lines, bytes, steps } = copy;
  return { through: copy.through, lines, bytes, steps, isMarked: true, damage: null };
}

async function* goodEvents(
  disk: Disk,
  source: { readonly path: string; readonly first: number; readonly scan: FileScan },
  through: number,
): AsyncGenerator<readonly EventLine[]> {
  const file = await disk.open(source.path, "read");
  try {
    const checker = new LineChecker(source.first, Number.MAX_SAFE_INTEGER);
    let chunk: EventLine[] = [];
    let chars = 0;
    for await (const raw of linesOf(file, 0, source.scan.bytes)) {
      const event = "what" in raw ? raw.what : checker.take(raw.bytes);
      if (typeof event === "string" || (event !== null && event.index > through)) break;
      if (event === null) continue;
      chunk.push(event);
      chars += event.line.length;
      if (chars < EVENT_CHUNK_BYTES) continue;
      yield chunk;
      [chunk, chars] = [[], 0];
    }
    if (chunk.length > 0) yield chunk;
  } finally {
    await file.close();
  }
}

/**
 * Replaces a sealed file that is damaged by one with what is good of it, and keeps the damaged one aside.
 * Null if nothing of it is.
 */
export async function salvage(
  disk: Disk,
  logger: Logger,
  path: string,
  range: Range,
  scan: FileScan,
): Promise<SealedFile | null> {
  logger.warn("a file of events is damaged: what follows must come from another node", {
    file: path,
    offset: scan.damage?.offset ?? scan.bytes,
    what: scan.damage?.what ?? `the file ends before index ${range.to}`,
    from: scan.through + 1,
    to: range.to,
  });
  const good = { from: range.from, to: Math.min(scan.through, range.to) };
  const kept = good.to >= good.from ? await keepGood(disk, path, good, scan) : null;
  // Nothing but the end behind the last event was bad: the copy has taken the file's place.
  if (kept?.path === path) return kept;
  await disk.rename(path, `${path}${DAMAGED_SUFFIX}`);
  await disk.syncFolder(EVENT_FOLDER);
  return kept;
}

async function keepGood(
  disk: Disk,
  path: string,
  good: Range,
  scan: FileScan,
): Promise<SealedFile> {
  const target = sealedPath(good);
  const { bytes, steps } = await copyEvents(
    disk,
    { path, first: good.from, scan },
    good.to,
    target,
  );
  return { path: target, range: good, bytes, steps };
}
