// What befalls disks: operations fail or hang, there is no room, and what was written rots.
//
// Rot has a budget: Raft survives a minority of spoilt disks, so at most that many nodes are touched in a
// run. Each of these faults can be told from a crash (assumption A5 of src/storage/DESIGN.md), strays as
// well: the fill of an unwritten sector belongs to its place, and in another it is damage. What cannot be
// told is left out: a last write that the disk confirms and never makes. A node that refuses its folder
// stays down for the rest of the run, as it would until somebody replaces it.

import { must } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { DiskError } from "../env/disk.ts";
import type { FatalError } from "../node/fatal.ts";
import { decodeSegmentHeader } from "../storage/wal/format.ts";
import type { SimDisk } from "./disk.ts";
import type { DiskOperation } from "./disk-faults.ts";
import { unwrittenSectors, writtenEndOf } from "./segment-sectors.ts";
import type { SimRandom } from "./sim-random.ts";
import type { Life, World } from "./world.ts";

const HANG_TICKS_MAX = 600;
/** A node whose log could not be written for so long must have ended itself: src/node/replica.ts. */
const STALLED_TICKS_MAX = 260;
const HANG_LOOK_TICKS = 10;
const FULL_MS_MAX = 20_000;
const ROOM_BYTES_MAX = 96 * 1024;

const FAILING: readonly DiskOperation[] = [
  "write",
  "write",
  "sync",
  "sync",
  "read",
  "read",
  "open",
  "rename",
  "remove",
  "sync-folder",
  "list",
  "stat",
  "size",
];
const SEGMENTS = /^wal\/[0-9n]/; // the next one keeps its first name as long as it is open
/** Folders stand for themselves in what lists and syncs them; the last one is the root. */
const PLACES = [/^wal(\/|$)/, /^snapshots(\/|$)/, /^events(\/|$)/, /^(node|$)/, /^/];

const SPOILS = ["flip", "flip", "zeros", "foreign", "cut", "lose"] as const;
/** Share of rot that is a write gone astray. */
const STRAYS = 0.15;
/** More than the batches of these clusters take. */
const LAST_BATCH_SECTORS = 40;

export class DiskFate {
  readonly #world: World;
  readonly #random: SimRandom;
  readonly #tickMs: number;
  /** Since when nothing that fate did to a process may have kept it from counting its ticks. */
  readonly #undisturbedSince: (id: NodeId) => number | null;
  readonly #restart: (id: NodeId) => void;
  /** How many hangs there are at once. */
  readonly #hanging = new Map<NodeId, number>();
  readonly #full = new Set<NodeId>();
  /** Disks that have room again: an operation may still say that there was none. */
  readonly #filled = new WeakSet<SimDisk>();
  /** Nodes with rot, and whether there is any outside the history, which no node refuses to start over. */
  readonly #rotten = new Map<NodeId, "history" | "memory">();
  readonly #lost = new Set<NodeId>();
  readonly #releases = new Set<() => void>();
  /** Operations that failed and that hung, over the lives of all disks that are dead. */
  readonly #past = { failed: 0, held: 0 };
  /** A node that a fault should have ended, and did not. */
  problem: string | null = null;

  constructor(
    world: World,
    tickMs: number,
    undisturbedSince: (id: NodeId) => number | null,
    restart: (id: NodeId) => void,
    random: SimRandom,
  ) {
    this.#world = world;
    this.#restart = restart;
    this.#tickMs = tickMs;
    this.#undisturbedSince = undisturbedSince;
    this.#random = random;
    world.watch((event) => {
      if (event.kind !== "gone") return;
      this.#past.failed += event.disk.failed;
      this.#past.held += event.disk.held;
    });
  }

