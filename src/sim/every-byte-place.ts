// What a node must say of a folder that was damaged: the very place, and what is lost behind it. Held
// against the folder as it was before.

import { assert, must } from "../base/assert.ts";
import { decodeUtf8 } from "../base/bytes.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { folderOf } from "../env/disk.ts";
import type { FatalError } from "../node/fatal.ts";
import type { Range } from "../storage/events/names.ts";
import { EVENT_FOLDER, NODE_FILE, SNAPSHOT_FOLDER, WAL_FOLDER } from "../storage/names.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../storage/wal/format.ts";
import { scanSegment } from "../storage/wal/segment-scan.ts";
import { WATERMARK_PATH } from "../storage/wal/watermark.ts";
import type { SimDisk } from "./disk.ts";
import { type Damage, isSegment } from "./every-byte-damage.ts";
import { writtenEndOf } from "./segment-sectors.ts";

const ADVICE = /docs\/operations\.md, "[A-Z]/;

/**
 * What is wrong with a refusal; null if it says what it must. `whole` is the folder before the damage.
 *
 * There is one reason to refuse. Above all not "version-unknown": another version is the right advice only
 * where a checksum vouches for the version's number, and no damage makes such a file.
 */
export function wrongRefusal(whole: SimDisk, damage: Damage, error: FatalError): string | null {
  const { message, reason } = error;
  if (reason !== "directory-refused") return `ended as ${reason}`;
  if (!ADVICE.test(message)) return "no advice";
  if (!isNeeded(damage.path)) return "it could have started";
  const place = placeIn(whole, message);
  return place === null ? "no file and byte" : wrongPlace(whole, damage, place);
}

/** Events can be done without, of snapshots there are two, and the next segment is made anew. */
function isNeeded(path: string): boolean {
  const files = [NODE_FILE, WATERMARK_PATH];
  return (
    files.includes(path) || isSegment(path) || ["", WAL_FOLDER, SNAPSHOT_FOLDER].includes(path)
  );
}

/** A file and a byte of it, as messages name them. */
interface Place {
  readonly file: string;
  readonly byte: number;
}

function placeIn({ root }: SimDisk, message: string): Place | null {
  const [, path = "", byte = ""] = /^(.+?), byte (\d+): /.exec(message) ?? [];
  if (!path.startsWith(`${root}/`)) return null;
  return { file: path.slice(root.length + 1), byte: Number(byte) };
}

/** Null if the place is where the damage is. */
function wrongPlace(whole: SimDisk, damage: Damage, place: Place): string | null {
  const { kind, path } = damage;
  if (kind === "emptied") {
    const isOfFolder = path === "" || folderOf(place.file) === path;
    const isGone = isOfFolder && whole.files.includes(place.file);
    return isGone && place.byte === 0 ? null : "what is named is not what is gone";
  }
  if (kind === "gone") return wrongPlaceOfGone(whole, path, place);
  if (place.file !== path) return "another file is named";
  const from = partStart(path, whole.peek(path), damage.at);
  if (place.byte < from) return `a place before the damaged part, from ${from} on, is named`;
  return place.byte > damage.at ? "a place behind the damage is named" : null;
}

/**
 * Of a file that is gone its name. A segment's name is known to nobody but its neighbours: one in the
 * middle, or the first, is missed by the one behind it; the last by the one before it, which is not gone
 * on with where it ends.
 */
function wrongPlaceOfGone(whole: SimDisk, path: string, { byte, file }: Place): string | null {
  const wanted = isSegment(path) ? neighbourOf(whole, path) : { file: path, byte: 0 };
  const isRight = file === wanted.file && byte === wanted.byte;
  return isRight ? null : `${wanted.file}, byte ${wanted.byte} should be named`;
}

function neighbourOf(whole: SimDisk, path: string): Place {
  const segments = whole.files.filter(isSegment);
  const at = segments.indexOf(path);
  const behind = segments[at + 1];
  if (behind !== undefined) return { file: behind, byte: 0 };
  const before = must(segments[at - 1], "a segment before the last");
  return { file: before, byte: writtenEndOf(whole.peek(before)) };
}

/** Where what is read and checked as one begins: damage in it can only be found as damage to all of it. */
function partStart(path: string, bytes: Uint8Array, at: number): number {
  if (path === NODE_FILE) return 0; // one checksum over all of it
  if (isSegment(path)) return partStartOfSegment(bytes, at);
  return sectorStart(at); // a slot of the sync record
}

