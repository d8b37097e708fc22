// Streams a snapshot file to a peer over a connection of its own: BEGIN, CHUNK after CHUNK, END,
// and then the receiver's verdict. The receiver acknowledges what it has written; no more than a
// window is ever on its way, so a slow receiver holds up the reading of the file and nothing else.

import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_WINDOW_BYTES, TRANSFER_STALL_MS } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import { reasonOf, type Target, type TransportContext } from "./context.ts";
import type { FrameStream } from "./frame-stream.ts";
import { dial, explain, readRefusal } from "./handshake.ts";
import { decodeFailure, decodeU64, encodeSnapshotBegin, encodeU64 } from "./payload.ts";
import type { OutgoingSnapshot, SnapshotSource } from "./transport.ts";

export type Sent = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const SENT: Sent = { ok: true };

/**
 * Carries out one transfer, reports how it ended, and closes the source. In that order, because a
 * read that hangs fails the transfer in time, while the source can only be closed once the read is
 * back.
 */
export async function sendSnapshotFile(
  context: TransportContext,
  target: Target,
  snapshot: OutgoingSnapshot,
  report: (sent: Sent) => void,
): Promise<void> {
  const file = new SourceFile(context.env.clock, snapshot.source);
  report(await transfer(context, target, snapshot, file));
  await file.settled();
  await closeSource(context, snapshot.source);
}

/** An error here costs nothing but a file that stays open; people should know. */
export async function closeSource(
  context: TransportContext,
  source: SnapshotSource,
): Promise<void> {
  try {
    await source.close();
  } catch (error) {
    context.env.logger.warn("snapshot source not closed", { reason: reasonOf(error) });
  }
}

async function transfer(
  context: TransportContext,
  target: Target,
  snapshot: OutgoingSnapshot,
  file: SourceFile,
): Promise<Sent> {
  const dialled = await dial(context, target, "snapshot");
  if (dialled.kind === "refused") return failed(`refused: ${dialled.refusal.code}`);
  if (dialled.kind === "failed") return failed(dialled.reason);
  const { stream } = dialled;
  try {
    return await new Transfer(stream, snapshot, file).run();
  } catch (error) {
    return failed(reasonOf(error));
  } finally {
    stream.destroy();
  }
}

class Transfer {
  readonly #stream: FrameStream;
  readonly #snapshot: OutgoingSnapshot;
  readonly #file: SourceFile;
  /** How far the file was sent, and how far the receiver says it has written it. */
  #sentBytes = 0;
  #writtenBytes = 0;

  constructor(stream: FrameStream, snapshot: OutgoingSnapshot, file: SourceFile) {
    this.#stream = stream;
    this.#snapshot = snapshot;
    this.#file = file;
  }

  async run(): Promise<Sent> {
    const { index, term, message, source } = this.#snapshot;
    const { bytes, sha256 } = source;
    this.#stream.send(
      "snapshot-begin",
      encodeSnapshotBegin({ index, term, bytes, sha256, message }),
    );
    while (this.#sentBytes < bytes) {
      const length = Math.min(SNAPSHOT_CHUNK_BYTES, bytes - this.#sentBytes);
      const blocked = await this.#waitForRoom(length);
      if (blocked !== null) return blocked;
      const chunk = await this.#file.read(this.#sentBytes, length);
      if (chunk === null) return failed("the snapshot file gives no bytes");
      this.#stream.send("snapshot-chunk", encodeU64(this.#sentBytes), chunk);
      this.#sentBytes += length;
    }
    // The receiver still has to check and to sync the file; its progress may come in meanwhile.
    this.#stream.send("snapshot-end");
    for (;;) {
      const verdict = await this.#answer();
      if (verdict !== null) return verdict;
    }
  }

  /** Takes the answers that are there, and waits for more while the window is full. */
  async #waitForRoom(length: number): Promise<Sent | null> {
    const isFull = (): boolean =>
      this.#sentBytes + length - this.#writtenBytes > SNAPSHOT_WINDOW_BYTES;
    while (isFull() || this.#stream.hasNext || !this.#stream.isOpen) {
      const verdict = await this.#answer();
      if (verdict === SENT) return failed("the receiver was done before the end");
      if (verdict !== null) return verdict;
    }
    return null;
  }

  /** One answer of the receiver; null if it was progress. */
  async #answer(): Promise<Sent | null> {
    const received = await this.#stream.next(TRANSFER_STALL_MS);
    if (received.kind !== "frame") return failed(explain(received));
    const { kind, payload } = received.frame;
    if (kind === "failed") return failed(`the receiver failed: ${decodeFailure(payload)}`);
    if (kind === "refuse") return failed(`refused: ${readRefusal(received.frame).code}`);
    if (kind === "snapshot-done") return SENT;
    const writtenBytes = kind === "snapshot-progress" ? decodeU64(payload) : null;
    // Progress that does not move on must not count as a sign of life.
    const isProgress =
      writtenBytes !== null && writtenBytes > this.#writtenBytes && writtenBytes <= this.#sentBytes;
    if (!isProgress) return failed(`a ${kind} frame that makes no sense here`);
    this.#writtenBytes = writtenBytes;
    return null;
  }
}

/** The source, with a bound on how long a read may take. Its calls never overlap. */
class SourceFile {
  readonly #clock: Clock;
  readonly #source: SnapshotSource;
  #reading: Promise<Uint8Array> | null = null;

  constructor(clock: Clock, source: SnapshotSource) {
    this.#clock = clock;
    this.#source = source;
  }

  /** The bytes; null if they are too few or did not come in the time a transfer may stand still. */
  async read(at: number, length: number): Promise<Uint8Array | null> {
    this.#reading = this.#source.read(at, length);
    const { promise: stalled, cancel } = timeout(this.#clock, TRANSFER_STALL_MS);
    try {
      const bytes = await Promise.race([this.#reading, stalled]);
      return bytes !== null && bytes.length === length ? bytes : null;
    } finally {
      cancel();
    }
  }

  /** When no read is under way any more. */
  async settled(): Promise<void> {
    try {
      await this.#reading;
    } catch {
      // The transfer has failed for it already.
    }
  }
}

function timeout(clock: Clock, delayMs: number): { promise: Promise<null>; cancel: () => void } {
  let cancel = (): void => undefined;
  const promise = new Promise<null>((resolve) => {
    const timer = clock.after(delayMs, () => resolve(null));
    cancel = () => timer.cancel();
  });
  return { promise, cancel };
}

function failed(reason: string): Sent {
  return { ok: false, reason };
}
