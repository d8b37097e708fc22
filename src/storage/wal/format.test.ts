import { describe, expect, it } from "vitest";
import { nodeId } from "../../base/brand.ts";
import { ByteWriter } from "../../base/bytes.ts";
import { crc32 } from "../../base/hash.ts";
import { SECTOR_BYTES } from "../../base/limits.ts";
import { FOUNDERS, storageWorld } from "../../sim/storage-world.ts";
import { createLog } from "./create.ts";
import {
  BATCH_HEADER_BYTES,
  type SegmentHeader,
  decodeBatchHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  openBatch,
  sealBatch,
  segmentSeed,
} from "./format.ts";
import { openLog } from "./open.ts";

const HEADER: SegmentHeader = {
  clusterId: "a farm",
  nodeId: nodeId(7),
  sequence: 12,
  segmentBytes: 8192,
  firstBatch: 2 ** 40 + 3,
  chain: 0xdead_beef,
  salt: 0xffff_fffe,
};

/** The header sector with some of its bytes changed and a checksum that holds. */
function forged(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeSegmentHeader(HEADER);
  change(bytes);
  bytes.set(new ByteWriter().u32(crc32(bytes.subarray(0, 508))).view(), 508);
  return bytes;
}

describe("a segment's header", () => {
  it("is one sector and reads as it was written", () => {
    const bytes = encodeSegmentHeader(HEADER);
    expect(bytes.length).toBe(SECTOR_BYTES);
    expect(decodeSegmentHeader(bytes)).toEqual({ kind: "header", header: HEADER });
  });

  it("tells another version from damage", () => {
    for (const version of [1, 3, 9]) {
      const another = forged((bytes) => void (bytes[8] = version));
      expect(decodeSegmentHeader(another)).toEqual({ kind: "unknown-version", version });
    }
    const other = forged((bytes) => void (bytes[0] = 9));
    expect(decodeSegmentHeader(other)).toMatchObject({ kind: "bad" });
    const nobody = forged((bytes) => void bytes.fill(0, 44, 48));
    expect(decodeSegmentHeader(nobody)).toMatchObject({ kind: "bad" });
    expect(decodeSegmentHeader(encodeSegmentHeader(HEADER).subarray(0, 511))).toMatchObject({
      kind: "bad",
    });
  });

  it.each([1, 3])("of version %i stops the start with the advice what to start", async (found) => {
    const world = storageWorld(1);
    const mark = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
    await createLog(world.options, { term: 1, vote: 0, commit: 1 }, mark);
    const file = await world.disk.open("wal/0000000000000001.wal", "durable");
    await file.write(
      0,
      forged((bytes) => void (bytes[8] = found)),
    );
    await expect(openLog(world.options)).rejects.toMatchObject({
      name: "UnknownFormatError",
      found,
      message: expect.stringContaining("Start the version that wrote it"),
    });
  });
});

describe("a batch", () => {
  const seed = segmentSeed(HEADER);
  const place = { number: 5, chain: 77, seed, offset: 1024 };

  function sealed(payload: Uint8Array): Uint8Array {
    const segment = new Uint8Array(4096);
    const batch = new Uint8Array(Math.ceil((BATCH_HEADER_BYTES + payload.length) / 512) * 512);
    batch.set(payload, BATCH_HEADER_BYTES);
    sealBatch(batch, payload.length, place);
    segment.set(batch, 1024);
    return segment;
  }

  it("reads as it was written, in its own place", () => {
    const payload = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
    const segment = sealed(payload);
    const header = decodeBatchHeader(segment, 1024, seed);
    expect(header).toMatchObject({ number: 5, chain: 77, payloadBytes: 1000 });
    if (header !== null) expect(openBatch(segment, 1024, header)?.payload).toEqual(payload);
  });

  it("is stored as it is, whole sectors of zeros as well", () => {
    const payload = new Uint8Array(1500);
    const segment = sealed(payload);
    expect(segment.subarray(1536, 2560).every((byte) => byte === 0)).toBe(true);
    const header = decodeBatchHeader(segment, 1024, seed);
    if (header === null) throw new Error("it has a header");
    expect(openBatch(segment, 1024, header)?.payload).toEqual(payload);
  });

  it("is no batch in another place, another segment, or another life of this one", () => {
    const segment = sealed(new Uint8Array(100).fill(1));
    const moved = new Uint8Array(4096);
    moved.set(segment.subarray(1024, 1536), 2048);
    expect(decodeBatchHeader(moved, 2048, seed)).toBeNull();
    const next = segmentSeed({ ...HEADER, sequence: 13 });
    expect(decodeBatchHeader(segment, 1024, next)).toBeNull();
    const resalted = segmentSeed({ ...HEADER, salt: 1 });
    expect(decodeBatchHeader(segment, 1024, resalted)).toBeNull();
  });
});