function sectorStart(at: number): number {
  return at - (at % SECTOR_BYTES);
}

/** Of the header, a batch, or a sector that was never written. */
function partStartOfSegment(bytes: Uint8Array, at: number): number {
  const decoded = decodeSegmentHeader(bytes);
  assert(decoded.kind === "header", "a segment with a good header");
  if (at < SEGMENT_HEADER_BYTES) return 0;
  for (const { extent, offset } of scanSegment(bytes, decoded.header)) {
    if (at >= offset && at < offset + extent) return offset;
  }
  return sectorStart(at);
}

// --- Events

const LINE_END = 0x0a;

/** What was logged, read back: the level and the sentence are not judged, the fields are. */
interface Said {
  readonly file?: string;
  readonly offset?: number;
  readonly from?: number;
  readonly to?: number;
}

/**
 * What is wrong with what a node says of the events that it does not have; null if it is right.
 * `missing` are the indexes that it says are missing when they are read.
 */
export function wrongAboutEvents(
  whole: SimDisk,
  damage: Damage,
  missing: readonly number[],
  complaints: readonly string[],
): string | null {
  const said = complaints.map(fieldsOf).filter(isRange);
  const lost = rangeOf(missing);
  if (lost === null) return "more than one part is missing";
  const wrong = said.find(({ from, to }) => from !== lost.from || to !== lost.to);
  if (wrong !== undefined) {
    const what = missing.length === 0 ? "nothing" : `${lost.from} to ${lost.to}`;
    return `missing is ${what}, and it says ${wrong.from} to ${wrong.to}`;
  }
  if (missing.length === 0) return null;
  const held = indexesAtRisk(whole, damage);
  const [first = 0] = held;
  const last = held.at(-1) ?? 0;
  // Behind a bad line nothing of its file is believed: to the file's end, that may be. Before it all is.
  const before = indexesOf(whole).find(
    (index) => isIn(lost, index) && !(index >= first && index <= last),
  );
  if (before !== undefined) return `event ${before} is missing, which was not damaged`;
  return said.some((one) => isAboutPlace(whole, damage, one))
    ? null
    : `it does not say where that begins which left ${lost.from} to ${lost.to} missing`;
}

/** Null if it is more than one; empty if there are none. */
function rangeOf(indexes: readonly number[]): Range | null {
  const [from = 0] = indexes;
  return indexes.every((index, i) => index === from + i)
    ? { from, to: from + indexes.length - 1 }
    : null;
}

function isIn({ from, to }: Range, index: number): boolean {
  return index >= from && index <= to;
}

/** Whether events are said to be missing: a range may also be empty, where only a marker was damaged. */
function isRange({ from, to }: Said): boolean {
  return from !== undefined && to !== undefined && from <= to;
}

/** Where a whole file is gone, its range says all there is to say. */
function isAboutPlace(whole: SimDisk, damage: Damage, { file, offset }: Said): boolean {
  if (!("at" in damage)) return true;
  return file === damage.path && offset === lineStart(whole.peek(damage.path), damage.at);
}

/** The fields stand behind the sentence, as JSON. */
function fieldsOf(complaint: string): Said {
  const at = complaint.indexOf(" {");
  return at < 0 ? {} : (JSON.parse(complaint.slice(at)) as Said); // written by the world's own logger
}

function lineStart(bytes: Uint8Array, at: number): number {
  return at === 0 ? 0 : bytes.lastIndexOf(LINE_END, at - 1) + 1;
}

/** The events that stood in the damaged line and behind it in its file, or in the files that are gone. */
function indexesAtRisk(whole: SimDisk, damage: Damage): readonly number[] {
  if (damage.kind === "emptied") return indexesOf(whole);
  const bytes = whole.peek(damage.path);
  return indexesIn(bytes.subarray("at" in damage ? lineStart(bytes, damage.at) : 0));
}

function indexesOf(whole: SimDisk): readonly number[] {
  const files = whole.files.filter((path) => path.startsWith(`${EVENT_FOLDER}/`));
  return files.flatMap((path) => indexesIn(whole.peek(path)));
}

function indexesIn(lines: Uint8Array): readonly number[] {
  return [...decodeUtf8(lines).matchAll(/^\{"index":(\d+),/gm)].map(([, index]) => Number(index));
}
