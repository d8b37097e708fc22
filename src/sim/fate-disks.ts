// What befalls disks: operations fail or hang, there is no room, and what was written rots.
//
// Rot has a budget: Raft survives a minority of spoilt disks, so at most that many nodes are touched in a
// run. Each of these faults can be told from a crash (assumption A5 of src/storage/DESIGN.md), strays as
// well: the fill of an unwritten sector belongs to its place, and in another it is damage. What cannot be
// told is left out: a write that the disk confirms and never makes. A node that refuses its folder stays
// down for the rest of the run, as it would until somebody replaces it.

import { must } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { DiskError } from "../env/disk.ts";
import type { FatalError } from "../node/fatal.ts";
import { decodeSegmentHeader } from "../storage/wal/format.ts";
import type { SimDisk } from "./disk.ts";
import type { DiskOperation } from "./disk-faults.ts";
import { writtenEndOf } from "./segment-sectors.ts";
import type { SimRandom } from "./sim-random.ts";
import type { Place, World } from "./world.ts";

const HANG_MS_MAX = 20_000;
const FULL_MS_MAX = 20_000;
const ROOM_BYTES_MAX = 96 * 1024;

const FAILING: readonly DiskOperation[] = [
  "write",
  "write",
  "sync",
  "sync",
  "read",
  "open",
  "rename",
  "remove",
  "sync-folder",
  "list",
];
const SEGMENTS = /^wal\/[0-9n]/; // the next one keeps its first name as long as it is open
const PLACES = [/^wal\//, /^snapshots\//, /^events\//, /^node/, /./];

export class DiskFate {
  readonly #world: World;
  readonly #random: SimRandom;
  /** Disks on which an operation was made to fail; another process, another disk. */
  readonly #failing = new WeakSet<SimDisk>();
  /** Disks that hang, and how often at once; and those that ever did. */
  readonly #hanging = new Map<SimDisk, number>();
  readonly #hung = new WeakSet<SimDisk>();
  readonly #full = new Set<NodeId>();
  /** Disks that have room again: an operation may still say that there was none. */
  readonly #filled = new WeakSet<SimDisk>();
  readonly #rotten = new Set<NodeId>();
  readonly #lost = new Set<NodeId>();
  readonly #releases = new Set<() => void>();

  constructor(world: World, random: SimRandom) {
    this.#world = world;
    this.#random = random;
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
    return !this.#full.has(id) && !this.#hanging.has(this.#world.place(id).disk);
  }

  /** What to make of a node's end: it may be started again, it may not, or nothing explains it. */
  explains(node: NodeId, error: FatalError): "again" | "lost" | "unexplained" {
    const { disk } = this.#world.place(node);
    if (error.reason === "disk-failed") {
      // A file that is gone may be missed while the node runs; its next start says what that means.
      const isGone = this.#rotten.has(node) && isMissing(error);
      const wasFull = this.#full.has(node) || this.#filled.has(disk);
      const isFull = wasFull && saysNoRoom(error);
      return isGone || isFull || this.#failing.has(disk) ? "again" : "unexplained";
    }
    if (error.reason === "disk-stalled") return this.#hung.has(disk) ? "again" : "unexplained";
    if (error.reason === "directory-refused" && this.#rotten.has(node)) {
      this.#lost.add(node);
      return "lost";
    }
    return "unexplained";
  }

  #pickPlace(): Place | null {
    const running = this.#world.places.filter((place) => place.clock !== null);
    return running.length === 0 ? null : this.#random.pick(running);
  }

  /** The next operation of some kind, somewhere, fails. */
  error(): boolean {
    const place = this.#pickPlace();
    if (place === null) return false;
    // Half of it where it matters most: at a write to the log.
    const isLog = this.#random.chance(0.5);
    const operation = isLog ? "write" : this.#random.pick(FAILING);
    const path = isLog ? SEGMENTS : this.#random.pick(PLACES);
    this.#world.trace(`fate: the next ${operation} of node ${place.id} at ${path} fails`);
    place.disk.failNext({ operation, path }, "EIO");
    this.#failing.add(place.disk);
    return true;
  }

  hang(): boolean {
    const place = this.#pickPlace();
    if (place === null) return false;
    const { id, disk } = place;
    const operation = this.#random.pick(["write", "write", "sync", "read"] as const);
    const path = this.#random.pick(PLACES);
    // Mostly short; now and then so long that the node must give its disk up.
    const ms = this.#random.unit() ** 3 * HANG_MS_MAX;
    this.#world.trace(`fate: ${operation} of node ${id} at ${path} hangs for ${ms.toFixed(0)} ms`);
    const letGo = disk.hang({ operation, path });
    this.#hung.add(disk);
    this.#hanging.set(disk, (this.#hanging.get(disk) ?? 0) + 1);
    const release = (): void => {
      if (!this.#releases.delete(release)) return;
      const left = must(this.#hanging.get(disk), "hangs") - 1;
      if (left > 0) this.#hanging.set(disk, left);
      else this.#hanging.delete(disk);
      letGo();
    };
    this.#releases.add(release);
    this.#world.clock.after(ms, release);
    return true;
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
    const done = this.#spoil(disk, path);
    this.#world.trace(`fate: ${path} of node ${id}: ${done}`);
    this.#rotten.add(id);
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
    const kind = this.#random.pick(["flip", "flip", "zeros", "foreign", "cut", "lose"] as const);
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
        // A write that went astray: this sector holds what was meant for another.
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
