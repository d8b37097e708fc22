import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "../base/bytes.ts";
import { FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX } from "../base/limits.ts";
import {
  FRAME_HEADER_BYTES,
  FrameDecoder,
  FrameGatherer,
  encodeFrame,
  type Frame,
  type FrameKind,
} from "./frame.ts";

const RUNS = { seed: 20_261_122, numRuns: 300 };

/** Frames of every sort of length that their kinds allow, short enough for many runs. */
const someFrame: fc.Arbitrary<Frame> = fc.oneof(
  payload("message", 1, 300),
  payload("hello", 2, 80),
  payload("ping", 4, 4),
  payload("snapshot-chunk", 9, 200),
  payload("snapshot-end", 0, 0),
  payload("failed", 1, 40),
  payload("events-more", 0, 0),
);

function payload(kind: FrameKind, minLength: number, maxLength: number): fc.Arbitrary<Frame> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => ({ kind, payload: bytes }));
}

function joined(frames: readonly Frame[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...encodeFrame(frame.kind, frame.payload)]));
}

/** Pushes `bytes` cut at the given places, and says what came of it. */
function decodeInPieces(
  bytes: Uint8Array,
  cuts: readonly number[],
): { frames: Frame[]; error: string | null } {
  const decoder = new FrameDecoder();
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length];
  places.sort((a, b) => a - b);
  const frames: Frame[] = [];
  let error: string | null = null;
  let at = 0;
  for (const place of places) {
    const decoded = decoder.push(bytes.slice(at, place));
    frames.push(...decoded.frames);
    error = decoded.error;
    at = place;
  }
  return { frames, error };
}

function plain(frames: readonly Frame[]): unknown[] {
  return frames.map((frame) => [frame.kind, [...frame.payload]]);
}

describe("the frames on the wire", () => {
  it("have the bytes that DESIGN.md says", () => {
    const ping = encodeFrame("ping", Uint8Array.of(1, 0, 0, 0));
    // Payload length 4; code 4 and three zeros; CRC-32 of those and the payload, as zlib has it; 1.
    expect(Buffer.from(ping).toString("hex")).toBe(
      "04000000" + "04000000" + "8f942544" + "01000000",
    );
  });

  it("are made of all the parts of a payload", () => {
    const whole = encodeFrame("message", Uint8Array.of(1, 2, 3, 4));
    expect(encodeFrame("message", Uint8Array.of(1), Uint8Array.of(2, 3, 4))).toEqual(whole);
  });

  it("are never made with a length that their kind does not allow", () => {
    expect(() => encodeFrame("message")).toThrow("a message frame cannot have 0 bytes");
    expect(() => encodeFrame("ping", new Uint8Array(5))).toThrow("cannot have 5 bytes");
    const tooLong = new Uint8Array(FRAME_BYTES_MAX + 1);
    expect(() => encodeFrame("message", tooLong)).toThrow("cannot have");
    expect(encodeFrame("message", tooLong.subarray(1))).toHaveLength(
      FRAME_HEADER_BYTES + FRAME_BYTES_MAX,
    );
  });
});

