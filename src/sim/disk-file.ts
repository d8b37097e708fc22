// An open file of a simulated disk.

import { assert } from "../base/assert.ts";
import { DiskError, type DiskErrorCode, type DiskFile, type OpenMode } from "../env/disk.ts";
import type { Random } from "../env/random.ts";
import type { DiskOperation } from "./disk-faults.ts";
import { Fate, type FileImage, type WriteUnderWay } from "./disk-image.ts";

/** One operation as the disk carries it out: `act` when it completes, `onFault` if it fails instead. */
export interface Operation<T> {
  readonly operation: DiskOperation;
  readonly path: string;
  readonly bytes: number;
  readonly act: () => T;
  readonly onFault?: () => void;
}

/** What a file needs of its disk. */
export interface FileHost {
  readonly isDead: boolean;
  readonly random: Random;
  run<T>(operation: Operation<T>): Promise<T>;
  hasRoom(bytes: number): boolean;
}

const REASONS: Readonly<Partial<Record<DiskErrorCode, string>>> = {
  ENOSPC: "no space left on device",
  EIO: "i/o error",
};

export function diskFailure(
  code: DiskErrorCode,
  operation: DiskOperation,
  path: string,
): DiskError {
  return new DiskError(code, operation, path, REASONS[code] ?? code);
}

export class SimFile implements DiskFile {
  readonly path: string;
  readonly #host: FileHost;
  readonly #image: FileImage;
  readonly #mode: OpenMode;
  #isClosed = false;

  constructor(host: FileHost, path: string, image: FileImage, mode: OpenMode) {
    this.path = path;
    this.#host = host;
    this.#image = image;
    this.#mode = mode;
  }

  size(): Promise<number> {
    return this.#run("size", 0, () => this.#image.size);
  }

  read(at: number, length: number): Promise<Uint8Array> {
    return this.#run("read", length, () => this.#image.read(at, length));
  }

  write(at: number, bytes: Uint8Array): Promise<void> {
    assert(this.#mode !== "read", () => `${this.path} is open for reading only`);
    const write: WriteUnderWay = { at, bytes: bytes.slice() };
    if (!this.#host.isDead) this.#image.begin(write);
    const giveUp = (): void => {
      this.#image.landPartly(write, new Fate(this.#host.random));
      // What such a write left shows, and counts as clean: no later sync writes it.
      if (this.#mode === "durable") this.#image.forgetPending();
    };
    const act = (): void => {
      const isSame = Buffer.compare(write.bytes, bytes) === 0;
      assert(isSame, () => `${this.path}: bytes changed while they were being written`);
      const growth = Math.max(0, at + bytes.length - this.#image.size);
      if (growth > 0 && !this.#host.hasRoom(growth)) {
        giveUp();
        throw diskFailure("ENOSPC", "write", this.path);
      }
      this.#image.land(write);
      if (this.#mode === "durable") this.#image.hardenWrite(write);
    };
    return this.#run("write", bytes.length, act, giveUp);
  }

  sync(): Promise<void> {
    const complete = this.#image.beginSync();
    return this.#run("sync", 0, complete, () => this.#image.forgetPending());
  }

  close(): Promise<void> {
    const closed = this.#run("close", 0, () => undefined);
    this.#isClosed = true;
    return closed;
  }

  #run<T>(
    operation: DiskOperation,
    bytes: number,
    act: () => T,
    onFault: () => void = () => undefined,
  ): Promise<T> {
    assert(!this.#isClosed, () => `${this.path} is closed`);
    return this.#host.run({ operation, path: this.path, bytes, act, onFault });
  }
}
