// A snapshot file that a peer sends, chunk by chunk. It gets its name only after all of it was written,
// synced, read back and found to be the snapshot that was announced.

import { toError } from "../../base/assert.ts";
import { SNAPSHOT_SYNC_BYTES } from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import { CorruptionError, ReceivedFileError } from "../errors.ts";
import type { SnapshotMeta } from "./format.ts";
import { scanSnapshot } from "./scan.ts";

/** What the sender says about the file before its bytes. */
export interface SnapshotOffer {
  readonly index: number;
  readonly term: number;
  readonly bytes: number;
  /** Of all the bytes, 64 hexadecimal digits. */
  readonly sha256: string;
}

/** Where the file goes. Ended by a `finish` that resolves, or by `abort`. */
export interface SnapshotSink {
  /** Chunks come in order and without holes; the chunk is left alone until this resolves. */
  write(at: number, chunk: Uint8Array): Promise<void>;
  finish(): Promise<SnapshotMeta>;
  abort(): Promise<void>;
}

export interface SnapshotReceiverOptions {
  readonly disk: Disk;
  /** The temporary name. */
  readonly path: string;
  readonly offer: SnapshotOffer;
  readonly clusterId: string;
  /** Gives the finished file its name. */
  readonly adopt: (path: string, meta: SnapshotMeta, bytes: number) => Promise<void>;
  /** Turns a failure of the disk into what the caller should see. */
  readonly explain: (thrown: unknown) => Error;
}

export class SnapshotReceiver implements SnapshotSink {
  readonly #options: SnapshotReceiverOptions;
  readonly #file: DiskFile;
  #written = 0;
  #synced = 0;
  #state: "open" | "closed" | "adopted" | "removed" = "open";

  constructor(options: SnapshotReceiverOptions, file: DiskFile) {
    this.#options = options;
    this.#file = file;
  }

  async write(at: number, chunk: Uint8Array): Promise<void> {
    const { offer, explain } = this.#options;
    if (this.#state !== "open") throw new ReceivedFileError("the transfer has ended");
    if (at !== this.#written) {
      throw new ReceivedFileError(`expected byte ${this.#written} of the snapshot, got ${at}`);
    }
    if (at + chunk.length > offer.bytes) {
      throw new ReceivedFileError(`the snapshot is longer than the ${offer.bytes} bytes announced`);
    }
    try {
      await this.#file.write(at, chunk);
      this.#written += chunk.length;
      if (this.#written - this.#synced < SNAPSHOT_SYNC_BYTES) return;
      await this.#file.sync();
      this.#synced = this.#written;
    } catch (thrown) {
      throw explain(thrown);
    }
  }

  async finish(): Promise<SnapshotMeta> {
    const { adopt, disk, explain, offer, path } = this.#options;
    if (this.#state !== "open") throw new ReceivedFileError("the transfer has ended");
    if (this.#written !== offer.bytes) {
      throw new ReceivedFileError(`got ${this.#written} of ${offer.bytes} bytes of the snapshot`);
    }
    this.#state = "closed";
    try {
      await this.#file.sync();
      await this.#file.close();
      const { meta, sha256 } = await scanSnapshot(disk, path, () => () => undefined);
      this.#check(meta, sha256);
      await adopt(path, meta, offer.bytes);
      this.#state = "adopted";
      return meta;
    } catch (thrown) {
      if (thrown instanceof CorruptionError) {
        throw new ReceivedFileError(`the snapshot received is bad: ${thrown.what}`, {
          cause: thrown,
        });
      }
      throw explain(thrown);
    }
  }

  #check(meta: SnapshotMeta, sha256: string): void {
    const { clusterId, offer } = this.#options;
    if (sha256 !== offer.sha256) {
      throw new ReceivedFileError("the snapshot received has another SHA-256 than announced");
    }
    if (meta.index !== offer.index || meta.term !== offer.term) {
      const got = `index ${meta.index}, term ${meta.term}`;
      throw new ReceivedFileError(`got a snapshot of ${got} instead of the one announced`);
    }
    if (meta.clusterId !== clusterId) {
      throw new ReceivedFileError(`got a snapshot of cluster ${meta.clusterId}`);
    }
  }

  async abort(): Promise<void> {
    const { disk, path, explain } = this.#options;
    if (this.#state === "adopted" || this.#state === "removed") return;
    const wasOpen = this.#state === "open";
    this.#state = "removed";
    try {
      if (wasOpen) await this.#file.close();
      if ((await disk.stat(path)) !== null) await disk.remove(path);
    } catch (thrown) {
      throw explain(toError(thrown));
    }
  }
}
