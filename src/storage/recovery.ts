// What a node starts from: the newest snapshot that the log vouches for and that is good, the entries
// behind it, and the hard state. Also the making of a new storage, and how far old parts may go.

import { assert } from "../base/assert.ts";
import { RECOVERED_BLOCK_BYTES } from "../base/limits.ts";
import type { Disk } from "../env/disk.ts";
import type { ConfState } from "./conf-state.ts";
import { CorruptionError } from "./errors.ts";
import { WAL_FOLDER } from "./names.ts";
import { type SnapshotMeta } from "./snapshots/format.ts";
import type { SnapshotTaker } from "./snapshots/scan.ts";
import { SnapshotStore, snapshotPath } from "./snapshots/snapshot-store.ts";
import { createLog } from "./wal/create.ts";
import type { HardState, SnapshotMark } from "./wal/items.ts";
import type { Log, LogOptions } from "./wal/log.ts";
import { type RecoveredLog, openLog } from "./wal/open.ts";

export { hasLog } from "./wal/create.ts";

export type StorageOptions = LogOptions;

/** The state a cluster begins with: nothing yet, and these members. */
export interface Founding {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** Where the state machine starts. */
interface StartingPoint {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  /** Null: there is no file, the state machine starts empty. */
  readonly meta: SnapshotMeta | null;
}

export interface Recovered {
  readonly log: Log;
  readonly snapshots: SnapshotStore;
  /** Its commit index lies within [snapshot.index, lastIndex]. */
  readonly hardState: HardState;
  readonly snapshot: StartingPoint;
  /** The entry before the first one handed over; at or before the snapshot. */
  readonly base: { readonly index: number; readonly term: number };
  readonly lastIndex: number;
  /** Entries base.index + 1 to lastIndex, in the core's encoding. Can be walked once. */
  readonly entryBlocks: Iterable<Uint8Array>;
}

/** Makes the storage of a new node. There must be no log; a crash leaves none, or all of it. */
export async function createStorage(
  options: StorageOptions & { readonly founding: Founding },
): Promise<void> {
  const { index, term, confState } = options.founding;
  const hardState = { term, vote: 0, commit: index };
  await createLog(options, hardState, { kind: "founding", index, term, confState });
}

/**
 * Opens what is on the disk. `restore` is called for each snapshot that is tried; what the last call's
 * blocks make up is the state at `snapshot`, unless its meta is null.
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { log, recovered } = await openLog(options);
  try {
    return await restoreState(options, log, recovered);
  } catch (thrown) {
    await log.close();
    throw thrown;
  }
}

type RecoverOptions = StorageOptions & { readonly restore?: SnapshotTaker };

async function restoreState(
  options: RecoverOptions,
  log: Log,
  recovered: RecoveredLog,
): Promise<Recovered> {
  const { entries, lastIndex, marks } = recovered;
  const snapshots = await SnapshotStore.open(options);
  await snapshots.removeStrays(marks);
  const snapshot = await chooseSnapshot(options, recovered, snapshots);
  // The commit index is not synced on its own, so the one on the disk may lag behind the snapshot.
  const commit = Math.max(recovered.hardState.commit, snapshot.index);
  const hardState = { ...recovered.hardState, commit };
  if (commit > lastIndex) {
    const what = `entry ${commit} is committed, but the log ends at entry ${lastIndex}`;
    throw new CorruptionError(options.disk, WAL_FOLDER, 0, what);
  }
  if (commit > log.hardState.commit) log.remember(hardState);
  const first = entries.firstIndex ?? snapshot.index + 1;
  assert(first <= snapshot.index + 1, "the log begins behind the snapshot");
  // The term of the entry before the first is known only where a snapshot stands for it. Otherwise the
  // first entry itself becomes the base: it lies inside the snapshot, and nobody asks for it.
  const isBehind = first === snapshot.index + 1;
  const base = isBehind
    ? { index: snapshot.index, term: snapshot.term }
    : { index: first, term: entries.termOf(first) };
  const entryBlocks = entries.handOver(base.index + 1, RECOVERED_BLOCK_BYTES);
  return { log, snapshots, hardState, snapshot, base, lastIndex, entryBlocks };
}

async function chooseSnapshot(
  options: RecoverOptions,
  recovered: RecoveredLog,
  store: SnapshotStore,
): Promise<StartingPoint> {
  const { disk, logger } = options;
  const { entries, lastIndex } = recovered;
  const taker: SnapshotTaker = options.restore ?? (() => () => undefined);
  const bad: { readonly mark: SnapshotMark; readonly error: CorruptionError }[] = [];
  for (const mark of recovered.marks.toReversed()) {
    const { index, term, confState } = mark;
    // Without every entry after it, a snapshot is the state of a past that cannot be caught up with.
    const first = entries.firstIndex ?? lastIndex + 1;
    if (first > index + 1) break;
    const tried = await trySnapshot(disk, mark, store, taker);
    if (tried instanceof CorruptionError) {
      bad.push({ mark, error: tried });
      warnOfBadSnapshot(options, mark, tried);
      continue;
    }
    // Out of the way, or the node would take them for good ones when it comes by these indexes again.
    for (const one of bad) await store.setAside(one.mark);
    return { index, term, confState: tried?.confState ?? confState, meta: tried };
  }
  logger.error("no snapshot to start from", { entries: entries.firstIndex, last: lastIndex });
  const what = "the log vouches for no snapshot that it continues";
  throw bad[0]?.error ?? new CorruptionError(disk, WAL_FOLDER, 0, what);
}

/** The metadata of a good snapshot; null for the founding state, which has no file. */
async function trySnapshot(
  disk: Disk,
  mark: SnapshotMark,
  store: SnapshotStore,
  taker: SnapshotTaker,
): Promise<SnapshotMeta | null | CorruptionError> {
  if (mark.kind === "founding") return null;
  if (!store.has(mark)) {
    return new CorruptionError(disk, snapshotPath(mark), 0, "the snapshot is missing");
  }
  try {
    return (await store.restore(mark, taker)).meta;
  } catch (thrown) {
    if (thrown instanceof CorruptionError) return thrown;
    throw thrown;
  }
}

function warnOfBadSnapshot(
  options: StorageOptions,
  mark: SnapshotMark,
  error: CorruptionError,
): void {
  options.logger.warn("a snapshot is damaged: the one before it is tried", {
    index: mark.index,
    file: error.file,
    offset: error.offset,
    what: error.what,
  });
}

/**
 * How far the log may be released while these snapshots are kept: any of them may have to be started
 * from, with every entry after it. 0 if there are none.
 */
export function releaseIndex(kept: readonly { readonly index: number }[]): number {
  const indexes = kept.map((snapshot) => snapshot.index);
  return indexes.length === 0 ? 0 : Math.min(...indexes);
}
