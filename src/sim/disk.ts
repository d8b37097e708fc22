// A simulated disk for one node. It implements Disk over an image in memory (disk-image.ts), lets the
// simulator decide when each operation completes, and can be made to fail, hang, rot and lose power.
//
// After `crash` (the power failed) or `kill` (only the process died) the old disk is dead: its operations
// never resolve, as those of a dead process do. The disk that is returned is what a new process finds.

import { assert, must } from "../base/assert.ts";
import {
  type Disk,
  type DiskErrorCode,
  type DiskFile,
  type OpenMode,
  folderOf,
} from "../env/disk.ts";
import { type Random, below } from "../env/random.ts";
import { DiskFaults, type DiskOperation, type FaultTarget } from "./disk-faults.ts";
import { type FileHost, type Operation, SimFile, diskFailure } from "./disk-file.ts";
import {
  Fate,
  FileImage,
  type FolderChange,
  FolderImage,
  type ImageNode,
  copied,
  outlived,
  survived,
} from "./disk-image.ts";

export interface SimDiskOptions {
  /** Runs `run` after `delayMs` of simulated time. */
  readonly schedule: (delayMs: number, run: () => void) => void;
  readonly random: Random;
  readonly root?: string;
  /** How long an operation takes; 0 if absent. */
  readonly latencyMs?: (operation: DiskOperation, bytes: number, random: Random) => number;
  /** All files together; unbounded if absent. */
  readonly capacityBytes?: number;
}

export class SimDisk implements Disk, FileHost {
  readonly root: string;
  /** Resolves when the disk dies, for whatever reason. */
  readonly stopped: Promise<void>;
  readonly #options: SimDiskOptions;
  readonly #tree: FolderImage;
  readonly #faults: DiskFaults;
  #failed = 0;
  #held = 0;
  #tellStopped: () => void = () => undefined;
  #operations = 0;
  #stopAt = Number.POSITIVE_INFINITY;
  #isDead = false;
  #capacityBytes: number;

  constructor(options: SimDiskOptions, tree = new FolderImage(), faults = new DiskFaults()) {
    this.#options = options;
    this.#tree = tree;
    this.#faults = faults;
    this.#capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.root = options.root ?? "sim";
    this.stopped = new Promise((resolve) => {
      this.#tellStopped = resolve;
    });
  }

  // --- Disk

