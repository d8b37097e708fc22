// Takes one snapshot off a connection and into a sink of the owner's. The offsets must follow each
// other without hole or overlap, the length and the SHA-256 must be those that were announced;
// then, and only then, the sink is told to finish. Whatever else happens, the sink is told to
// abort, once.

import type { NodeId } from "../base/brand.ts";
import { Sha256 } from "../base/hash.ts";
import { HANDSHAKE_TIMEOUT_MS, TRANSFER_STALL_MS } from "../base/limits.ts";
import { reasonOf, type Target, type TransportContext } from "./context.ts";
import type { FrameStream } from "./frame-stream.ts";
import type { Frame } from "./frame.ts";
import { explain, readRefusal } from "./handshake.ts";
import {
  decodeSnapshotBegin,
  decodeSnapshotChunk,
  encodeFailure,
  encodeU64,
  type SnapshotBegin,
} from "./payload.ts";
import type { SnapshotSink } from "./transport.ts";

/**
 * Why a transfer was given up: thrown and caught in this file, its message is sent to the sender.
 */
class Abandoned extends Error {}

/** Carries out one transfer; the stream is ended afterwards. True if the snapshot is there. */
export async function receiveSnapshotFile(
  context: TransportContext,
  from: Target,
  stream: FrameStream,
): Promise<boolean> {
  try {
    await receive(context, from, stream);
    stream.send("snapshot-done");
    return true;
  } catch (error) {
    const reason = reasonOf(error);
    stream.send("failed", encodeFailure(reason));
    if (!context.isStopped) {
      context.env.logger.warn("snapshot not received", { peer: from.id, reason });
    }
    return false;
  } finally {
    stream.finish(HANDSHAKE_TIMEOUT_MS);
  }
}

async function receive(
  context: TransportContext,
  from: Target,
  stream: FrameStream,
): Promise<void> {
  const { handlers, env } = context;
  const frame = await nextFrame(context, stream, from.id);
  const begin = frame.kind === "snapshot-begin" ? decodeSnapshotBegin(frame.payload) : null;
  if (begin === null) throw new Abandoned(`a ${frame.kind} frame where a snapshot should begin`);
  context.refusals.settled("accepted", from.id);
  const { index, term, bytes, sha256, message } = begin;
  const offer = { index, term, bytes, sha256, message };
  const sink = await handlers.receiveSnapshot(from.id, offer);
  if (sink === null) throw new Abandoned("no snapshot is taken now");
  try {
    if (context.isStopped) throw new Abandoned("stopped");
    await fill(context, from.id, stream, begin, sink);
    await sink.finish();
  } catch (error) {
    await abort(sink, (reason) => env.logger.warn("snapshot sink not aborted", { reason }));
    throw error;
  }
  // The file is whole and stays, whatever has become of the connection or the sender.
  if (context.isStopped) throw new Abandoned("stopped");
  handlers.snapshotReceived(from.id, { index, term, message });
}

/** Writes everything that is announced into the sink. */
async function fill(
  context: TransportContext,
  from: NodeId,
  stream: FrameStream,
  begin: SnapshotBegin,
  sink: SnapshotSink,
): Promise<void> {
  const hash = new Sha256();
  let writtenBytes = 0;
  for (;;) {
    const frame = await nextFrame(context, stream, from);
    if (frame.kind === "snapshot-end") break;
    const chunk = frame.kind === "snapshot-chunk" ? decodeSnapshotChunk(frame.payload) : null;
    if (chunk === null) throw new Abandoned(`a ${frame.kind} frame inside a snapshot`);
    const { at, data } = chunk;
    if (at !== writtenBytes) throw new Abandoned(`bytes from ${at} instead of ${writtenBytes}`);
    // Before it is written: the owner has made room for what was announced, and for no more.
    if (data.length > begin.bytes - at) throw new Abandoned("more bytes than were announced");
    // While this waits for the disk nobody reads from the connection, which holds up the sender.
    hash.update(data);
    await sink.write(at, data);
    writtenBytes += data.length;
    stream.send("snapshot-progress", encodeU64(writtenBytes));
  }
  if (writtenBytes !== begin.bytes) throw new Abandoned("fewer bytes than were announced");
  if (hash.hex() !== begin.sha256) throw new Abandoned("the SHA-256 is not the announced one");
}

async function nextFrame(
  context: TransportContext,
  stream: FrameStream,
  from: NodeId,
): Promise<Frame> {
  const received = await stream.next(TRANSFER_STALL_MS);
  if (context.isStopped) throw new Abandoned("stopped");
  if (received.kind !== "frame") throw new Abandoned(explain(received));
  if (received.frame.kind === "refuse") {
    const refusal = readRefusal(received.frame);
    context.refusals.refused("accepted", from, refusal);
    throw new Abandoned(`refused: ${refusal.code}`);
  }
  return received.frame;
}

async function abort(sink: SnapshotSink, complain: (reason: string) => void): Promise<void> {
  try {
    await sink.abort();
  } catch (error) {
    complain(reasonOf(error));
  }
}
