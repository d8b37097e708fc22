// What lies on a simulated disk, and what a power failure may leave of it. Content has two sides: what
// the operating system shows (written, perhaps only in its memory) and what is durable.
//
// The rules, which are the assumptions of src/storage/DESIGN.md:
//   - A sector of 512 bytes is written whole or not at all. Of the versions a sector had since it was
//     last durable, any one may survive, whatever survives of its neighbours, the later ones included.
//   - A file's size may be any it had since its size was last durable. What lies between the surviving
//     content and the surviving size reads as zeros.
//   - A change of a folder happens whole or not at all (a rename never shows both names or none). Of
//     those not yet synced, any may have happened, in any combination.
//   - What was synced survives. After a failed sync, or a failed durable write, nothing of the file that
//     waited ever becomes durable, although it can still be read (Linux marks the pages clean). Changes of
//     a folder whose sync failed still wait: a journal is written or the file system stops.

import { must } from "../base/assert.ts";
import { SECTOR_BYTES } from "../base/limits.ts";
import { type Random, below } from "../env/random.ts";

/** What chance a crash gives to what was not synced. */
export class Fate {
  readonly #random: Random;
  readonly #mood: number;

  constructor(random: Random) {
    this.#random = random;
    this.#mood = below(random, 6);
  }

  /** Which of `count` versions survives: 0 is the durable one, the last is the newest. */
  choose(count: number): number {
    switch (this.#mood) {
      case 0: // the disk had written nothing
        return 0;
      case 1: // and here all of it
        return count - 1;
      case 2: // all but a little
        return below(this.#random, 8) === 0 ? below(this.#random, count) : count - 1;
      case 3: // a little only
        return below(this.#random, 8) === 0 ? below(this.#random, count) : 0;
      default:
        return below(this.#random, count);
    }
  }
}

/** Bytes that grow at the end; what lies between the old end and a write is zero. */
class Content {
  #bytes: Uint8Array;
  #length: number;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  slice(from = 0, to = this.#length): Uint8Array {
    return this.#bytes.slice(from, Math.min(to, this.#length));
  }

  resize(length: number): void {
    if (length > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      bigger.set(this.#bytes);
      this.#bytes = bigger;
    }
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
  }

  set(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.#length) this.resize(at + bytes.length);
    this.#bytes.set(bytes, at);
  }

  flip(at: number, mask: number): void {
    if (at < this.#length) this.#bytes[at] = must(this.#bytes[at], "byte") ^ mask;
  }
}

/** A write on its way: it may survive a crash in any part. */
export interface WriteUnderWay {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Maps old nodes to their copies, so that a copy of the whole has the same shape. */
export type Copies = Map<ImageNode, ImageNode>;
export type ImageNode = FileImage | FolderImage;

export class FileImage {
  readonly kind = "file";
  readonly #shown: Content;
  readonly #durable: Content;
  /** By sector number: what it held after each write that is not durable, oldest first. */
  readonly #versions = new Map<number, readonly Uint8Array[]>();
  /** The sizes the file had since its size was last durable, growing. */
  #sizes: readonly number[] = [];
  readonly #underWay = new Set<WriteUnderWay>();

  constructor(shown: Uint8Array = new Uint8Array(0), durable: Uint8Array = shown.slice()) {
    this.#shown = new Content(shown);
    this.#durable = new Content(durable);
  }

  get size(): number {
    return this.#shown.length;
  }

  read(at: number, length: number): Uint8Array {
    return this.#shown.slice(at, at + length);
  }

  begin(write: WriteUnderWay): void {
    this.#underWay.add(write);
  }

  /** A write is done: it shows, and a crash may still take any part of it back. */
  land(write: WriteUnderWay): void {
    this.#underWay.delete(write);
    this.#show(write.at, write.bytes);
  }

  /** A write did not get to its end: any of its sectors may have been written all the same. */
  landPartly(write: WriteUnderWay, fate: Fate): void {
    this.#underWay.delete(write);
    for (const part of sectorsOf(write)) {
      if (fate.choose(2) === 1) this.#show(part.at, part.bytes);
    }
  }

  #show(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.#shown.length) this.#sizes = [...this.#sizes, end];
    this.#shown.set(at, bytes);
    for (const sector of sectorRange(at, end)) {
      const from = sector * SECTOR_BYTES;
      const version = this.#shown.slice(from, from + SECTOR_BYTES);
      this.#versions.set(sector, [...(this.#versions.get(sector) ?? []), version]);
    }
  }

  /** Begins a sync; the function returned completes it for what had been written by now. */
  beginSync(): () => void {
    const newest = [...this.#versions].map(([sector, list]) => [sector, list.at(-1)] as const);
    const size = this.#shown.length;
    return () => {
      for (const [sector, version] of newest) this.#harden(sector, version);
      this.#hardenSize(size);
    };
  }

  /** Makes what a write touched durable, as it shows now. */
  hardenWrite(write: WriteUnderWay): void {
    for (const sector of sectorRange(write.at, write.at + write.bytes.length)) {
      this.#harden(sector, this.#versions.get(sector)?.at(-1));
    }
    this.#hardenSize(this.#shown.length);
  }

  #harden(sector: number, version: Uint8Array | undefined): void {
    const versions = this.#versions.get(sector) ?? [];
    const place = version === undefined ? -1 : versions.indexOf(version);
    if (version === undefined || place < 0) return; // another sync was faster
    this.#durable.set(sector * SECTOR_BYTES, version);
    if (place === versions.length - 1) this.#versions.delete(sector);
    else this.#versions.set(sector, versions.slice(place + 1));
  }

  #hardenSize(size: number): void {
    if (size > this.#durable.length) this.#durable.resize(size);
    this.#sizes = this.#sizes.filter((later) => later > size);
  }

  /** A sync failed: what waited for it shows, and will never be durable. */
  forgetPending(): void {
    this.#versions.clear();
    this.#sizes = [];
  }

  /** Rot: a byte changes behind everybody's back. */
  flip(at: number, mask: number): void {
    this.#shown.flip(at, mask);
    this.#durable.flip(at, mask);
    const sector = Math.floor(at / SECTOR_BYTES);
    const versions = this.#versions.get(sector);
    if (versions === undefined) return;
    const flipped = versions.map((version) => {
      const content = new Content(version.slice());
      content.flip(at % SECTOR_BYTES, mask);
      return content.slice();
    });
    this.#versions.set(sector, flipped);
  }

  /** Damage: a sector holds something else. What lies beyond the end of `bytes` or of the file stays. */
  overwrite(sector: number, bytes: Uint8Array): void {
    const from = sector * SECTOR_BYTES;
    for (const side of [this.#shown, this.#durable]) {
      const length = Math.min(bytes.length, SECTOR_BYTES, side.length - from);
      if (length > 0) side.set(from, bytes.subarray(0, length));
    }
    this.#versions.delete(sector); // none of those will come to be
  }

  /** Damage: the end of the file is gone. */
  truncate(size: number): void {
    this.#shown.resize(Math.min(size, this.#shown.length));
    this.#durable.resize(Math.min(size, this.#durable.length));
    this.forgetPending();
  }

  /** What a power failure leaves. */
  survive(fate: Fate): FileImage {
    for (const write of this.#underWay) this.landPartly(write, fate);
    const sizes = [this.#durable.length, ...this.#sizes];
    const size = must(sizes[fate.choose(sizes.length)], "size");
    const left = new Content(this.#durable.slice());
    for (const [sector, versions] of this.#versions) {
      const version = versions[fate.choose(versions.length + 1) - 1];
      if (version !== undefined) left.set(sector * SECTOR_BYTES, version);
    }
    left.resize(size);
    return new FileImage(left.slice());
  }

  /** What the operating system goes on with when a process is killed. */
  outlive(fate: Fate): FileImage {
    for (const write of this.#underWay) this.landPartly(write, fate);
    return this.copy();
  }

  copy(): FileImage {
    const other = new FileImage(this.#shown.slice(), this.#durable.slice());
    other.#sizes = this.#sizes;
    for (const [sector, versions] of this.#versions) other.#versions.set(sector, versions);
    for (const write of this.#underWay) other.#underWay.add(write);
    return other;
  }
}

export type FolderChange =
  | { readonly kind: "link"; readonly name: string; readonly node: ImageNode }
  | { readonly kind: "unlink"; readonly name: string; readonly node: ImageNode }
  | {
      readonly kind: "rename";
      readonly from: string;
      readonly to: string;
      readonly node: ImageNode;
    };

export class FolderImage {
  readonly kind = "folder";
  readonly #shown = new Map<string, ImageNode>();
  readonly #durable = new Map<string, ImageNode>();
  /** Changes that show and are not durable, oldest first. */
  #pending: readonly FolderChange[] = [];
  readonly #underWay = new Set<FolderChange>();

  get names(): readonly string[] {
    return [...this.#shown.keys()].toSorted();
  }

  get(name: string): ImageNode | undefined {
    return this.#shown.get(name);
  }

  begin(change: FolderChange): void {
    this.#underWay.add(change);
  }

  cancel(change: FolderChange): void {
    this.#underWay.delete(change);
  }

  land(change: FolderChange): void {
    this.#underWay.delete(change);
    applyChange(this.#shown, change);
    this.#pending = [...this.#pending, change];
  }

  /** Begins a sync; the function returned completes it for the changes made by now. */
  beginSync(): () => void {
    const changes = new Set(this.#pending);
    return () => {
      for (const change of this.#pending) {
        if (changes.has(change)) applyChange(this.#durable, change);
      }
      this.#pending = this.#pending.filter((change) => !changes.has(change));
    };
  }

  survive(fate: Fate, copies: Copies): FolderImage {
    const left = new Map(this.#durable);
    for (const change of [...this.#pending, ...this.#underWay]) {
      if (fate.choose(2) === 1) applyChange(left, change);
    }
    const after = new FolderImage();
    for (const [name, node] of left) {
      const survivor = survived(node, fate, copies);
      after.#shown.set(name, survivor);
      after.#durable.set(name, survivor);
    }
    return after;
  }

  outlive(fate: Fate, copies: Copies): FolderImage {
    for (const change of this.#underWay) {
      if (fate.choose(2) === 1) this.land(change);
      else this.cancel(change);
    }
    return this.copy((node) => outlived(node, fate, copies));
  }

  copy(copyNode: (node: ImageNode) => ImageNode): FolderImage {
    const other = new FolderImage();
    for (const [name, node] of this.#shown) other.#shown.set(name, copyNode(node));
    for (const [name, node] of this.#durable) other.#durable.set(name, copyNode(node));
    other.#pending = this.#pending.map((one) => ({ ...one, node: copyNode(one.node) }));
    for (const one of this.#underWay) other.#underWay.add({ ...one, node: copyNode(one.node) });
    return other;
  }
}

function applyChange(entries: Map<string, ImageNode>, change: FolderChange): void {
  switch (change.kind) {
    case "link":
      entries.set(change.name, change.node);
      break;
    case "unlink":
      if (entries.get(change.name) === change.node) entries.delete(change.name);
      break;
    case "rename":
      if (entries.get(change.from) === change.node) entries.delete(change.from);
      entries.set(change.to, change.node);
  }
}

/** What a power failure leaves of a node and all below it. */
export function survived(node: ImageNode, fate: Fate, copies: Copies): ImageNode {
  return once(node, copies, () =>
    node.kind === "file" ? node.survive(fate) : node.survive(fate, copies),
  );
}

/** What the killing of the process leaves of a node and all below it. */
export function outlived(node: ImageNode, fate: Fate, copies: Copies): ImageNode {
  return once(node, copies, () =>
    node.kind === "file" ? node.outlive(fate) : node.outlive(fate, copies),
  );
}

export function copied(node: ImageNode, copies: Copies): ImageNode {
  return once(node, copies, () =>
    node.kind === "file" ? node.copy() : node.copy((child) => copied(child, copies)),
  );
}

function once(node: ImageNode, copies: Copies, make: () => ImageNode): ImageNode {
  const known = copies.get(node);
  if (known !== undefined) return known;
  const made = make();
  copies.set(node, made);
  return made;
}

function sectorRange(from: number, to: number): readonly number[] {
  const first = Math.floor(from / SECTOR_BYTES);
  const count = Math.max(0, Math.ceil(to / SECTOR_BYTES) - first);
  return Array.from({ length: count }, (_, i) => first + i);
}

/** A write cut at the borders of sectors. */
function sectorsOf(write: WriteUnderWay): readonly WriteUnderWay[] {
  const end = write.at + write.bytes.length;
  return sectorRange(write.at, end).map((sector) => {
    const from = Math.max(write.at, sector * SECTOR_BYTES);
    const to = Math.min(end, (sector + 1) * SECTOR_BYTES);
    return { at: from, bytes: write.bytes.subarray(from - write.at, to - write.at) };
  });
}