  /** Operations that were made to fail, and to hang, so far. */
  get met(): { readonly failed: number; readonly held: number } {
    const met = { ...this.#past };
    for (const { disk } of this.#world.places) {
      met.failed += disk.failed;
      met.held += disk.held;
    }
    return met;
  }

  /** Nodes whose folders were refused for good. */
  get lost(): ReadonlySet<NodeId> {
    return this.#lost;
  }

  isLost(id: NodeId): boolean {
    return this.#lost.has(id);
  }

  /** Whether nothing about its disk explains that a node does not serve. */
  isWell(id: NodeId): boolean {
    return !this.#full.has(id) && !this.#hanging.has(id);
  }

  /** What to make of a node's end: it may be started again, it may not, or nothing explains it. */
  explains(node: NodeId, error: FatalError): "again" | "lost" | "unexplained" {
    const { disk } = this.#world.place(node);
    if (error.reason === "disk-failed") {
      // A file that is gone may be missed while the node runs; its next start says what that means.
      const isGone = this.#rotten.has(node) && isMissing(error);
      const wasFull = this.#full.has(node) || this.#filled.has(disk);
      const isFull = wasFull && saysNoRoom(error);
      return isGone || isFull || disk.failed > 0 ? "again" : "unexplained";
    }
    if (error.reason === "disk-stalled") return disk.held > 0 ? "again" : "unexplained";
    if (error.reason === "directory-refused" && this.#rotten.get(node) === "memory") {
      this.#lost.add(node);
      return "lost";
    }
    return "unexplained";
  }

  /** The next operation of some kind, somewhere, fails: of this process, or of the one after it. */
  error(): boolean {
    const { id, disk } = this.#random.pick(this.#world.places);
    // A part of it where it matters most: at a write to the log.
    const isLog = this.#random.chance(0.3);
    const operation = isLog ? "write" : this.#random.pick(FAILING);
    const path = isLog ? SEGMENTS : this.#random.pick(PLACES);
    this.#world.trace(`fate: the next ${operation} of node ${id} at ${path} fails`);
    disk.failNext({ operation, path }, "EIO");
    return true;
  }

  hang(): boolean {
    const { id, disk } = this.#random.pick(this.#world.places);
    const isLog = this.#random.chance(0.5);
    const operation = isLog ? "write" : this.#random.pick(["write", "sync", "read"] as const);
    const path = isLog ? SEGMENTS : this.#random.pick(PLACES);
    // Mostly short; now and then so long that the node must give its disk up.
    const ms = this.#random.unit() ** 3 * HANG_TICKS_MAX * this.#tickMs;
    this.#world.trace(`fate: ${operation} of node ${id} at ${path} hangs for ${ms.toFixed(0)} ms`);
    const letGo = disk.hang({ operation, path });
    this.#hanging.set(id, (this.#hanging.get(id) ?? 0) + 1);
    const release = (): void => {
      if (!this.#releases.delete(release)) return;
      const left = must(this.#hanging.get(id), "hangs") - 1;
      if (left > 0) this.#hanging.set(id, left);
      else this.#hanging.delete(id);
      letGo();
    };
    this.#releases.add(release);
    this.#world.clock.after(ms, release);
    if (isLog) this.#expectEnd(id, release);
    return true;
  }

  /** A node that says itself that it cannot write its log ends itself before long. */
  #expectEnd(id: NodeId, release: () => void): void {
    const { clock } = this.#world;
    let stuck: { readonly life: Life; readonly batches: number; readonly sinceMs: number } | null =
      null;
    const look = (): void => {
      if (!this.#releases.has(release)) return;
      const { life } = this.#world.place(id);
      const nowMs = clock.monotonicMs();
      const status = life?.node.status();
      const batches = status?.counters.log_batches ?? 0;
      // Its disk may have met several hangs, one after the other: this one need not be the log's.
      if (life === null || status?.checks.disk === true) stuck = null;
      else if (stuck?.life !== life || stuck.batches !== batches) {
        stuck = { life, batches, sinceMs: nowMs };
      }
      const sinceMs = Math.max(stuck?.sinceMs ?? nowMs, this.#undisturbedSince(id) ?? nowMs);
      if (nowMs - sinceMs > STALLED_TICKS_MAX * this.#tickMs) {
        this.problem ??= `node ${id} goes on, although its log hangs since ${sinceMs.toFixed(0)} ms`;
      }
      clock.after(HANG_LOOK_TICKS * this.#tickMs, look);
    };
    look();
  }

  /** Something else fills the disk, and is removed again after a while. */
  fill(): boolean {
    const { id } = this.#random.pick(this.#world.places);
    if (this.#full.has(id)) return false;
    const room = Math.floor(this.#random.unit() * ROOM_BYTES_MAX);
    this.#world.trace(`fate: the disk of node ${id} has room for ${room} bytes`);
    const { disk } = this.#world.place(id);
    disk.setCapacity(disk.usedBytes + room);
    this.#full.add(id);
    this.#world.clock.after(this.#random.unit() * FULL_MS_MAX, () => this.#makeRoom(id));
    return true;
  }

  #makeRoom(id: NodeId): void {
    if (!this.#full.delete(id)) return;
    this.#world.trace(`fate: the disk of node ${id} has room again`);
    const { disk } = this.#world.place(id);
    this.#filled.add(disk);
    disk.setCapacity(Number.POSITIVE_INFINITY);
  }

  // --- Rot

  rot(): boolean {
    const budget = Math.floor((this.#world.places.length - 1) / 2);
    const may = this.#world.places.filter(
      ({ id }) => !this.isLost(id) && (this.#rotten.has(id) || this.#rotten.size < budget),
    );
    if (may.length === 0) return false;
    const { id, disk } = this.#random.pick(may);
    const pattern = this.#random.pick(PLACES);
    const files = disk.files.filter((path) => pattern.test(path) && disk.peek(path).length > 0);
    if (files.length === 0) return false;
    const path = this.#random.pick(files);
    const strayed = this.#random.chance(STRAYS) ? this.#strayed(disk) : null;
    const done = strayed === null ? this.#spoil(disk, path) : this.#mislead(disk, strayed, path);
    this.#world.trace(`fate: ${path} of node ${id}: ${done}`);
    // What strayed was meant for the log, and is missing there.
    const isMemory = strayed !== null || !path.startsWith("events/");
    if (isMemory) this.#rotten.set(id, "memory");
    else if (!this.#rotten.has(id)) this.#rotten.set(id, "history");
    // Most of what a node has written it reads only when it starts.
    if (this.#random.chance(0.5)) this.#restart(id);
    return true;
  }

  /** Mostly where something stands, often at its end; now and then in the room behind it. */
  #drawSector(bytes: Uint8Array): number {
    const sectors = Math.ceil(bytes.length / SECTOR_BYTES);
    const used = Math.ceil(usedBytes(bytes) / SECTOR_BYTES);
    if (used === 0 || this.#random.chance(0.2)) return this.#random.below(sectors);
    return this.#random.chance(0.3)
      ? Math.max(0, used - this.#random.between(1, 3))
      : this.#random.below(used);
  }

  /** Spoils something in a file and says what. */
  #spoil(disk: SimDisk, path: string): string {
    const bytes = disk.peek(path);
    const sector = this.#drawSector(bytes);
    const kind = this.#random.pick(SPOILS);
    switch (kind) {
      case "flip": {
        const at = Math.min(
          sector * SECTOR_BYTES + this.#random.below(SECTOR_BYTES),
          bytes.length - 1,
        );
        const bit = this.#random.below(8);
        disk.flip(path, at, 1 << bit);
        return `bit ${bit} of byte ${at} flips`;
      }
      case "zeros":
        disk.overwrite(path, sector, new Uint8Array(SECTOR_BYTES));
        return `sector ${sector} reads as zeros`;
      case "foreign": {
        // As if a write had hit two places.
        const other = this.#random.pick(disk.files.filter((file) => disk.peek(file).length > 0));
        const theirs = disk.peek(other);
        const from = SECTOR_BYTES * this.#random.below(Math.ceil(theirs.length / SECTOR_BYTES));
        const stray = theirs.slice(from, from + SECTOR_BYTES);
        disk.overwrite(path, sector, stray);
        return `sector ${sector} holds ${other} at ${from}`;
      }
      case "cut": {
        const size = Math.min(
          sector * SECTOR_BYTES + this.#random.below(SECTOR_BYTES),
          bytes.length - 1,
        );
        disk.truncate(path, size);
        return `is cut to ${size} bytes`;
      }
      case "lose":
        disk.lose(path);
        return "is gone";
    }
  }

  /** A write went astray: the place it was meant for still holds what was there before. */
  #mislead(
    disk: SimDisk,
    meant: { readonly from: string; readonly at: number },
    path: string,
  ): string {
    const { at, from } = meant;
    const moved = disk.peek(from).slice(at, at + SECTOR_BYTES);
    const sector = this.#drawSector(disk.peek(path));
    disk.overwrite(from, at / SECTOR_BYTES, unwrittenSectors(disk.peek(from), at));
    disk.overwrite(path, sector, moved);
    return `sector ${sector} holds what was meant for ${from} at ${at}, which was never written`;
  }

  /**
   * A sector of the log that a write could have missed, and that what follows shows to be missing: not of
   * the last batch, which nobody but the other nodes could miss.
   */
  #strayed(disk: SimDisk): { readonly from: string; readonly at: number } | null {
    const segments = disk.files.filter((file) => SEGMENTS.test(file));
    const from = segments[this.#random.below(Math.max(1, segments.length))];
    if (from === undefined) return null;
    const bytes = disk.peek(from);
    if (decodeSegmentHeader(bytes).kind !== "header") return null;
    const isLast = from === segments.findLast((file) => !file.endsWith("next.tmp"));
    const sectors = writtenEndOf(bytes) / SECTOR_BYTES - (isLast ? LAST_BATCH_SECTORS : 0);
    if (sectors <= 1) return null;
    return { from, at: SECTOR_BYTES * this.#random.between(1, sectors - 1) };
  }

  /** Disks answer again and have room. Rot stays. */
  mend(): void {
    for (const release of this.#releases) release();
    for (const id of this.#full) this.#makeRoom(id);
    for (const { disk } of this.#world.places) disk.forgive();
  }
}

/** Where the room begins that nobody has written to yet. */
function usedBytes(file: Uint8Array): number {
  const isSegment = decodeSegmentHeader(file).kind === "header";
  return isSegment ? writtenEndOf(file) : file.findLastIndex((byte) => byte !== 0) + 1;
}

function isMissing({ cause }: FatalError): boolean {
  return cause instanceof DiskError && cause.code === "ENOENT";
}

function saysNoRoom({ cause }: FatalError): boolean {
  return cause instanceof DiskError && cause.code === "ENOSPC";
}
