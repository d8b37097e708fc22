// Writes a snapshot file under a temporary name, in slices: a few blocks are made and written, then
// others get their turn. The state they are made of is immutable, so time may pass in between.
//
// What has not changed since the snapshot before is copied from its file instead of being made again
// (earlier-parts.ts). Where that fails, whatever the reason, it is made again: the state is in memory, whole.

import { ByteWriter } from "../../base/bytes.ts";
import { Sha256 } from "../../base/hash.ts";
import { SNAPSHOT_SLICE_BYTES, SNAPSHOT_SYNC_BYTES } from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import { type EarlierParts, WrittenParts } from "./earlier-parts.ts";
import {
  type SnapshotMeta,
  encodeHeader,
  fromHex,
  writeBlock,
  writeTrailerCounts,
} from "./format.ts";

/** Blocks that follow each other. */
export interface SnapshotPart {
  /** Stands for the bytes: parts of one object are equal, whatever snapshot they belong to. Null: of no other part. */
  readonly of: object | null;
  /** Makes the blocks: at most once, and before the next part is drawn. Each holds until the next one is made. */
  readonly blocks: () => Iterator<Uint8Array>;
}

export interface SnapshotSource {
  /** Drawn from a few blocks at a time, … */
  readonly parts: Iterable<SnapshotPart>;
  /** … with this in between. */
  readonly pause: () => Promise<void>;
}

export interface WrittenSnapshot {
  /** The size of the file. */
  readonly bytes: number;
  readonly parts: WrittenParts;
}

/** Writes and syncs the file at `path`, which must not exist. */
export async function writeSnapshot(
  disk: Disk,
  path: string,
  meta: SnapshotMeta,
  { parts, pause }: SnapshotSource,
  earlier: EarlierParts | null,
): Promise<WrittenSnapshot> {
  const file = await disk.open(path, "create");
  try {
    const out = new SnapshotWriter(file, pause);
    await out.begin(meta);
    for (const part of parts) await out.part(part, earlier);
    await out.end();
    await file.sync();
    return { bytes: await file.size(), parts: out.written };
  } finally {
    await file.close();
  }
}

class SnapshotWriter {
  readonly written = new WrittenParts();
  readonly #out: HashedFile;
  readonly #pause: () => Promise<void>;
  /** What is not written yet. */
  readonly #slice = new ByteWriter();
  #blocks = 0;
  #bytes = 0;

  constructor(file: DiskFile, pause: () => Promise<void>) {
    this.#out = new HashedFile(file);
    this.#pause = pause;
  }

  begin(meta: SnapshotMeta): Promise<void> {
    return this.#out.write(encodeHeader(meta));
  }

  async part({ of, blocks }: SnapshotPart, earlier: EarlierParts | null): Promise<void> {
    const at = this.#out.bytes + this.#slice.length;
    const first = this.#blocks;
    const lengths: number[] = [];
    const add = (block: Uint8Array): Promise<void> | null => {
      lengths.push(block.length);
      return this.#add(block);
    };
    const copies = of === null ? undefined : earlier?.blocksOf(of);
    if (copies !== undefined) for await (const block of copies) await add(block);
    const isCopied = copies !== undefined && earlier?.failed === false;
    if (!isCopied) {
      const made = blocks();
      // What was copied before that failed is there, and equal.
      for (let n = lengths.length; n > 0; n--) made.next();
      for (let next = made.next(); next.done !== true; next = made.next()) await add(next.value);
    }
    if (of !== null) this.written.note(of, { at, first, lengths });
  }

  /** Null: it was only taken in. */
  #add(block: Uint8Array): Promise<void> | null {
    writeBlock(this.#slice, this.#blocks, block);
    this.#blocks += 1;
    this.#bytes += block.length;
    return this.#slice.length < SNAPSHOT_SLICE_BYTES ? null : this.#writeSlice();
  }

  async #writeSlice(): Promise<void> {
    await this.#out.write(this.#slice.view());
    this.#slice.reset();
    await this.#pause();
  }

  async end(): Promise<void> {
    writeTrailerCounts(this.#slice, this.#blocks, this.#bytes);
    await this.#out.write(this.#slice.view());
    await this.#out.writeHash();
  }
}

/** Appends to a file, hashing what goes by. */
class HashedFile {
  readonly #file: DiskFile;
  readonly #hash = new Sha256();
  #bytes = 0;
  #synced = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#file.write(this.#bytes, bytes);
    this.#bytes += bytes.length;
    // All at once at the end would make the log's next sync wait for megabytes that are not its own.
    if (this.#bytes - this.#synced < SNAPSHOT_SYNC_BYTES) return;
    await this.#file.sync();
    this.#synced = this.#bytes;
  }

  /** Of everything written so far, behind it. */
  writeHash(): Promise<void> {
    return this.#file.write(this.#bytes, fromHex(this.#hash.hex()));
  }
}
