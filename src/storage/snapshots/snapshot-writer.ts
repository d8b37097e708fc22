// Writes a snapshot file under a temporary name, in slices: a few blocks are made and written, then
// others get their turn. The state they are made of is immutable, so time may pass in between.

import { ByteWriter } from "../../base/bytes.ts";
import { Sha256 } from "../../base/hash.ts";
import { SNAPSHOT_BLOCKS_PER_SLICE, SNAPSHOT_SYNC_BYTES } from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import {
  type SnapshotMeta,
  encodeHeader,
  fromHex,
  writeBlock,
  writeTrailerCounts,
} from "./format.ts";

/** Writes and syncs the file at `path`, which must not exist; resolves to its size. */
export async function writeSnapshot(
  disk: Disk,
  path: string,
  meta: SnapshotMeta,
  blocks: Iterator<Uint8Array>,
  pause: () => Promise<void>,
): Promise<number> {
  const file = await disk.open(path, "create");
  try {
    const out = new HashedFile(file);
    await out.write(encodeHeader(meta));
    const slice = new ByteWriter();
    let [count, bytes] = [0, 0];
    for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
      writeBlock(slice, count, next.value);
      count += 1;
      bytes += next.value.length;
      if (count % SNAPSHOT_BLOCKS_PER_SLICE !== 0) continue;
      await out.write(slice.view());
      slice.reset();
      await pause();
    }
    writeTrailerCounts(slice, count, bytes);
    await out.write(slice.view());
    await file.write(out.bytes, fromHex(out.sha256()));
    await file.sync();
    return await file.size();
  } finally {
    await file.close();
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

  sha256(): string {
    return this.#hash.hex();
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
}
