// The parts of a snapshot that this process wrote, for the next one: what of the state is still the same object is
// still the same bytes, and these are copied. Each block is checked against its CRC before it is used, so that what
// the disk has spoilt since is not written once more with a good CRC.

import { ByteReader } from "../../base/bytes.ts";
import { SNAPSHOT_CHUNK_BYTES } from "../../base/limits.ts";
import { toError } from "../../base/assert.ts";
import type { DiskFile } from "../../env/disk.ts";
import { BLOCK_HEADER_BYTES, blockCrc } from "./format.ts";

/** Where the blocks of a part lie in a snapshot file. */
interface Extent {
  /** Of the first block's header, in bytes. */
  readonly at: number;
  /** Number of the first block. */
  readonly first: number;
  /** Of the blocks, without their headers. */
  readonly lengths: readonly number[];
}

/** What a snapshot file holds of which objects. Keeps none of them alive. */
export class WrittenParts {
  readonly #extents = new WeakMap<object, Extent>();

  note(of: object, extent: Extent): void {
    this.#extents.set(of, extent);
  }

  get(of: object): Extent | undefined {
    return this.#extents.get(of);
  }
}

export class EarlierParts {
  readonly #file: DiskFile;
  readonly #parts: WrittenParts;
  readonly #onFailure: (reason: string) => void;
  /** One for all that is read: fresh memory for each of thousands of reads would set off V8's collections. */
  readonly #memory = new Uint8Array(SNAPSHOT_CHUNK_BYTES);
  #failed = false;

  /** `file` is that of `parts`. `onFailure` is called once, if it cannot be read or is damaged. */
  constructor(file: DiskFile, parts: WrittenParts, onFailure: (reason: string) => void) {
    this.#file = file;
    this.#parts = parts;
    this.#onFailure = onFailure;
  }

  /** Nothing more is copied: what was given so far is good, and the rest must be made. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Undefined: the file does not have them. They end early where it has `failed`. Each holds until the next one. */
  blocksOf(of: object): AsyncGenerator<Uint8Array, undefined> | undefined {
    const extent = this.#parts.get(of);
    return extent === undefined || this.#failed ? undefined : this.#read(extent);
  }

  async *#read({ at, first, lengths }: Extent): AsyncGenerator<Uint8Array, undefined> {
    let offset = at;
    for (let from = 0; from < lengths.length;) {
      const [count, bytes] = this.#fitting(lengths, from);
      const read = await this.#readAt(offset, bytes);
      if (read === null) return;
      const reader = new ByteReader(read);
      for (let n = from; n < from + count; n += 1) {
        const [length, crc] = [reader.u32(), reader.u32()];
        const isThere = length === lengths[n];
        const block = isThere ? reader.view(length) : read;
        if (!isThere || blockCrc(first + n, block) !== crc) {
          return this.#fail(`block ${first + n} is not what was written`);
        }
        yield block;
      }
      from += count;
      offset += bytes;
    }
  }

  /** How many blocks from this one on are read at once, and their bytes with their headers: one at least. */
  #fitting(lengths: readonly number[], from: number): readonly [count: number, bytes: number] {
    let [count, bytes] = [0, 0];
    for (const length of lengths.slice(from)) {
      const more = BLOCK_HEADER_BYTES + length;
      if (count > 0 && bytes + more > this.#memory.length) break;
      count += 1;
      bytes += more;
    }
    return [count, bytes];
  }

  /** Null: it failed. */
  async #readAt(offset: number, length: number): Promise<Uint8Array | null> {
    let read: Uint8Array;
    try {
      read = await this.#file.read(offset, length, this.#memory);
    } catch (thrown) {
      this.#fail(toError(thrown).message);
      return null;
    }
    if (read.length === length) return read;
    this.#fail("the file has become shorter");
    return null;
  }

  #fail(reason: string): undefined {
    this.#failed = true;
    this.#onFailure(reason);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
