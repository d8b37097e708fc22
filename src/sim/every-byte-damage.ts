// All the ways in which one file of a data folder can be damaged, one at a time: each byte flipped in
// three ways, the file cut at each offset, each sector zeroed, the file gone, a whole folder gone; and
// each sector of the log as it was before it was written, which is what a write leaves that never was.
//
// Only what storage's assumption A5 speaks of (src/storage/DESIGN.md): one file, after the process has
// ended. What crashes leave is storage.crash.test.ts's and the simulator's.

import { assert } from "../base/assert.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { folderOf } from "../env/disk.ts";
import { WAL_FOLDER } from "../storage/names.ts";
import { SEGMENT_SUFFIX } from "../storage/wal/segments.ts";
import type { SimDisk } from "./disk.ts";
import { isUnwrittenAt, unwrittenSectors } from "./segment-sectors.ts";
import type { SimRandom } from "./sim-random.ts";

export type Damage =
  | { readonly kind: "flip"; readonly path: string; readonly at: number; readonly mask: number }
  | { readonly kind: "cut"; readonly path: string; readonly at: number }
  | { readonly kind: "zero"; readonly path: string; readonly at: number }
  /** The disk confirmed the write of this sector of a log segment, and never made it. */
  | { readonly kind: "unwrite"; readonly path: string; readonly at: number }
  | { readonly kind: "gone"; readonly path: string }
  /** Every file in a folder, or with "" every file there is. */
  | { readonly kind: "emptied"; readonly path: string };

/** The lowest bit, the highest, and all of them. */
const MASKS = [0x01, 0x80, 0xff];

/** `flips`: how many of the masks each byte is tried with; with one, they take turns. */
export function damagesOf(disk: SimDisk, flips: 1 | 3): readonly Damage[] {
  const { files } = disk;
  const folders = [...new Set(files.map(folderOf))].toSorted();
  return [
    ...files.flatMap((path) => damagesOfFile(path, disk.peek(path), flips)),
    ...folders.map((path): Damage => ({ kind: "emptied", path })),
  ];
}

function damagesOfFile(path: string, bytes: Uint8Array, flips: 1 | 3): readonly Damage[] {
  const all: Damage[] = [];
  for (let at = 0; at < bytes.length; at++) {
    for (const [turn, mask] of MASKS.entries()) {
      if (flips === 3 || turn === at % MASKS.length) all.push({ kind: "flip", path, at, mask });
    }
    all.push({ kind: "cut", path, at });
    if (at % SECTOR_BYTES !== 0) continue;
    if (!isZero(bytes, at)) all.push({ kind: "zero", path, at });
    if (isSegment(path) && !isUnwrittenAt(bytes, at)) all.push({ kind: "unwrite", path, at });
  }
  all.push({ kind: "gone", path });
  return all;
}

function isZero(bytes: Uint8Array, sectorAt: number): boolean {
  return bytes.subarray(sectorAt, sectorAt + SECTOR_BYTES).every((byte) => byte === 0);
}

/** `count` of them: all that touch a whole file, and of the rest what `random` picks. */
export function sampleOf(
  damages: readonly Damage[],
  count: number,
  random: SimRandom,
): readonly Damage[] {
  const whole = damages.filter(({ kind }) => kind === "gone" || kind === "emptied");
  const rest = damages.filter((damage) => !whole.includes(damage));
  // Kind by kind and file by file, or flips in the unused end of a segment would be most of the sample.
  const byKind = new Map<string, Damage[]>();
  for (const damage of rest) {
    const key = `${damage.kind} ${damage.path}`;
    const group = byKind.get(key);
    if (group === undefined) byKind.set(key, [damage]);
    else group.push(damage);
  }
  const groups = [...byKind.values()];
  const picked = Array.from({ length: Math.max(0, count - whole.length) }, () =>
    random.pick(random.pick(groups)),
  );
  return [...whole, ...picked];
}

export async function applyDamage(disk: SimDisk, damage: Damage): Promise<void> {
  const { kind, path } = damage;
  switch (kind) {
    case "flip":
      return disk.flip(path, damage.at, damage.mask);
    case "cut":
      return disk.truncate(path, damage.at);
    case "zero": {
      const sector = disk.peek(path).subarray(damage.at, damage.at + SECTOR_BYTES);
      for (const [i, byte] of sector.entries()) disk.flip(path, damage.at + i, byte);
      return;
    }
    case "unwrite":
      return disk.overwrite(
        path,
        damage.at / SECTOR_BYTES,
        unwrittenSectors(disk.peek(path), damage.at),
      );
    case "gone":
      return disk.remove(path);
    case "emptied":
      for (const file of disk.files) {
        if (path === "" || folderOf(file) === path) await disk.remove(file);
      }
  }
}

export function describeDamage(damage: Damage): string {
  const { kind, path } = damage;
  switch (kind) {
    case "flip":
      return `${path}: byte ${damage.at} XOR 0x${damage.mask.toString(16)}`;
    case "cut":
      return `${path}: cut to ${damage.at} bytes`;
    case "zero":
      return `${path}: sector at ${damage.at} zeroed`;
    case "unwrite":
      return `${path}: sector at ${damage.at} as before it was written`;
    case "gone":
      return `${path}: removed`;
    case "emptied":
      return `${path}/: all files removed`;
  }
}

/** What a file is, as the table of results names it. */
export type FileKind =
  | "node.json"
  | "log segment in use"
  | "older log segment"
  | "log segment, unused space"
  | "next segment"
  | "sync record"
  | "newest snapshot"
  | "older snapshot"
  | "events"
  | "whole folder";

export function fileKindOf(disk: SimDisk, damage: Damage): FileKind {
  const { kind, path } = damage;
  if (kind === "emptied") return "whole folder";
  if (path === "node.json") return path;
  if (path === "wal/next.tmp") return "next segment";
  if (path === "wal/synced") return "sync record";
  if (path.startsWith("events/")) return "events";
  const alike = disk.files.filter((file) => suffixOf(file) === suffixOf(path));
  const isNewest = alike.at(-1) === path;
  if (path.startsWith("snapshots/")) return isNewest ? "newest snapshot" : "older snapshot";
  assert(isSegment(path), () => `${path} is of a kind that is known`);
  const isPlace = kind === "flip" || kind === "zero";
  if (isPlace && isUnwrittenAt(disk.peek(path), damage.at)) return "log segment, unused space";
  return isNewest ? "log segment in use" : "older log segment";
}

export function isSegment(path: string): boolean {
  return path.startsWith(`${WAL_FOLDER}/`) && path.endsWith(SEGMENT_SUFFIX);
}

function suffixOf(path: string): string {
  return path.slice(path.lastIndexOf("."));
}
