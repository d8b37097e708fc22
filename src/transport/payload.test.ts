import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logIndex, term } from "../base/brand.ts";
import { sha256Hex } from "../base/hash.ts";
import { encodeFrame } from "./frame.ts";
import {
  decodeEventsRange,
  decodeFailure,
  decodePing,
  decodeSnapshotBegin,
  decodeSnapshotChunk,
  decodeU64,
  encodeEventsRange,
  encodeFailure,
  encodePing,
  encodeSnapshotBegin,
  encodeU64,
} from "./payload.ts";

const RUNS = { seed: 4 };

describe("the payloads of binary frames", () => {
  it("come back as they were written", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.uint8Array({ minLength: 1 }),
        (a, b, c, message) => {
          const begin = {
            index: logIndex(a),
            term: term(b),
            bytes: c,
            sha256: sha256Hex(message),
            message,
          };
          expect(decodeSnapshotBegin(encodeSnapshotBegin(begin))).toEqual(begin);
          const range = { after: a, through: b };
          expect(decodeEventsRange(encodeEventsRange(range))).toEqual(range);
          expect(decodeU64(encodeU64(a))).toBe(a);
          const chunk = Uint8Array.from([...encodeU64(c), ...message]);
          expect(decodeSnapshotChunk(chunk)).toEqual({ at: c, data: message });
          expect(decodePing(encodePing(a % 2 ** 32))).toBe(a % 2 ** 32);
        },
      ),
      RUNS,
    );
  });

  it("make no sense with a number past 2^53, wherever it stands", () => {
    const tooBig = [0, 0, 0, 0, 0, 0, 0x20, 0];
    const fine = [1, 0, 0, 0, 0, 0, 0, 0];
    const rest = Array.from<number>({ length: 40 }).fill(1);
    expect(decodeU64(Uint8Array.from(tooBig))).toBeNull();
    expect(decodeSnapshotChunk(Uint8Array.from([...tooBig, 1]))).toBeNull();
    expect(decodeEventsRange(Uint8Array.from([...tooBig, ...fine]))).toBeNull();
    expect(decodeEventsRange(Uint8Array.from([...fine, ...tooBig]))).toBeNull();
    for (let at = 0; at < 3; at += 1) {
      const numbers = [0, 1, 2].flatMap((i) => (i === at ? tooBig : fine));
      expect(decodeSnapshotBegin(Uint8Array.from([...numbers, ...rest]))).toBeNull();
    }
  });

  it("say why something failed in words that fit their frame, even when there are none", () => {
    expect(decodeFailure(encodeFailure("the disk is full"))).toBe("the disk is full");
    expect(decodeFailure(encodeFailure(""))).toBe("no reason given");
    expect(encodeFrame("failed", encodeFailure("€".repeat(5000))).length).toBeLessThan(4096);
    expect(decodeFailure(Uint8Array.of(0xff))).toBe("a failure that cannot be read");
  });
});