describe("the decoder", () => {
  it("finds the same frames however the stream was cut", () => {
    fc.assert(
      fc.property(
        fc.array(someFrame, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (frames, cuts) => {
          const decoded = decodeInPieces(joined(frames), cuts);
          expect(decoded.error).toBeNull();
          expect(plain(decoded.frames)).toEqual(plain(frames));
        },
      ),
      RUNS,
    );
  });

  it("finds the same frames when they come byte by byte", () => {
    const frames: Frame[] = [
      { kind: "snapshot-end", payload: new Uint8Array() },
      { kind: "message", payload: Uint8Array.of(7, 8, 9) },
      { kind: "events-more", payload: new Uint8Array() },
    ];
    const bytes = joined(frames);
    const everywhere = Array.from(bytes.keys());
    expect(plain(decodeInPieces(bytes, everywhere).frames)).toEqual(plain(frames));
  });

  it("hands out no frame that was not sent, whichever bit is flipped", () => {
    fc.assert(
      fc.property(
        fc.array(someFrame, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(7),
        fc.array(fc.nat(), { maxLength: 10 }),
        (frames, where, bit, cuts) => {
          const bytes = joined(frames);
          const at = where % bytes.length;
          bytes[at]! ^= 1 << bit;
          const decoded = decodeInPieces(bytes, cuts);
          const whole = frames.slice(0, decoded.frames.length);
          expect(plain(decoded.frames)).toEqual(plain(whole));
          // The damaged frame itself and everything behind it is missing.
          expect(decoded.frames.length).toBeLessThan(frames.length);
        },
      ),
      RUNS,
    );
  });

  it("takes any bytes at all without throwing, and hands out nothing from noise", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        (bytes, cuts) => {
          expect(decodeInPieces(bytes, cuts).frames).toEqual([]);
        },
      ),
      RUNS,
    );
  });

  it("refuses a length past the limit by the header alone, before room is made for it", () => {
    const header = new Uint8Array(FRAME_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(4, 6, true);
    for (const length of [0, FRAME_BYTES_MAX + 1, 0xffff_ffff]) {
      view.setUint32(0, length, true);
      const { frames, error } = new FrameDecoder().push(header);
      expect(frames).toEqual([]);
      expect(error).toBe(`a message frame of ${length} bytes`);
    }
    view.setUint32(0, FRAME_BYTES_MAX, true);
    expect(new FrameDecoder().push(header).error).toBeNull();
  });

  it("refuses an unknown code, and a known one beside bytes that should be zero", () => {
    for (const code of [0, 17, 255, 0x0100_0006]) {
      const frame = encodeFrame("message", Uint8Array.of(1));
      viewOf(frame).setUint32(4, code, true);
      expect(new FrameDecoder().push(frame).error).toBe(`no such frame: ${code}`);
    }
  });

  it("gives a stranger little room until it is told to trust it", () => {
    const long = encodeFrame("message", new Uint8Array(HANDSHAKE_BYTES_MAX + 1));
    expect(new FrameDecoder(HANDSHAKE_BYTES_MAX).push(long).error).not.toBeNull();
    const trusting = new FrameDecoder(HANDSHAKE_BYTES_MAX);
    trusting.widen();
    expect(trusting.push(long).frames).toHaveLength(1);
  });

  it("is finished after an error, and keeps what came before it", () => {
    const good = encodeFrame("message", Uint8Array.of(1, 2));
    const bad = encodeFrame("message", Uint8Array.of(3));
    bad[FRAME_HEADER_BYTES] = 4;
    const decoder = new FrameDecoder();
    const first = decoder.push(Uint8Array.from([...good, ...bad, ...good]));
    expect(plain(first.frames)).toEqual([["message", [1, 2]]]);
    expect(first.error).toBe("a message frame with a wrong checksum");
    expect(decoder.push(good)).toEqual({ frames: [], error: first.error });
  });

  it("copies a payload only if its frame came in pieces", () => {
    const frame = encodeFrame("message", Uint8Array.of(1, 2, 3));
    const whole = new FrameDecoder().push(frame).frames[0]!;
    const decoder = new FrameDecoder();
    decoder.push(frame.subarray(0, 13));
    const pieced = decoder.push(frame.subarray(13)).frames[0]!;
    frame.fill(7);
    expect([...whole.payload]).toEqual([7, 7, 7]);
    expect([...pieced.payload]).toEqual([1, 2, 3]);
    // What was handed out stays as it is while the decoder goes on.
    decoder.push(encodeFrame("message", Uint8Array.of(9, 9, 9)).subarray(0, 14));
    expect([...pieced.payload]).toEqual([1, 2, 3]);
  });
});

describe("the gatherer", () => {
  it("puts frames behind each other into bytes that decode to them, turn after turn", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 6 }), {
          maxLength: 5,
        }),
        (turns) => {
          const gatherer = new FrameGatherer();
          const writes = turns.map((messages) => {
            for (const message of messages) {
              gatherer.append("message", message);
              message.fill(0); // The caller may do with it what it likes at once.
            }
            const length = gatherer.length;
            const taken = gatherer.take();
            expect(taken).toHaveLength(length);
            expect(gatherer.length).toBe(0);
            return taken;
          });
          // All are looked at after the last was taken: none shares memory with a later one.
          writes.forEach((bytes, turn) => {
            const { frames, error } = new FrameDecoder().push(bytes);
            expect(error).toBeNull();
            expect(frames.map((frame) => frame.payload.length)).toEqual(
              turns[turn]!.map((message) => message.length),
            );
          });
        },
      ),
      { ...RUNS, numRuns: 100 },
    );
  });

  it("forgets what was gathered when it is cleared", () => {
    const gatherer = new FrameGatherer();
    gatherer.append("message", Uint8Array.of(1));
    gatherer.clear();
    gatherer.append("message", Uint8Array.of(2));
    expect(plain(new FrameDecoder().push(gatherer.take()).frames)).toEqual([["message", [2]]]);
  });
});
