// What goes wrong with files that are there and readable. Failed operations are env/disk.ts DiskErrors.
// Every message says which file, what is wrong, and what to do: it is what an operator sees first.

import type { Disk } from "../env/disk.ts";

/** A path as people can find it. */
function place(disk: Disk, path: string): string {
  return `${disk.root}/${path}`;
}

/** Bytes that this program did not write, or that are missing although it wrote them. */
export class CorruptionError extends Error {
  override readonly name = "CorruptionError";
  /** Relative to the data folder. */
  readonly file: string;
  readonly offset: number;
  readonly what: string;

  constructor(disk: Disk, file: string, offset: number, what: string) {
    super(`${place(disk, file)}, byte ${offset}: ${what}`);
    this.file = file;
    this.offset = offset;
    this.what = what;
  }
}

/** A file in a form that this version does not know: another one wrote it, as a rule a newer one. */
export class UnknownFormatError extends Error {
  override readonly name = "UnknownFormatError";
  readonly file: string;
  readonly found: number;

  constructor(disk: Disk, file: string, found: number, known: number) {
    super(
      `${place(disk, file)} has format ${found}; this version of raft3d knows format ${known}. ` +
        "Start the version that wrote it, or a newer one.",
    );
    this.file = file;
    this.found = found;
  }
}

/** Files of another cluster. */
export class ClusterMismatchError extends Error {
  override readonly name = "ClusterMismatchError";
  readonly file: string;
  readonly expected: string;
  readonly found: string;

  constructor(disk: Disk, file: string, expected: string, found: string) {
    super(
      `${place(disk, file)} belongs to cluster ${found}, not to ${expected}. ` +
        "Either --data points at another cluster's folder, or --initial-cluster or --cluster-token " +
        "are not what this folder was founded with: put back what they were.",
    );
    this.file = file;
    this.expected = expected;
    this.found = found;
  }
}

/** Files of another node: two nodes must never share one history of votes. */
export class NodeMismatchError extends Error {
  override readonly name = "NodeMismatchError";
  readonly file: string;
  readonly expected: number;
  readonly found: number;

  constructor(disk: Disk, file: string, expected: number, found: number) {
    super(
      `${place(disk, file)} belongs to node ${found}, not to node ${expected}. ` +
        "Each node needs a data folder of its own: correct --id or --data.",
    );
    this.file = file;
    this.expected = expected;
    this.found = found;
  }
}

/** No room for a snapshot. The node goes on with a longer log; the caller tries again later. */
export class SnapshotSpaceError extends Error {
  override readonly name = "SnapshotSpaceError";

  constructor(disk: Disk, file: string, cause: Error) {
    super(`no room for ${place(disk, file)}: the log is kept, and it is tried again later`, {
      cause,
    });
  }
}

/** A file that a peer sent is not what it announced. Nothing of it is kept. */
export class ReceivedFileError extends Error {
  override readonly name = "ReceivedFileError";
}
