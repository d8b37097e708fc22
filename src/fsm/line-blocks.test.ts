import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { BlockMemory, lineBlocks } from "./line-blocks.ts";

function blocksOf(lines: readonly string[], blockBytes: number): readonly string[] {
  return Array.from(lineBlocks(lines, new BlockMemory(blockBytes)), decodeUtf8);
}

/** Line by line: what the blocks are to be, in so many words. */
function plainBlocks(lines: readonly string[], blockBytes: number): readonly string[] {
  const blocks: { text: string; bytes: number }[] = [];
  for (const line of lines) {
    const bytes = encodeUtf8(`${line}\n`);
    const text = decodeUtf8(bytes);
    const last = blocks.at(-1);
    if (last === undefined || last.bytes + bytes.length > blockBytes) {
      blocks.push({ text, bytes: bytes.length });
    } else {
      last.text += text;
      last.bytes += bytes.length;
    }
  }
  return blocks.map(({ text }) => text);
}

describe("blocks of lines", () => {
  test("hold as many whole lines as fit, whatever characters these are of", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 }).map((s) => s.replaceAll("\n", ""));
    const lines = fc.array(text, { maxLength: 60 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 1, max: 200 }), (some, bound) => {
        expect(blocksOf(some, bound)).toEqual(plainBlocks(some, bound));
      }),
      { seed: 23, numRuns: 300 },
    );
  });

  test("of lines that are longer than all the memory that is there at first", () => {
    const long = [10, 100_000, 20, 300_000, 5, 5].map((length) => "ä".repeat(length));
    for (const bound of [1, 64, 50_000, 100_050, 10_000_000]) {
      expect(blocksOf(long, bound)).toEqual(plainBlocks(long, bound));
    }
  });

  test("lie in the same memory", () => {
    const lines = Array.from({ length: 10_000 }, (_, n) => `line ${n}`);
    const memory = new BlockMemory(1000);
    const blocks = [...lineBlocks(lines, memory), ...lineBlocks(lines.toReversed(), memory)];
    expect(new Set(blocks.map((block) => block.buffer)).size).toBe(1);
  });

  test("of nothing are none", () => {
    expect(blocksOf([], 100)).toEqual([]);
  });
});
