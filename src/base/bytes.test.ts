import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ByteReader,
  ByteWriter,
  ShortInputError,
  decodeUtf8,
  encodeUtf8,
  hex32,
  roomFor,
} from "./bytes.ts";

test("the eight digits of any 32 bits are those of their unsigned number", () => {
  fc.assert(
    fc.property(fc.integer(), (bits) => {
      expect(hex32(bits)).toBe((bits >>> 0).toString(16).padStart(8, "0"));
    }),
  );
});

describe("bytes", () => {
  test("whatever a writer took, a reader gives back, at every capacity", () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant("u8" as const), value: fc.integer({ min: 0, max: 255 }) }),
      fc.record({ kind: fc.constant("u16" as const), value: fc.integer({ min: 0, max: 65_535 }) }),
      fc.record({ kind: fc.constant("u32" as const), value: fc.nat({ max: 0xffff_ffff }) }),
      fc.record({ kind: fc.constant("u64" as const), value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "binary" }) }),
    );
    fc.assert(
      fc.property(fc.array(item), fc.integer({ min: 1, max: 64 }), (items, capacity) => {
        const writer = new ByteWriter(capacity);
        for (const it of items) {
          if (it.kind === "text") writer.text(it.value);
          else writer[it.kind](it.value);
        }
        const reader = new ByteReader(writer.take());
        for (const it of items) expect(reader[it.kind]()).toBe(it.value);
        expect(reader.left).toBe(0);
      }),
      { seed: 3 },
    );
  });

  test("a reader stops at the end of its input instead of inventing bytes", () => {
    const reader = new ByteReader(new Uint8Array([1, 0, 0, 0, 9]));
    expect(() => reader.sized() && reader.u8()).toThrow(ShortInputError);
    expect(() => new ByteReader(new Uint8Array([255, 255, 255, 255])).sized()).toThrow(
      ShortInputError,
    );
  });

  test("a number past 2^53 is refused on both sides", () => {
    expect(() => new ByteWriter().u64(2 ** 53)).toThrow(/unsigned number/);
    expect(() => new ByteReader(new Uint8Array(8).fill(255)).u64()).toThrow(/2\^53/);
  });

  test("a reader that seeks reads nothing past the end it was given, and copies are its own", () => {
    const bytes = new Uint8Array([9, 9, 2, 0, 0, 0, 7, 8, 9, 9]);
    const reader = new ByteReader(bytes).seek(2, 8);
    const copy = reader.sizedCopy();
    expect(reader.left).toBe(0);
    expect(() => reader.u8()).toThrow(ShortInputError);
    bytes.fill(0);
    expect(copy).toEqual(new Uint8Array([7, 8]));
    expect(reader.seek(8, 10).u16()).toBe(0);
    expect(() => reader.seek(8, 11)).toThrow(/no bytes 8 to 11/);
    expect(() => reader.seek(5, 4)).toThrow(/no bytes 5 to 4/);
  });

  test("pieces share blocks of memory, and never a byte", () => {
    const size = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
        const pieces = sizes.map((length, at) => roomFor(length).fill(at));
        pieces.forEach((piece, at) => {
          expect(piece.length).toBe(sizes[at]);
          expect(piece.every((byte) => byte === at)).toBe(true);
        });
      }),
    );
  });

  test("any text comes back from its UTF-8; half a pair of surrogates as U+FFFD", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (text) => {
        expect(decodeUtf8(encodeUtf8(text))).toBe(text);
      }),
    );
    expect(decodeUtf8(encodeUtf8("a\ud800b"))).toBe("a\ufffdb");
  });
});
