// Reads a snapshot file from its first byte to its last and believes none of it before it is checked.

import { assert } from "../../base/assert.ts";
import { ByteReader } from "../../base/bytes.ts";
import { Sha256, crc32 } from "../../base/hash.ts";
import {
  SNAPSHOT_BLOCK_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES,
  SNAPSHOT_META_BYTES_MAX,
} from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import { CorruptionError, UnknownFormatError } from "../errors.ts";
import {
  BLOCK_HEADER_BYTES,
  CRC_BYTES,
  HEADER_BYTES,
  SHA_BYTES,
  SNAPSHOT_VERSION,
  type SnapshotMeta,
  TRAILER_COUNTS_BYTES,
  blockCrc,
  decodeHeaderStart,
  decodeMeta,
  toHex,
} from "./format.ts";

export interface SnapshotContent {
  readonly meta: SnapshotMeta;
  readonly blocks: number;
  /** The size of the file. */
  readonly bytes: number;
  /** Of all the bytes of the file, 64 hexadecimal digits. */
  readonly sha256: string;
}

/** Called with the metadata, before the first block; takes the blocks. */
export type SnapshotTaker = (meta: SnapshotMeta) => (block: Uint8Array) => void;

/**
 * Checks every byte of the file and gives its blocks to `taker`, each after its CRC was checked. What
 * was taken counts only when this resolves: the hash over all comes last.
 */
export async function scanSnapshot(
  disk: Disk,
  path: string,
  taker: SnapshotTaker,
): Promise<SnapshotContent> {
  const file = await disk.open(path, "read");
  try {
    return await new Scan(disk, path, file, await file.size()).run(taker);
  } finally {
    await file.close();
  }
}

class Scan {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #size: number;
  readonly #hash = new Sha256();
  #buffer: Uint8Array = new Uint8Array(0);
  /** Offset in the file of the buffer's first byte. */
  #at = 0;

  constructor(disk: Disk, path: string, file: DiskFile, size: number) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  async run(taker: SnapshotTaker): Promise<SnapshotContent> {
    const meta = await this.#header();
    const take = taker(meta);
    let [blocks, bytes] = [0, 0];
    for (;;) {
      const at = this.#at;
      const length = new ByteReader(await this.#take(4)).u32();
      if (length === 0) break;
      if (length > SNAPSHOT_BLOCK_BYTES_MAX) throw this.#bad(at, `a block of ${length} bytes`);
      const crc = new ByteReader(await this.#take(BLOCK_HEADER_BYTES - 4)).u32();
      const block = await this.#take(length);
      if (crc !== blockCrc(blocks, block)) {
        throw this.#bad(at, `block ${blocks} does not match its checksum`);
      }
      take(block);
      blocks += 1;
      bytes += length;
    }
    await this.#trailer(blocks, bytes);
    return { meta, blocks, bytes: this.#size, sha256: this.#hash.hex() };
  }

  async #header(): Promise<SnapshotMeta> {
    const start = (await this.#take(HEADER_BYTES)).slice();
    const decoded = decodeHeaderStart(start);
    if (decoded === null) throw this.#bad(0, "this is no snapshot");
    const { version, metaBytes } = decoded;
    if (metaBytes > SNAPSHOT_META_BYTES_MAX) throw this.#bad(0, `metadata of ${metaBytes} bytes`);
    const json = (await this.#take(metaBytes)).slice();
    const crc = new ByteReader(await this.#take(CRC_BYTES)).u32();
    if (crc !== crc32(json, crc32(start))) {
      throw this.#bad(0, "the header does not match its checksum");
    }
    if (version !== SNAPSHOT_VERSION) {
      throw new UnknownFormatError(this.#disk, this.#path, version, SNAPSHOT_VERSION);
    }
    const meta = decodeMeta(json);
    if (meta === null) throw this.#bad(HEADER_BYTES, "the metadata cannot be read");
    return meta;
  }

  /** The zero before the counts has been taken. */
  async #trailer(blocks: number, bytes: number): Promise<void> {
    const at = this.#at - 4;
    const counts = new ByteReader(await this.#take(TRAILER_COUNTS_BYTES - 4));
    // Compared as written, so that no damaged number is ever interpreted.
    const [countedBlocks, countedBytes] = [countText(counts), countText(counts)];
    if (countedBlocks !== String(blocks) || countedBytes !== String(bytes)) {
      throw this.#bad(at, `the file has ${blocks} blocks and says it should have ${countedBlocks}`);
    }
    const expected = this.#hash.hexSoFar();
    const sha = toHex(await this.#take(SHA_BYTES));
    if (sha !== expected) throw this.#bad(at, "the file does not match its SHA-256");
    if (this.#at !== this.#size) throw this.#bad(this.#at, "something stands behind the end");
  }

  /** The next `length` bytes: a view that holds until the next call. */
  async #take(length: number): Promise<Uint8Array> {
    if (this.#buffer.length < length) await this.#fill(length);
    const bytes = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    this.#at += length;
    this.#hash.update(bytes);
    return bytes;
  }

  async #fill(length: number): Promise<void> {
    const end = this.#at + this.#buffer.length;
    const wanted = Math.max(length - this.#buffer.length, SNAPSHOT_CHUNK_BYTES);
    const more = await this.#file.read(end, wanted);
    if (this.#buffer.length + more.length < length) {
      throw this.#bad(end + more.length, "the file ends early");
    }
    const joined = new Uint8Array(this.#buffer.length + more.length);
    joined.set(this.#buffer);
    joined.set(more, this.#buffer.length);
    this.#buffer = joined;
    assert(this.#at + joined.length <= this.#size, "the file grew while it was read");
  }

  #bad(offset: number, what: string): CorruptionError {
    return new CorruptionError(this.#disk, this.#path, offset, what);
  }
}

/** A u64 as text, whatever its size. */
function countText(reader: ByteReader): string {
  const [low, high] = [reader.u32(), reader.u32()];
  return String((BigInt(high) << 32n) + BigInt(low));
}