  list(folder: string): Promise<string[]> {
    const act = (): string[] => [...this.#folder("list", folder).names];
    return this.run({ operation: "list", path: folder, bytes: 0, act });
  }

  makeFolder(folder: string): Promise<void> {
    const act = (): void => {
      let parent = this.#tree;
      for (const name of folder.split("/")) {
        const child = parent.get(name) ?? new FolderImage();
        if (child.kind === "file") throw diskFailure("EEXIST", "make-folder", folder);
        if (parent.get(name) === undefined) parent.land({ kind: "link", name, node: child });
        parent = child;
      }
    };
    return this.run({ operation: "make-folder", path: folder, bytes: 0, act });
  }

  stat(path: string): Promise<{ readonly bytes: number; readonly isFolder: boolean } | null> {
    const act = (): { readonly bytes: number; readonly isFolder: boolean } | null => {
      const node = this.#find(path);
      if (node === null) return null;
      const isFolder = node.kind === "folder";
      return { bytes: isFolder ? 0 : node.size, isFolder };
    };
    return this.run({ operation: "stat", path, bytes: 0, act });
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    const act = (): DiskFile => {
      const found = this.#find(path);
      if (mode !== "create") {
        if (found === null) throw diskFailure("ENOENT", "open", path);
        assert(found.kind === "file", () => `${path} is a folder`);
        return new SimFile(this, path, found, mode);
      }
      if (found !== null) throw diskFailure("EEXIST", "open", path);
      const node = new FileImage();
      this.#folder("open", folderOf(path)).land({ kind: "link", name: nameOf(path), node });
      return new SimFile(this, path, node, mode);
    };
    return this.run({ operation: "open", path, bytes: 0, act });
  }

  rename(from: string, to: string): Promise<void> {
    assert(folderOf(from) === folderOf(to), "a simulated rename stays in its folder");
    return this.#change("rename", from, (node) => {
      return { kind: "rename", from: nameOf(from), to: nameOf(to), node };
    });
  }

  remove(path: string): Promise<void> {
    return this.#change("remove", path, (node) => {
      assert(node.kind === "file", () => `${path} is a folder`);
      return { kind: "unlink", name: nameOf(path), node };
    });
  }

  syncFolder(folder: string): Promise<void> {
    const node = this.#find(folder);
    const complete = node?.kind === "folder" ? node.beginSync() : null;
    return this.run({
      operation: "sync-folder",
      path: folder,
      bytes: 0,
      act: () => {
        if (complete === null) throw diskFailure("ENOENT", "sync-folder", folder);
        complete();
      },
    });
  }

  // --- What a test or the simulator does to it

  /** How many operations have begun. */
  get operations(): number {
    return this.#operations;
  }

  /** How many operations were made to fail, and how many to hang. */
  get failed(): number {
    return this.#failed;
  }

  get held(): number {
    return this.#held;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Dies when operation number `count` has begun, with that one under way. */
  stopAt(count: number): void {
    this.#stopAt = count;
  }

  /** From now on no operation resolves. */
  stop(): void {
    this.#isDead = true;
    this.#tellStopped();
  }

  /** The power fails. May be called again, with another chance, on the same dead disk. */
  crash(random: Random): SimDisk {
    this.stop();
    const tree = survived(copied(this.#tree, new Map()), new Fate(random), new Map());
    return this.#with(tree, this.#faults);
  }

  /** The process dies; the operating system keeps what was written, synced or not. */
  kill(random: Random): SimDisk {
    this.stop();
    const tree = outlived(copied(this.#tree, new Map()), new Fate(random), new Map());
    return this.#with(tree, this.#faults);
  }

  /** Another disk with the same content. */
  clone(): SimDisk {
    return this.#with(copied(this.#tree, new Map()));
  }

  /** Faults that are to come belong to the machine: they meet its next process, too. */
  #with(tree: ImageNode, faults = new DiskFaults()): SimDisk {
    assert(tree.kind === "folder", "the root is a folder");
    return new SimDisk({ ...this.#options, capacityBytes: this.#capacityBytes }, tree, faults);
  }

  /** The next operation that fits fails. */
  failNext(target: FaultTarget, code: DiskErrorCode): void {
    this.#faults.failNext(target, code);
  }

  /** Failures that were to come will not. */
  forgive(): void {
    this.#faults.forgive();
  }

  /** Operations that fit do not complete until the returned function is called. */
  hang(target: FaultTarget): () => void {
    return this.#faults.hang(target);
  }

  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
  }

  /** Rot: changes the bits of `mask` in one byte. */
  flip(path: string, at: number, mask: number): void {
    this.#file(path).flip(at, mask);
  }

  /** Damage: a sector of a file holds other bytes than were written there. */
  overwrite(path: string, sector: number, bytes: Uint8Array): void {
    this.#file(path).overwrite(sector, bytes);
  }

  /** Damage: a file is gone, for good. */
  lose(path: string): void {
    const folder = this.#folder("remove", folderOf(path));
    const node = this.#file(path);
    folder.land({ kind: "unlink", name: nameOf(path), node });
    folder.beginSync()();
  }

  /** Damage: cuts a file. */
  truncate(path: string, bytes: number): void {
    this.#file(path).truncate(bytes);
  }

  /** What a file shows. */
  peek(path: string): Uint8Array {
    const file = this.#file(path);
    return file.read(0, file.size);
  }

  /** The paths of all files, sorted. */
  get files(): readonly string[] {
    const inFolder = (folder: FolderImage, prefix: string): string[] =>
      folder.names.flatMap((name) => {
        const node = must(folder.get(name), name);
        return node.kind === "file" ? [prefix + name] : inFolder(node, `${prefix}${name}/`);
      });
    return inFolder(this.#tree, "");
  }

  /** Of all files together. */
  get usedBytes(): number {
    return this.files.reduce((sum, path) => sum + this.#file(path).size, 0);
  }

  // --- FileHost

  get random(): Random {
    return this.#options.random;
  }

  hasRoom(bytes: number): boolean {
    if (this.#capacityBytes === Number.POSITIVE_INFINITY) return true;
    return this.usedBytes + bytes <= this.#capacityBytes;
  }

  run<T>(what: Operation<T>): Promise<T> {
    const { operation, path, bytes } = what;
    if (!this.#isDead) this.#operations += 1;
    if (this.#operations >= this.#stopAt) this.stop();
    if (this.#isDead) return new Promise(() => undefined);
    const verdict = this.#faults.judge(operation, path);
    if (verdict.kind === "fails") this.#failed += 1;
    if (verdict.kind === "hangs") this.#held += 1;
    const latencyMs = this.#options.latencyMs?.(operation, bytes, this.#options.random) ?? 0;
    return new Promise<T>((resolve, reject) => {
      const complete = (): void => {
        if (this.#isDead) return;
        try {
          if (verdict.kind === "fails") {
            what.onFault?.();
            throw diskFailure(verdict.code, operation, path);
          }
          resolve(what.act());
        } catch (thrown) {
          reject(thrown);
        }
      };
      if (verdict.kind === "hangs") verdict.hold(complete);
      else this.#options.schedule(latencyMs, complete);
    });
  }

  #change(
    operation: "rename" | "remove",
    path: string,
    describe: (node: ImageNode) => FolderChange,
  ): Promise<void> {
    const node = this.#find(path);
    const parent = this.#find(folderOf(path));
    if (node === null || parent?.kind !== "folder") {
      const act = (): void => {
        throw diskFailure("ENOENT", operation, path);
      };
      return this.run({ operation, path, bytes: 0, act });
    }
    const change = describe(node);
    if (!this.#isDead) parent.begin(change);
    const act = (): void => parent.land(change);
    return this.run({ operation, path, bytes: 0, act, onFault: () => parent.cancel(change) });
  }

  /** The node at a path; "" is the root. */
  #find(path: string): ImageNode | null {
    let node: ImageNode = this.#tree;
    for (const name of path.split("/")) {
      if (name === "") continue;
      const child: ImageNode | undefined = node.kind === "folder" ? node.get(name) : undefined;
      if (child === undefined) return null;
      node = child;
    }
    return node;
  }

  #folder(operation: DiskOperation, path: string): FolderImage {
    const node = this.#find(path);
    if (node?.kind !== "folder") throw diskFailure("ENOENT", operation, path);
    return node;
  }

  #file(path: string): FileImage {
    const node = this.#find(path);
    assert(node?.kind === "file", () => `${path} is not a file`);
    return node;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A disk whose operations complete as soon as the code that began them has let go: for unit tests. */
export function immediateDisk(random: Random): SimDisk {
  return new SimDisk({ schedule: (_delayMs, run) => queueMicrotask(run), random });
}

/** How long a disk of everyday quality takes: a fifth to a whole millisecond, now and then much longer. */
export function everydayLatency(operation: DiskOperation, bytes: number, random: Random): number {
  const isSync = operation === "sync" || operation === "sync-folder" || operation === "write";
  if (!isSync) return 0.02;
  const stall = below(random, 200) === 0 ? 1 + below(random, 20) : 0;
  return 0.2 + below(random, 800) / 1000 + bytes / 500_000 + stall;
}
