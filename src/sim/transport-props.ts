// What stands in for the world around a transport in the tests of src/transport: a file to send, a
// sink to write to, an end of a connection that says exactly what the test wants. The file and the
// sink insist on the contract of SnapshotSource and SnapshotSink, and can be made to fail.

import { assert } from "../base/assert.ts";
import { logIndex, nodeId, term } from "../base/brand.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { sha256Hex } from "../base/hash.ts";
import { SNAPSHOT_WINDOW_BYTES } from "../base/limits.ts";
import type { Connection } from "../env/network.ts";
import { FrameDecoder, type Frame } from "../transport/frame.ts";
import type {
  NodeFacts,
  OutgoingSnapshot,
  SnapshotOffer,
  SnapshotSink,
} from "../transport/transport.ts";
import { SimRandom } from "./sim-random.ts";
import { hostOf } from "./transport-world.ts";

const NOISE = new Uint8Array(2 * SNAPSHOT_WINDOW_BYTES + 100_000);
new SimRandom(1).fill(NOISE);

/** Bytes without a pattern; other ones for another salt. */
export function noise(length: number, salt = 0): Uint8Array {
  assert(salt + length <= NOISE.length, "not that much noise");
  return NOISE.subarray(salt, salt + length);
}

export type ReadAt = (at: number, length: number) => Promise<Uint8Array>;

/** A snapshot file to send. */
export class FileToSend {
  readonly content: Uint8Array;
  readonly snapshot: OutgoingSnapshot;
  readonly #readAt: ReadAt;
  #isReading = false;
  /** How far it was read, and how often it was closed. */
  readBytes = 0;
  closes = 0;

  constructor(content: Uint8Array, index = 100, readAt: ReadAt | null = null) {
    this.content = content;
    this.#readAt = readAt ?? ((at, length) => Promise.resolve(content.slice(at, at + length)));
    this.snapshot = {
      message: encodeUtf8(`MsgSnap ${index}`),
      index: logIndex(index),
      term: term(7),
      source: {
        bytes: content.length,
        sha256: sha256Hex(content),
        read: (at, length) => this.#read(at, length),
        close: () => this.#close(),
      },
    };
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    assert(this.closes === 0, "read after the end");
    assert(!this.#isReading, "two reads at a time");
    assert(length > 0 && at + length <= this.content.length, "read outside of the file");
    this.#isReading = true;
    try {
      const bytes = await this.#readAt(at, length);
      this.readBytes = at + length;
      return bytes;
    } finally {
      this.#isReading = false;
    }
  }

  #close(): Promise<void> {
    assert(!this.#isReading, "closed in the middle of a read");
    this.closes += 1;
    return Promise.resolve();
  }
}

export interface SinkFaults {
  readonly write?: (at: number) => Promise<void>;
  readonly finish?: () => Promise<void>;
  readonly abort?: () => Promise<void>;
}

/** Takes one snapshot. Nothing may overlap, and it must end exactly once. */
export class TestSink implements SnapshotSink {
  readonly offer: SnapshotOffer;
  readonly #faults: SinkFaults;
  readonly #written: Uint8Array[] = [];
  writtenBytes = 0;
  state: "open" | "busy" | "failed" | "finished" | "aborted" = "open";

  constructor(offer: SnapshotOffer, faults: SinkFaults = {}) {
    this.offer = offer;
    this.#faults = faults;
  }

  get content(): Uint8Array {
    const whole = new Uint8Array(this.writtenBytes);
    let at = 0;
    for (const chunk of this.#written) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  async write(at: number, chunk: Uint8Array): Promise<void> {
    assert(at === this.writtenBytes, "a hole or an overlap");
    const before = sha256Hex(chunk);
    await this.#step(this.#faults.write?.(at), "open");
    assert(sha256Hex(chunk) === before, "the chunk was not left alone");
    this.#written.push(chunk.slice());
    this.writtenBytes += chunk.length;
  }

  async finish(): Promise<void> {
    assert(sha256Hex(this.content) === this.offer.sha256, "told to finish another file");
    await this.#step(this.#faults.finish?.(), "finished");
  }

  async abort(): Promise<void> {
    assert(this.state === "open" || this.state === "failed", `aborted when ${this.state}`);
    this.state = "aborted";
    await this.#faults.abort?.();
  }

  async #step(done: Promise<void> | undefined, after: "open" | "finished"): Promise<void> {
    assert(this.state === "open", `used when ${this.state}`);
    this.state = "busy";
    try {
      await done;
    } catch (error) {
      this.state = "failed";
      throw error;
    }
    this.state = after;
  }
}

/** One end of a connection that does nothing by itself. */
export class Puppet {
  readonly connection: Connection;
  readonly frames: Frame[] = [];
  closed = false;

  constructor(connection: Connection, onFrame: (frame: Frame) => void = () => undefined) {
    this.connection = connection;
    const decoder = new FrameDecoder();
    connection.onData((bytes) => {
      for (const frame of decoder.push(bytes).frames) {
        this.frames.push(frame);
        onFrame(frame);
      }
    });
    connection.onClose(() => (this.closed = true));
  }

  get kinds(): string[] {
    return this.frames.map((frame) => frame.kind);
  }
}

/** What a puppet says about itself when it plays node `id`. */
export function puppetFacts(id: number): NodeFacts {
  return {
    clusterId: "cluster-a",
    nodeId: nodeId(id),
    instance: `instance-${id}`,
    starts: 1,
    founded: true,
    run: `puppet-${id}`,
    http: `${hostOf(id)}:8000`,
    formats: {},
  };
}
