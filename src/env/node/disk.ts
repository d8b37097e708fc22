// The real disk, over Node's callback API (the promise API's file handles cost a hop more per call and
// close files behind one's back when collected).

import * as fs from "node:fs";
import { join } from "node:path";
import { type Disk, DiskError, type DiskErrorCode, type DiskFile, type OpenMode } from "../disk.ts";

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
  durable: O_RDWR | (O_DSYNC ?? 0),
};
// Not every system that Node runs on has O_DSYNC; there, `durable` files are synced after each write.
const HAS_DSYNC = O_DSYNC !== undefined;

const KNOWN: readonly DiskErrorCode[] = ["ENOENT", "EEXIST", "ENOSPC", "EIO", "EACCES"];

/** What the system said about a path, as the error that everybody above knows. */
export function diskError(
  operation: string,
  path: string,
  cause: NodeJS.ErrnoException,
): DiskError {
  const known = KNOWN.find((code) => code === cause.code);
  const full = cause.code === "EDQUOT" ? "ENOSPC" : undefined;
  return new DiskError(known ?? full ?? "EOTHER", operation, path, cause.message);
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

/** One system call as a promise; a failure names the operation and the path. */
function call<T>(operation: string, path: string, run: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error === null) resolve(value);
      else reject(diskError(operation, path, error));
    });
  });
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #syncEachWrite: boolean;

  constructor(path: string, fd: number, syncEachWrite: boolean) {
    this.path = path;
    this.#fd = fd;
    this.#syncEachWrite = syncEachWrite;
  }

  async size(): Promise<number> {
    const stat = await call<fs.Stats>("size", this.path, (done) => fs.fstat(this.#fd, done));
    return stat.size;
  }

  async read(at: number, length: number, memory?: Uint8Array): Promise<Uint8Array> {
    const has = memory !== undefined && memory.length >= length;
    const bytes = has ? memory.subarray(0, length) : new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const got = await call<number>("read", this.path, (done) =>
        fs.read(this.#fd, bytes, filled, length - filled, at + filled, done),
      );
      if (got === 0) break;
      filled += got;
    }
    return filled === length ? bytes : bytes.subarray(0, filled);
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    let written = 0;
    // The kernel may take less than it was given: a full disk shows itself only at the next call.
    while (written < bytes.length) {
      written += await call<number>("write", this.path, (done) =>
        fs.write(this.#fd, bytes, written, bytes.length - written, at + written, done),
      );
    }
    if (this.#syncEachWrite) await this.sync();
  }

  sync(): Promise<void> {
    return call<void>("sync", this.path, (done) => fs.fsync(this.#fd, (error) => done(error)));
  }

  close(): Promise<void> {
    return call<void>("close", this.path, (done) =>
      fs.close(this.#fd, (error) => done(error ?? null)),
    );
  }
}

/** The folder `root` as a Disk; it is made if it is not there. */
export function nodeDisk(root: string): Disk {
  const full = (path: string): string => join(root, path);
  const onPath = <T>(
    operation: string,
    path: string,
    run: (full: string, done: Callback<T>) => void,
  ): Promise<T> => call<T>(operation, full(path), (done) => run(full(path), done));
  const plain =
    (done: Callback<void>) =>
    (error: NodeJS.ErrnoException | null): void =>
      done(error);

  return {
    root,
    async list(folder) {
      const names = await onPath<string[]>("list", folder, (path, done) => fs.readdir(path, done));
      return names.sort();
    },
    async makeFolder(folder) {
      await onPath<string | undefined>("make folder", folder, (path, done) =>
        fs.mkdir(path, { recursive: true }, done),
      );
    },
    async stat(path) {
      try {
        const stat = await onPath<fs.Stats>("stat", path, (at, done) => fs.stat(at, done));
        return { bytes: stat.size, isFolder: stat.isDirectory() };
      } catch (error) {
        if (error instanceof DiskError && error.code === "ENOENT") return null;
        throw error;
      }
    },
    async open(path, mode) {
      const fd = await onPath<number>(`open (${mode})`, path, (at, done) =>
        fs.open(at, FLAGS[mode], 0o644, done),
      );
      return new NodeFile(full(path), fd, mode === "durable" && !HAS_DSYNC);
    },
    rename: (from, to) =>
      onPath<void>("rename", from, (at, done) => fs.rename(at, full(to), plain(done))),
    remove: (path) => onPath<void>("remove", path, (at, done) => fs.unlink(at, plain(done))),
    async syncFolder(folder) {
      const fd = await onPath<number>("open", folder, (at, done) => fs.open(at, O_RDONLY, done));
      try {
        await onPath<void>("sync folder", folder, (_at, done) => fs.fsync(fd, plain(done)));
      } finally {
        await onPath<void>("close", folder, (_at, done) =>
          fs.close(fd, (error) => done(error ?? null)),
        );
      }
    },
  };
}
