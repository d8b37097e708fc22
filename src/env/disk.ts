// The disk, as the storage layer sees it: one folder, relative paths with "/" between their parts.
//
// Promises of an implementation:
//   - `write` puts all the bytes or rejects. What it wrote is durable after a later `sync` of the same
//     file has resolved, or at once if the file was opened with `durable`.
//   - A name made, renamed or removed is durable after `syncFolder` of its folder.
//   - After any rejected `write` or `sync` the file's content is unknown: the caller must stop using the
//     file and end the process (fsync is never tried twice: PostgreSQL's and CockroachDB's lesson,
//     "Can Applications Recover from fsync Failures?", ATC '20).

export interface Disk {
  /** What to call this folder in messages to people. */
  readonly root: string;
  /** The names in a folder, sorted; rejects with ENOENT if there is none. */
  list(folder: string): Promise<string[]>;
  /** Makes a folder and those above it; no error if it is there. */
  makeFolder(folder: string): Promise<void>;
  /** Null if there is nothing of that name. */
  stat(path: string): Promise<{ readonly bytes: number; readonly isFolder: boolean } | null>;
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Replaces `to` if it exists, in one step. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncFolder(folder: string): Promise<void>;
}

/**
 * read: existing, read only. write: existing, read and write. create: must not exist.
 * durable: like write, and every write is on the disk when it resolves (O_DSYNC).
 */
export type OpenMode = "read" | "write" | "create" | "durable";

export interface DiskFile {
  readonly path: string;
  size(): Promise<number>;
  /**
   * The bytes from `at`; fewer than `length` only where the file ends. They may lie in `memory`, which the
   * caller leaves alone until it is done with them.
   */
  read(at: number, length: number, memory?: Uint8Array): Promise<Uint8Array>;
  /** The caller leaves `bytes` alone until this resolves. */
  write(at: number, bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type DiskErrorCode = "ENOENT" | "EEXIST" | "ENOSPC" | "EIO" | "EACCES" | "EOTHER";

/** A failed operation, with what to tell people: the operation, the path, the system's reason. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: DiskErrorCode;
  readonly operation: string;
  readonly path: string;

  constructor(code: DiskErrorCode, operation: string, path: string, reason: string) {
    super(`${operation} ${path}: ${reason}`);
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/** The whole of a small file; null if it does not exist. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array | null> {
  const found = await disk.stat(path);
  if (found === null || found.isFolder) return null;
  const file = await disk.open(path, "read");
  try {
    return await file.read(0, found.bytes);
  } finally {
    await file.close();
  }
}

/**
 * Writes a small file so that a crash leaves the old content or the new one, whole: temporary name,
 * sync, rename, sync of the folder.
 */
export async function replaceWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  if ((await disk.stat(temporary)) !== null) await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.write(0, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncFolder(folderOf(path));
}

/** The folder a path lies in; "" is the root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}
