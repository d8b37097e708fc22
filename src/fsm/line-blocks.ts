// Lines of text as blocks of bytes: whole lines in each, and as many as its bound lets in.
//
// All blocks lie in the same memory, so that the whole of a large farm is written without any of its
// own. With a fresh array for each line and block, memory outside the heap came and went by the
// hundred megabytes, and the engine answered with one collection of everything after the other, for
// as long as a snapshot was written.

import { encodeUtf8Into } from "../base/bytes.ts";

/** Lines become bytes in pieces of about this length: one by one they would cost twice as much. */
const PIECE_CHARS = 8192;
/** What a UTF-16 unit takes at most. */
const BYTES_PER_CHAR_MAX = 3;
const LINE_END = 0x0a;

/** Where blocks lie, for one `lineBlocks` after the other. */
export class BlockMemory {
  readonly blockBytes: number;
  bytes: Uint8Array;

  /** For blocks of at most `blockBytes` bytes. */
  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
    this.bytes = new Uint8Array(blockBytes + BYTES_PER_CHAR_MAX * PIECE_CHARS);
  }
}

/**
 * Blocks of at most as many bytes as the memory is for; a line that is longer than that, with its end, is a block
 * of its own. A block holds until the next one in this memory is asked for. No line is asked for before it is needed.
 */
export function* lineBlocks(
  lines: Iterable<string>,
  memory: BlockMemory,
): Generator<Uint8Array, undefined> {
  const { blockBytes } = memory;
  let { bytes } = memory;
  let filled = 0;
  let text = "";
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length < PIECE_CHARS && filled + text.length <= blockBytes) continue;
    take();
    while (filled > blockBytes) yield* front();
  }
  take();
  while (filled > 0) yield* front();

  function take(): void {
    bytes = memory.bytes = withRoom(bytes, filled, text);
    filled += encodeUtf8Into(text, bytes.subarray(filled));
    text = "";
  }

  /** The next block; what is behind it moves to the front when the one after it is asked for. */
  function* front(): Generator<Uint8Array, undefined> {
    const end = endOfBlock(bytes.subarray(0, filled), blockBytes);
    yield bytes.subarray(0, end);
    bytes.copyWithin(0, end, filled);
    filled -= end;
  }
}

/** Behind the last line that the bound lets in; behind the first one, if that is too long for it. */
function endOfBlock(bytes: Uint8Array, blockBytes: number): number {
  if (bytes.length <= blockBytes) return bytes.length;
  const end = bytes.lastIndexOf(LINE_END, blockBytes - 1) + 1;
  return end > 0 ? end : bytes.indexOf(LINE_END) + 1;
}

/** These bytes, or as much of a copy as is filled, with room for the text behind it. */
function withRoom(bytes: Uint8Array, filled: number, text: string): Uint8Array {
  const needed = filled + BYTES_PER_CHAR_MAX * text.length;
  if (needed <= bytes.length) return bytes;
  const longer = new Uint8Array(needed);
  longer.set(bytes.subarray(0, filled));
  return longer;
}
