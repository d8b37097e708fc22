import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECTOR_BYTES } from "../../base/limits.ts";
import { type FillKey, fillEnd, isUnwritten, writeFill } from "./fill.ts";

const KEY: FillKey = { sequence: 12, salt: 0xdead_beef };

function filled(sectors: number, key: FillKey = KEY): Uint8Array {
  const bytes = new Uint8Array(sectors * SECTOR_BYTES);
  writeFill(bytes, 0, key);
  return bytes;
}

/** DESIGN.md's formula once more, in numbers that do not overflow. */
function wordOf(place: number, { salt, sequence }: FillKey): number {
  const m = 0xffff_ffffn;
  let h = BigInt(place) ^ BigInt(salt);
  h = ((h ^ (h >> 16n)) * 0x85eb_ca6bn) & m;
  h = ((h ^ (h >> 13n)) * 0xc2b2_ae35n) & m;
  return Number(((h ^ (h >> 16n)) + BigInt(sequence)) & m);
}

describe("the fill of a segment", () => {
  it("is MurmurHash3's finalizer of each word's place, little endian, by salt and sequence", () => {
    const key = { sequence: 2 ** 40 + 3, salt: 0xffff_fffe };
    const bytes = filled(4, key);
    const view = new DataView(bytes.buffer);
    for (let place = 0; place < bytes.length / 4; place++) {
      expect(view.getUint32(4 * place, true), `word ${place}`).toBe(wordOf(place, key));
    }
    // fmix32 is published with these values: a wrong constant here and above would agree.
    expect([1, 2, 3].map((word) => wordOf(word, { sequence: 0, salt: 0 }))).toEqual([
      0x514e_28b7, 0x30f4_c306, 0x85f0_b427,
    ]);
  });

  it("is the same whether a segment is filled at once, in pieces, or in memory of any alignment", () => {
    const whole = filled(16);
    const pieces = new Uint8Array(16 * SECTOR_BYTES + 3).subarray(3);
    for (const [from, to] of [
      [0, 1],
      [1, 7],
      [7, 16],
    ] as const) {
      const piece = pieces.subarray(from * SECTOR_BYTES, to * SECTOR_BYTES);
      writeFill(piece, from * SECTOR_BYTES, KEY);
    }
    expect(Buffer.compare(pieces, whole)).toBe(0);
    expect(fillEnd(pieces, 0, KEY)).toBe(pieces.length);
  });

  it("is told by every bit of it", () => {
    const bytes = filled(3);
    for (let bit = 0; bit < 8 * SECTOR_BYTES; bit++) {
      const at = SECTOR_BYTES + (bit >> 3);
      bytes[at] = bytes[at]! ^ (1 << (bit & 7));
      expect(isUnwritten(bytes, SECTOR_BYTES, KEY), `bit ${bit}`).toBe(false);
      expect(fillEnd(bytes, 0, KEY)).toBe(SECTOR_BYTES);
      bytes[at] = bytes[at]! ^ (1 << (bit & 7));
    }
    expect(fillEnd(bytes, 0, KEY)).toBe(bytes.length);
  });

  it("belongs to its place, its segment and its file, and to no other", () => {
    const sectors = 64;
    const sequence = fc.integer({ min: 1, max: 1000 });
    const salt = fc.nat(0xffff_ffff);
    const at = fc.nat(sectors - 1);
    fc.assert(
      fc.property(sequence, sequence, salt, salt, at, at, (one, two, a, b, from, to) => {
        const here: FillKey = { sequence: one, salt: a };
        for (const there of [{ sequence: one, salt: b }, { sequence: two, salt: a }, here]) {
          const isSame =
            from === to && here.sequence === there.sequence && here.salt === there.salt;
          const moved = filled(sectors, here);
          const stray = filled(sectors, there).subarray(from * SECTOR_BYTES);
          moved.set(stray.subarray(0, SECTOR_BYTES), to * SECTOR_BYTES);
          expect(isUnwritten(moved, to * SECTOR_BYTES, here)).toBe(isSame);
        }
      }),
      { seed: 12, numRuns: 300 },
    );
  });

  it("is not zeros, wherever it stands and whatever the salt", () => {
    for (const salt of [0, 1, 0xffff_ffff, KEY.salt]) {
      const bytes = filled(256, { sequence: 1, salt });
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
        const zeroed = bytes.slice().fill(0, at, at + SECTOR_BYTES);
        expect(isUnwritten(zeroed, at, { sequence: 1, salt })).toBe(false);
      }
    }
  });
});
