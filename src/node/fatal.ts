// Why a node ends itself. Each reason has an exit code of its own, so that whoever supervises the process
// can tell a full disk from a refused directory; docs/operations.md holds the same table.

import { AssertionError } from "../base/assert.ts";
import { DiskError } from "../env/disk.ts";
import { NetworkError } from "../env/network.ts";
import { UnknownEntryError } from "../fsm/machine.ts";
import { CoreTrap } from "../raft/trap.ts";
import {
  ClusterMismatchError,
  CorruptionError,
  NodeMismatchError,
  UnknownFormatError,
} from "../storage/errors.ts";

export const EXIT_CODES = {
  /** Bad flags, environment or file; nothing was touched. */
  "bad-configuration": 2,
  /** Another process holds the data directory. */
  "directory-locked": 10,
  /** The data directory is damaged, or belongs to another node or cluster. */
  "directory-refused": 11,
  /** A write or sync failed. Never retried: what the disk holds is unknown from then on. */
  "disk-failed": 12,
  /** A write has been under way for so long that the disk must be called dead. */
  "disk-stalled": 13,
  /** The consensus core found its state contradicted. */
  "core-trapped": 14,
  /** The log holds an entry of a newer version. */
  "version-unknown": 15,
  /** The other nodes know this id with another, or a newer, data directory. */
  "refused-by-cluster": 16,
  /** This node's state differs from the majority's at the same index. */
  diverged: 17,
  /** An address to listen on cannot be had. */
  "address-unavailable": 18,
  /** A broken invariant: a bug. */
  bug: 70,
} as const satisfies Record<string, number>;

export type FatalReason = keyof typeof EXIT_CODES;

/** The node must end. The message says what is wrong and what to do. */
export class FatalError extends Error {
  override readonly name = "FatalError";
  readonly reason: FatalReason;

  constructor(reason: FatalReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }

  get exitCode(): number {
    return EXIT_CODES[this.reason];
  }
}

const DIRECTORY_ERRORS = [ClusterMismatchError, NodeMismatchError];

/** The one place that decides what an error that reached the top means. */
export function asFatal(error: Error): FatalError {
  if (error instanceof FatalError) return error;
  const cause = { cause: error };
  if (error instanceof DiskError) {
    const advice =
      error.code === "ENOSPC"
        ? "Make room on the disk and start the node again."
        : "Look at the disk (dmesg, SMART) before starting the node again.";
    const lost = "What it had acknowledged is safe on a majority of the nodes.";
    const message = `The disk failed: ${error.message}. ${advice} ${lost}`;
    return new FatalError("disk-failed", message, cause);
  }
  if (error instanceof CoreTrap) {
    return new FatalError("core-trapped", `${error.message}. ${error.advice}`, cause);
  }
  if (error instanceof UnknownEntryError || error instanceof UnknownFormatError) {
    return new FatalError("version-unknown", error.message, cause);
  }
  if (error instanceof CorruptionError) {
    const message =
      `${error.message}. This node refuses to start so that it cannot forget what it acknowledged. Its ` +
      'peers hold the data and go on without it; docs/operations.md, "A node with a damaged disk", says ' +
      "what to do.";
    return new FatalError("directory-refused", message, cause);
  }
  if (DIRECTORY_ERRORS.some((kind) => error instanceof kind)) {
    return new FatalError("directory-refused", error.message, cause);
  }
  if (error instanceof NetworkError) {
    const inUse = `The address ${error.address} is in use: another program, or another node, listens on it.`;
    const other = `Cannot listen on ${error.address}: ${error.message}.`;
    const advice = "Stop that program or choose another address (--http, --peer).";
    const what = error.code === "EADDRINUSE" ? inUse : other;
    return new FatalError("address-unavailable", `${what} ${advice}`, cause);
  }
  const what = error instanceof AssertionError ? "broke an invariant" : "met an unexpected error";
  const message = `Raft3D ${what}: ${error.message}. This is a bug; please report it with the lines above.`;
  return new FatalError("bug", message, cause);
}
