import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECTOR_BYTES } from "../../base/limits.ts";
import { applyMask, chooseMask } from "./mask.ts";

function words(sector: Uint8Array): readonly number[] {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  return Array.from({ length: sector.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function sectorsOf(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: bytes.length / SECTOR_BYTES }, (_, i) =>
    bytes.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES),
  );
}

function filled(word: number): Uint8Array {
  const sector = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(sector.buffer);
  for (let at = 0; at < SECTOR_BYTES; at += 4) view.setUint32(at, word, true);
  return sector;
}

function joined(sectors: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(sectors));
}

describe("the mask", () => {
  it("is not needed for text", () => {
    const text = new TextEncoder().encode('{"a":1}'.padEnd(3 * SECTOR_BYTES, " x"));
    expect(chooseMask(text)).toBe(0);
  });

  it("leaves no sector that one damaged word could make look unwritten", () => {
    // Mostly the words that the first keys consist of, so that keys have to be passed over.
    const word = fc.oneof(fc.constantFrom(0, 0, 1, 2, 3), fc.nat(0xffff_ffff));
    const exception = fc.record({ at: fc.nat(127), word });
    const sector = fc.record({ fill: word, exceptions: fc.array(exception, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(sector, { maxLength: 8 }), (sectors) => {
        const plain = joined(
          sectors.map(({ fill, exceptions }) => {
            const bytes = filled(fill);
            for (const { at, word: other } of exceptions) {
              new DataView(bytes.buffer).setUint32(4 * at, other, true);
            }
            return bytes;
          }),
        );
        const key = chooseMask(plain);
        const stored = plain.slice();
        applyMask(stored, key);
        for (const one of sectorsOf(stored)) {
          expect(words(one).filter((value) => value !== 0).length).toBeGreaterThanOrEqual(2);
        }
        applyMask(stored, key);
        expect(Buffer.compare(stored, plain)).toBe(0);
      }),
      { seed: 11, numRuns: 100 },
    );
  });

  it("passes over every key that some sector rules out", () => {
    expect(chooseMask(joined([0, 1, 2, 4].map(filled)))).toBe(3);
    expect(chooseMask(filled(7))).toBe(0);
    expect(chooseMask(new Uint8Array(0))).toBe(0);
  });
});
