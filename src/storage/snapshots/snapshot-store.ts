// The folder of snapshots. A file under its final name is complete and synced; whether the node may
// start from it is for the log to say (its marks). So a file without a mark is a stray: written or
// received just before a crash, or received and not wanted by raft.

import { assert, toError } from "../../base/assert.ts";
import { type Disk, DiskError } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { ClusterMismatchError, CorruptionError, SnapshotSpaceError } from "../errors.ts";
import { SNAPSHOT_FOLDER, SNAPSHOT_SUFFIX, hex16, parseName } from "../names.ts";
import { EarlierParts, type WrittenParts } from "./earlier-parts.ts";
import type { SnapshotMeta } from "./format.ts";
import { type SnapshotContent, type SnapshotTaker, scanSnapshot } from "./scan.ts";
import { SnapshotReader } from "./snapshot-reader.ts";
import { type SnapshotOffer, SnapshotReceiver, type SnapshotSink } from "./snapshot-receiver.ts";
import { type SnapshotSource, writeSnapshot } from "./snapshot-writer.ts";

const DAMAGED_SUFFIX = ".damaged";

/** Which snapshot: no two have the same index and term. */
export interface SnapshotId {
  readonly index: number;
  readonly term: number;
}

export interface SnapshotInfo extends SnapshotId {
  readonly bytes: number;
}

export interface SnapshotStoreOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly clusterId: string;
}

/** The newest snapshot that this process wrote. */
interface LastWritten {
  readonly id: SnapshotId;
  readonly parts: WrittenParts;
}

export function snapshotPath(id: SnapshotId): string {
  return `${SNAPSHOT_FOLDER}/${hex16(id.index)}-${hex16(id.term)}${SNAPSHOT_SUFFIX}`;
}

function isSame(a: SnapshotId, b: SnapshotId): boolean {
  return a.index === b.index && a.term === b.term;
}

