// A snapshot file that is being sent to a peer.

import type { DiskFile } from "../../env/disk.ts";

export interface SnapshotReaderOptions {
  readonly file: DiskFile;
  readonly bytes: number;
  readonly sha256: string;
  readonly onClose: () => Promise<void>;
}

export class SnapshotReader {
  /** The size of the file. */
  readonly bytes: number;
  /** Of all its bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly #file: DiskFile;
  readonly #onClose: () => Promise<void>;
  #isClosed = false;

  constructor(options: SnapshotReaderOptions) {
    this.bytes = options.bytes;
    this.sha256 = options.sha256;
    this.#file = options.file;
    this.#onClose = options.onClose;
  }

  read(at: number, length: number): Promise<Uint8Array> {
    return this.#file.read(at, length);
  }

  /** Lets the store remove the file. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
    await this.#onClose();
  }
}
