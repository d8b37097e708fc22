// A peer's events, asked for and served over a connection of their own. The asking node
// acknowledges each block once it has dealt with it; only a few are on their way at a time, so that
// neither side keeps more than that, however long the history is.

import { assert } from "../base/assert.ts";
import {
  EVENT_BLOCKS_WINDOW,
  FRAME_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  TRANSFER_STALL_MS,
} from "../base/limits.ts";
import { reasonOf, type Target, type TransportContext } from "./context.ts";
import type { FrameStream } from "./frame-stream.ts";
import { dial, explain, readRefusal } from "./handshake.ts";
import {
  decodeEventsRange,
  decodeFailure,
  encodeEventsRange,
  encodeFailure,
  type EventsRange,
} from "./payload.ts";
import { TransportError } from "./transport.ts";

/**
 * Asks; ends when the peer says that this was all, throws a TransportError if anything else ends
 * it.
 */
export async function* requestEvents(
  context: TransportContext,
  target: Target,
  range: EventsRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  const dialled = await dial(context, target, "events");
  if (dialled.kind === "refused") {
    throw new TransportError(target.id, `refused: ${dialled.refusal.code}`);
  }
  if (dialled.kind === "failed") throw new TransportError(target.id, dialled.reason);
  const { stream } = dialled;
  try {
    stream.send("events-request", encodeEventsRange(range));
    for (;;) {
      const received = await stream.next(TRANSFER_STALL_MS);
      if (received.kind !== "frame") throw new TransportError(target.id, explain(received));
      const { kind, payload } = received.frame;
      if (kind === "events-end") return;
      if (kind === "failed") throw new TransportError(target.id, decodeFailure(payload));
      if (kind !== "events-block") {
        throw new TransportError(target.id, `a ${kind} frame among events`);
      }
      // The consumer works between here and the next line; only then does it ask for more.
      yield payload;
      stream.send("events-more");
    }
  } finally {
    stream.destroy();
  }
}

/** Serves one request; the stream is ended afterwards. */
export async function serveEvents(
  context: TransportContext,
  from: Target,
  stream: FrameStream,
): Promise<void> {
  const failure = await serve(context, from, stream);
  if (failure === null) {
    stream.send("events-end");
  } else {
    stream.send("failed", encodeFailure(failure));
    context.env.logger.debug("events not served", { peer: from.id, reason: failure });
  }
  stream.finish(HANDSHAKE_TIMEOUT_MS);
}

/** Null when everything asked for was sent, else what stood in the way. */
async function serve(
  context: TransportContext,
  from: Target,
  stream: FrameStream,
): Promise<string | null> {
  const received = await stream.next(TRANSFER_STALL_MS);
  if (context.isStopped) return "stopped";
  if (received.kind !== "frame") return explain(received);
  const { kind, payload } = received.frame;
  if (kind === "refuse") {
    const refusal = readRefusal(received.frame);
    context.refusals.refused("accepted", from.id, refusal);
    return `refused: ${refusal.code}`;
  }
  const range = kind === "events-request" ? decodeEventsRange(payload) : null;
  if (range === null) return `a ${kind} frame where events should be asked for`;
  context.refusals.settled("accepted", from.id);
  const blocks = context.handlers.serveEvents(from.id, range.after, range.through);
  if (blocks === null) return "not all of these events are here";
  try {
    return await sendBlocks(stream, blocks);
  } catch (error) {
    return reasonOf(error);
  }
}

async function sendBlocks(
  stream: FrameStream,
  blocks: AsyncIterable<Uint8Array>,
): Promise<string | null> {
  let onTheirWay = 0;
  for await (const block of blocks) {
    assert(block.length > 0, "an empty block of events");
    assert(block.length <= FRAME_BYTES_MAX, "a block of events longer than a frame");
    // Takes the acknowledgements that are there, and waits for more while the window is full.
    while (onTheirWay >= EVENT_BLOCKS_WINDOW || stream.hasNext) {
      const received = await stream.next(TRANSFER_STALL_MS);
      if (received.kind !== "frame") return explain(received);
      const { kind } = received.frame;
      if (kind !== "events-more" || onTheirWay === 0) return `a ${kind} frame that is out of place`;
      onTheirWay -= 1;
    }
    stream.send("events-block", block);
    onTheirWay += 1;
  }
  return null;
}