export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  /** Oldest first. */
  #list: readonly SnapshotInfo[];
  /** Files that are being read: path to number of readers. */
  readonly #readers = new Map<string, number>();
  /** Files that go when their last reader closes. */
  readonly #doomed = new Set<string>();
  /** Files that could not be read, and are there still. */
  readonly #retired = new Map<string, SnapshotId>();
  /** What was checked once need not be checked again before the next transfer. */
  readonly #checked = new Map<string, SnapshotContent>();
  #temporaries = 0;
  #last: LastWritten | null = null;

  private constructor(options: SnapshotStoreOptions, list: readonly SnapshotInfo[]) {
    this.#options = options;
    this.#list = list;
  }

  /** Makes the folder if need be, and clears away what was never finished. */
  static async open(options: SnapshotStoreOptions): Promise<SnapshotStore> {
    const { disk, logger } = options;
    await disk.makeFolder(SNAPSHOT_FOLDER);
    await disk.syncFolder("");
    const list: SnapshotInfo[] = [];
    for (const name of await disk.list(SNAPSHOT_FOLDER)) {
      const path = `${SNAPSHOT_FOLDER}/${name}`;
      const [index, term] = parseName(name, SNAPSHOT_SUFFIX) ?? [];
      const bytes = (await disk.stat(path))?.bytes ?? 0;
      if (index !== undefined && term !== undefined) list.push({ index, term, bytes });
      else if (name.endsWith(".tmp")) await disk.remove(path);
      else if (!name.endsWith(DAMAGED_SUFFIX)) {
        logger.warn("a file in the snapshots' folder is no snapshot", { file: path });
      }
    }
    return new SnapshotStore(options, sorted(list));
  }

  /** Oldest first. */
  list(): readonly SnapshotInfo[] {
    return this.#list;
  }

  has(id: SnapshotId): boolean {
    return this.#list.some((one) => isSame(one, id));
  }

  /**
   * Writes a snapshot; what has not changed since the last one written is copied from that. Durable on
   * resolve. Rejects with a SnapshotSpaceError if there is no room: then nothing of it is left.
   */
  async write(meta: SnapshotMeta, source: SnapshotSource): Promise<void> {
    const { clusterId, disk } = this.#options;
    assert(meta.clusterId === clusterId, "a snapshot of another cluster");
    if (this.has(meta)) return; // a leader's snapshot of the same state came first
    const temporary = this.#temporary();
    const before = this.#last;
    const earlier = before === null ? null : await this.#openEarlier(before);
    try {
      const { bytes, parts } = await writeSnapshot(disk, temporary, meta, source, earlier);
      await this.#adopt(temporary, meta, bytes);
      this.#last = { id: { index: meta.index, term: meta.term }, parts };
    } catch (thrown) {
      const error = this.#explain(thrown, meta);
      // A disk that failed is not touched any more; otherwise the room is given back.
      if (!(error instanceof DiskError)) await this.#removeIfThere(temporary);
      throw error;
    } finally {
      if (before !== null && earlier !== null) await this.#closeEarlier(before.id, earlier);
    }
  }

  /** The last snapshot written, to copy from; null if its file is not there to be used. It stays while it is open. */
  async #openEarlier({ id, parts }: LastWritten): Promise<EarlierParts | null> {
    if (!this.has(id)) return null;
    const { disk, logger } = this.#options;
    const path = snapshotPath(id);
    const onFailure = (reason: string): void => {
      logger.warn("an older snapshot cannot be copied from: the new one is made from memory", {
        file: path,
        reason,
      });
      this.#checked.delete(path); // looked through anew before it is sent
    };
    this.#pin(path);
    try {
      return new EarlierParts(await disk.open(path, "read"), parts, onFailure);
    } catch (thrown) {
      onFailure(toError(thrown).message);
      await this.#unpin(path);
      return null;
    }
  }

  async #closeEarlier(id: SnapshotId, earlier: EarlierParts): Promise<void> {
    await earlier.close();
    await this.#unpin(snapshotPath(id));
  }

  /** Begins to take a file from a peer. */
  async receive(offer: SnapshotOffer): Promise<SnapshotSink> {
    const { disk, clusterId } = this.#options;
    const path = this.#temporary();
    const explain = (thrown: unknown): Error => this.#explain(thrown, offer);
    const adopt = (from: string, meta: SnapshotMeta, bytes: number): Promise<void> =>
      this.#adopt(from, meta, bytes);
    try {
      const file = await disk.open(path, "create");
      return new SnapshotReceiver({ disk, path, offer, clusterId, adopt, explain }, file);
    } catch (thrown) {
      throw explain(thrown);
    }
  }

  /**
   * Opens a snapshot for sending; it stays until the reader is closed, whatever is pruned meanwhile. The
   * first time, and after `doubt`, all of it is checked. What the disk spoils later is found by the
   * receiver, which compares the SHA-256.
   */
  async open(index: number, term: number): Promise<SnapshotReader> {
    const { disk } = this.#options;
    const path = snapshotPath({ index, term });
    this.#pin(path);
    try {
      const content = this.#checked.get(path) ?? (await this.#scan({ index, term }));
      const { bytes, sha256 } = content;
      const file = await disk.open(path, "read");
      return new SnapshotReader({ file, bytes, sha256, onClose: () => this.#unpin(path) });
    } catch (thrown) {
      await this.#unpin(path);
      throw thrown;
    }
  }

  /** What was found good before need not be good now: it is checked anew before it is sent again. */
  doubt(index: number): void {
    for (const one of this.#list) if (one.index === index) this.#checked.delete(snapshotPath(one));
  }

  /** Reads and checks a snapshot; `onBlock` counts only once this has resolved. */
  async load(
    index: number,
    term: number,
    onBlock: (block: Uint8Array) => void,
  ): Promise<SnapshotMeta> {
    const content = await this.restore({ index, term }, () => onBlock);
    return content.meta;
  }

  /** As `load`, with the metadata before the first block. */
  async restore(id: SnapshotId, taker: SnapshotTaker): Promise<SnapshotContent> {
    const path = snapshotPath(id);
    this.#pin(path);
    try {
      return await this.#scan(id, taker);
    } finally {
      await this.#unpin(path);
    }
  }

  /**
   * Keeps the newest `keep` snapshots that the log vouches for and whatever is newer than the oldest of
   * those; the others go, at once or when their last reader closes.
   */
  async prune(keep: number, marks: readonly SnapshotId[]): Promise<void> {
    assert(keep > 0, "the newest snapshot must stay");
    const vouched = this.#list.filter((one) => marks.some((mark) => isSame(mark, one)));
    const newest = vouched.at(-1)?.index ?? 0;
    for (const [path, { index }] of this.#retired) if (index <= newest) await this.#moveAside(path);
    const oldest = vouched.at(-keep);
    if (oldest === undefined) return;
    await this.#removeAll(this.#list.filter((one) => one.index < oldest.index));
  }

  /** Removes every file that the log does not vouch for. At a start only: later it may be on its way. */
  async removeStrays(marks: readonly SnapshotId[]): Promise<void> {
    const strays = this.#list.filter((one) => !marks.some((mark) => isSame(mark, one)));
    for (const { index, term } of strays) {
      this.#options.logger.info("a snapshot that the log does not know is removed", {
        index,
        term,
      });
    }
    await this.#removeAll(strays);
  }

  /** Removes a received snapshot that raft did not want. */
  async discard(index: number, term: number): Promise<void> {
    await this.#removeAll(this.#list.filter((one) => isSame(one, { index, term })));
  }

  /**
   * Puts a snapshot out of use that could not be read. The file stays under its name until the log vouches
   * for another one: it may be all that this node can start from, and it may be the reading that failed.
   */
  retire(id: SnapshotId): void {
    if (!this.has(id)) return;
    const path = snapshotPath(id);
    this.#list = this.#list.filter((one) => !isSame(one, id));
    this.#checked.delete(path);
    this.#doomed.delete(path);
    this.#retired.set(path, id);
  }

  /** Gives a damaged snapshot another name, for people to look at. There must be a better one. */
  async setAside(id: SnapshotId): Promise<void> {
    if (!this.has(id)) return;
    this.retire(id);
    await this.#moveAside(snapshotPath(id));
  }

  async #moveAside(path: string): Promise<void> {
    const { disk } = this.#options;
    this.#retired.delete(path);
    if ((await disk.stat(path)) === null) return; // it was the missing of it that was found
    await disk.rename(path, `${path}${DAMAGED_SUFFIX}`);
    await disk.syncFolder(SNAPSHOT_FOLDER);
  }

  #temporary(): string {
    this.#temporaries += 1;
    return `${SNAPSHOT_FOLDER}/${this.#temporaries}.tmp`;
  }

  /** Gives a finished and synced file its name. */
  async #adopt(temporary: string, meta: SnapshotMeta, bytes: number): Promise<void> {
    const { disk } = this.#options;
    const path = snapshotPath(meta);
    await disk.rename(temporary, path);
    await disk.syncFolder(SNAPSHOT_FOLDER);
    const { index, term } = meta;
    this.#checked.delete(path);
    this.#doomed.delete(path);
    this.#retired.delete(path); // the new one has taken its place
    this.#list = sorted([
      ...this.#list.filter((one) => !isSame(one, meta)),
      { index, term, bytes },
    ]);
  }

  async #scan(
    id: SnapshotId,
    taker: SnapshotTaker = () => () => undefined,
  ): Promise<SnapshotContent> {
    const { clusterId, disk } = this.#options;
    const path = snapshotPath(id);
    const content = await scanSnapshot(disk, path, (meta) => {
      if (meta.clusterId !== clusterId) {
        throw new ClusterMismatchError(disk, path, clusterId, meta.clusterId);
      }
      if (!isSame(meta, id)) {
        const what = `the file holds the snapshot of index ${meta.index}, term ${meta.term}`;
        throw new CorruptionError(disk, path, 0, what);
      }
      return taker(meta);
    });
    this.#checked.set(path, content);
    return content;
  }

  #pin(path: string): void {
    this.#readers.set(path, (this.#readers.get(path) ?? 0) + 1);
  }

  async #unpin(path: string): Promise<void> {
    const left = (this.#readers.get(path) ?? 1) - 1;
    if (left > 0) {
      this.#readers.set(path, left);
      return;
    }
    this.#readers.delete(path);
    if (this.#doomed.delete(path)) await this.#remove([path]);
  }

  async #removeAll(infos: readonly SnapshotInfo[]): Promise<void> {
    if (infos.length === 0) return;
    this.#list = this.#list.filter((one) => !infos.includes(one));
    const free: string[] = [];
    for (const info of infos) {
      const path = snapshotPath(info);
      if (this.#readers.has(path)) this.#doomed.add(path);
      else free.push(path);
    }
    await this.#remove(free);
  }

  async #remove(paths: readonly string[]): Promise<void> {
    const { disk } = this.#options;
    for (const path of paths) {
      this.#checked.delete(path);
      await disk.remove(path);
    }
    if (paths.length > 0) await disk.syncFolder(SNAPSHOT_FOLDER);
  }

  async #removeIfThere(path: string): Promise<void> {
    const { disk } = this.#options;
    if ((await disk.stat(path)) !== null) await disk.remove(path);
  }

  /** A full disk is no reason to end the node; a sync that failed is, whatever the reason. */
  #explain(thrown: unknown, id: SnapshotId): Error {
    const error = toError(thrown);
    const isFull = error instanceof DiskError && error.code === "ENOSPC";
    if (!isFull || error.operation.startsWith("sync")) return error;
    return new SnapshotSpaceError(this.#options.disk, snapshotPath(id), error);
  }
}

function sorted(list: readonly SnapshotInfo[]): readonly SnapshotInfo[] {
  return list.toSorted((a, b) => a.index - b.index || a.term - b.term);
}
