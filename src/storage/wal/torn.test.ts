// Where the log ends, case by case (DESIGN.md, "Where the log ends"): a torn write is cut off, anything
// else is refused. The last batch here is three sectors long.

import { describe, expect, it } from "vitest";
import { SECTOR_BYTES } from "../../base/limits.ts";
import type { SimDisk } from "../../sim/disk.ts";
import { isUnwrittenAt, unwrittenSectors, writtenEndOf } from "../../sim/segment-sectors.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import {
  FOUNDERS,
  type StorageWorld,
  decodeEntries,
  encodeEntries,
  entriesFrom,
  storageWorld,
} from "../../sim/storage-world.ts";
import { CorruptionError } from "../errors.ts";
import { createLog } from "./create.ts";
import { openLog } from "./open.ts";
import { WATERMARK_PATH } from "./watermark.ts";

const FIRST = "wal/0000000000000001.wal";
const LONG = "a long entry, ".repeat(80);

interface Written {
  readonly disk: SimDisk;
  /** Where the last batch begins; the log before it ends there. */
  readonly last: number;
  /** Where it ends. */
  readonly end: number;
}

/** A log whose last batch was synced, or was not known to be when the sync record was last written. */
async function written(isMarked: boolean): Promise<Written> {
  const world = storageWorld(1);
  const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
  await createLog(world.options, { term: 1, vote: 0, commit: 1 }, founding);
  const { log } = await openLog(world.options);
  const append = (index: number, text: string): Promise<void> =>
    log.append({
      hardState: null,
      mark: null,
      entries: encodeEntries(entriesFrom(index, 1, [text])),
    });
  await append(2, "short");
  await log.markSynced();
  const before = world.disk.peek(WATERMARK_PATH);
  const last = tail(world.disk);
  await append(3, LONG);
  const end = tail(world.disk);
  await log.close();
  expect(end - last).toBe(3 * SECTOR_BYTES);
  if (!isMarked) await overwrite(world.disk, WATERMARK_PATH, 0, before);
  return { disk: world.disk, last, end };
}

/** The end of the last sector that was written. */
function tail(disk: SimDisk): number {
  return writtenEndOf(disk.peek(FIRST));
}

async function overwrite(
  disk: SimDisk,
  path: string,
  at: number,
  bytes: Uint8Array,
): Promise<void> {
  const file = await disk.open(path, "durable");
  await file.write(at, bytes);
  await file.close();
}

/** Opens the log and appends one batch for each text, from entry 3 on. */
async function appendAll(disk: SimDisk, texts: readonly string[]): Promise<void> {
  const { log } = await openLog(storageWorld(2, disk).options);
  for (const [at, text] of texts.entries()) {
    const entries = encodeEntries(entriesFrom(3 + at, 1, [text]));
    await log.append({ hardState: null, mark: null, entries });
  }
  await log.close();
}

/** As if these sectors had never been written. */
function unwriteAt(disk: SimDisk, path: string, at: number, count = 1): Promise<void> {
  return overwrite(disk, path, at, unwrittenSectors(disk.peek(path), at, count));
}

/** As if this sector of the last batch had never been written. */
function unwrite({ disk, last }: Written, sector: number): Promise<void> {
  return unwriteAt(disk, FIRST, last + sector * SECTOR_BYTES);
}

function zero(disk: SimDisk, at: number, count = 1): Promise<void> {
  return overwrite(disk, FIRST, at, new Uint8Array(count * SECTOR_BYTES));
}

async function reopen(disk: SimDisk): Promise<{
  readonly world: StorageWorld;
  readonly texts: readonly string[];
  readonly torn: unknown;
}> {
  const world = storageWorld(2, disk);
  const { log, recovered } = await openLog(world.options);
  const texts = decodeEntries(recovered.entries.blocks(2, 1000)).map(({ text }) => text);
  await log.close();
  return { world, texts, torn: recovered.torn };
}

async function refusal(disk: SimDisk): Promise<CorruptionError> {
  const files = disk.files.map((path) => [path, disk.peek(path)]);
  const outcome = await reopen(disk).catch((error: unknown) => error);
  if (!(outcome instanceof CorruptionError)) throw new Error("it was not refused");
  // Whoever looks at it later must find what was there.
  expect(disk.files.map((path) => [path, disk.peek(path)])).toEqual(files);
  return outcome;
}

async function expectCut(log: Written): Promise<void> {
  const { world, texts, torn } = await reopen(log.disk);
  expect(texts).toEqual(["short"]);
  expect(torn).toEqual({ file: FIRST, offset: log.last });
  expect(world.logger.warnings).toMatchObject([{ fields: { file: FIRST, offset: log.last } }]);
  expect(tail(log.disk)).toBe(log.last);
  // Durable at once: what is appended next must never stand before what was cut off.
  const crashed = log.disk.crash(new SimRandom(1));
  expect(tail(crashed)).toBe(log.last);
  expect((await reopen(crashed)).torn).toBeNull();
}

describe("the end of the log", () => {
  it.each([
    ["its last sector", [2]],
    ["a sector in its middle", [1]],
    ["all but its header's sector", [1, 2]],
    ["its header's sector", [0]],
    ["its header's and another sector", [0, 2]],
  ])(
    "is cut off before a batch that was not synced and of which %s is missing",
    async (_, gone) => {
      const log = await written(false);
      for (const sector of gone) await unwrite(log, sector);
      await expectCut(log);
    },
  );

  it("is behind a batch of which every sector made it, acknowledged or not", async () => {
    const log = await written(false);
    expect((await reopen(log.disk)).texts).toEqual(["short", LONG]);
  });

  it("is clean where nothing of the last batch made it", async () => {
    const log = await written(false);
    for (const sector of [0, 1, 2]) await unwrite(log, sector);
    const { texts, torn } = await reopen(log.disk);
    expect(texts).toEqual(["short"]);
    expect(torn).toBeNull();
  });

  it.each([0, 1, 2])(
    "is damage where the last batch has a bad bit in sector %i",
    async (sector) => {
      const log = await written(false);
      log.disk.flip(FIRST, log.last + sector * SECTOR_BYTES + 40, 4);
      expect(await refusal(log.disk)).toMatchObject({ file: FIRST, offset: log.last });
    },
  );

  it.each([0, 1, 2])(
    "is damage where sector %i of the last batch reads as zeros, synced for all we know or not",
    async (sector) => {
      const log = await written(false);
      await zero(log.disk, log.last + sector * SECTOR_BYTES);
      expect(await refusal(log.disk)).toMatchObject({ file: FIRST, offset: log.last });
    },
  );

  it("is damage where all of the last batch, or all behind the one before it, reads as zeros", async () => {
    const log = await written(false);
    const rest = (log.disk.peek(FIRST).length - log.last) / SECTOR_BYTES;
    for (const count of [3, rest]) {
      await zero(log.disk, log.last, count);
      expect(await refusal(log.disk.clone())).toMatchObject({ file: FIRST, offset: log.last });
    }
  });

  it("is damage where a sector of the last batch holds the fill of another place", async () => {
    const log = await written(false);
    for (const sector of [0, 1, 2]) {
      const disk = log.disk.clone();
      const at = log.last + sector * SECTOR_BYTES;
      const bytes = disk.peek(FIRST);
      expect(isUnwrittenAt(bytes, log.end)).toBe(true);
      await overwrite(disk, FIRST, at, bytes.subarray(log.end, log.end + SECTOR_BYTES));
      expect(await refusal(disk)).toMatchObject({ file: FIRST, offset: log.last });
      // The same place of a segment with the same number, in another life of the folder.
      const other = storageWorld(77);
      const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
      await createLog(other.options, { term: 1, vote: 0, commit: 1 }, founding);
      const foreign = unwrittenSectors(other.disk.peek(FIRST), at);
      const copy = log.disk.clone();
      await overwrite(copy, FIRST, at, foreign);
      expect(await refusal(copy)).toMatchObject({ file: FIRST, offset: log.last });
    }
  });

  it("is where it was when a sector further on that was never written has rotted", async () => {
    const log = await written(true);
    await zero(log.disk, log.end + SECTOR_BYTES);
    const { texts, torn } = await reopen(log.disk);
    expect(texts).toEqual(["short", LONG]);
    expect(torn).toEqual({ file: FIRST, offset: log.end });
    expect(tail(log.disk)).toBe(log.end);
  });

  it("is damage where the sector behind the last batch was never written and has rotted", async () => {
    // It was written whole, by A1, and is no batch: nothing says which.
    const log = await written(true);
    await zero(log.disk, log.end);
    expect(await refusal(log.disk)).toMatchObject({ file: FIRST, offset: log.end });
  });

  it.each([0, 1, 2])(
    "is damage where sector %i of a batch that is known to be synced is gone",
    async (sector) => {
      const log = await written(true);
      await unwrite(log, sector);
      const { message } = await refusal(log.disk);
      expect(message).toContain("was once synced");
    },
  );

  it("is damage where all of a batch that is known to be synced is gone", async () => {
    const log = await written(true);
    for (const sector of [0, 1, 2]) await unwrite(log, sector);
    expect(await refusal(log.disk)).toMatchObject({ file: FIRST, offset: log.last });
  });

  it("is damage where something stands behind a batch that was cut short", async () => {
    const log = await written(false);
    await unwrite(log, 1);
    log.disk.flip(FIRST, log.end + SECTOR_BYTES, 1);
    expect((await refusal(log.disk)).message).toContain("something stands behind it");
  });

  it.each([
    ["a sector of it is gone", 1],
    ["its header is gone", 0],
  ])("is damage where a valid batch stands behind a bad one, even if %s", async (_, sector) => {
    const world = storageWorld(1);
    const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
    await createLog(world.options, { term: 1, vote: 0, commit: 1 }, founding);
    const { log } = await openLog(world.options);
    const last = tail(world.disk);
    for (const [index, text] of [[2, LONG] as const, [3, "behind"] as const]) {
      const entries = encodeEntries(entriesFrom(index, 1, [text]));
      await log.append({ hardState: null, mark: null, entries });
    }
    const bad = { disk: world.disk, last, end: 0 };
    await unwrite(bad, sector);
    const { message, offset } = await refusal(world.disk.clone());
    expect(offset).toBe(last);
    expect(message).toContain(`valid batch stands`);
  });

  it("is damage where a later segment exists, though nothing is written in it yet", async () => {
    const world = storageWorld(1);
    const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
    await createLog(world.options, { term: 1, vote: 0, commit: 1 }, founding);
    const { log } = await openLog(world.options);
    // The sync record stays behind, as it may.
    world.disk.hang({ operation: "write", path: /synced$/ });
    for (let index = 2; index < 5; index++) {
      const entries = encodeEntries(entriesFrom(index, 1, [LONG]));
      void log.append({ hardState: null, mark: null, entries });
    }
    await world.clock.advance(1);
    const second = "wal/0000000000000002.wal";
    expect(world.disk.files).toContain(second);
    // Both batches of the second segment vanish: what is left is a file with a header.
    const size = world.disk.peek(second).length - SECTOR_BYTES;
    await unwriteAt(world.disk, second, SECTOR_BYTES, size / SECTOR_BYTES);
    const disk = world.disk.clone();
    expect((await reopen(disk.clone())).texts).toHaveLength(2);
    await unwriteAt(disk, FIRST, tail(disk) - SECTOR_BYTES);
    expect(await refusal(disk)).toMatchObject({ file: FIRST });
  });

  it("takes no notice of bytes that a client made to look like a batch", async () => {
    // Whole sectors of an entry are copies of a batch's header sector. They stand where a batch could,
    // but its header is valid in its own place and segment only.
    const log = await written(false);
    const header = log.disk.peek(FIRST).slice(log.last, log.last + 32);
    const torn = log.disk.clone();
    await unwriteAt(torn, FIRST, log.last);
    await overwrite(torn, FIRST, log.last + SECTOR_BYTES, header);
    await expectCut({ ...log, disk: torn });
  });

  it("is not fooled by an older segment under a newer name, nor by an older file of its own", async () => {
    const log = await written(true);
    const old = log.disk.peek(FIRST);
    const renamed = log.disk.clone();
    const copy = await renamed.open("wal/0000000000000002.wal", "create");
    await copy.write(0, old);
    await copy.close();
    expect((await refusal(renamed)).message).toContain("the file holds segment 1");
    const other = await written(true);
    const foreign = storageWorld(77);
    const founding = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;
    await createLog(foreign.options, { term: 1, vote: 0, commit: 1 }, founding);
    await overwrite(other.disk, FIRST, 0, foreign.disk.peek(FIRST));
    expect(await refusal(other.disk)).toMatchObject({ file: FIRST });
  });

  it("is damage where the file was cut, though nothing that is known to be synced is gone", async () => {
    // Right behind a batch: what is left looks like a log that was never written on.
    const log = await written(false);
    log.disk.truncate(FIRST, log.last);
    expect(await refusal(log.disk)).toMatchObject({ file: FIRST, offset: log.last });
  });

  it("is not fooled by an older batch of the same number in the same place", async () => {
    const { disk, last } = await written(false);
    await unwriteAt(disk, FIRST, last, 3);
    const [lost, kept] = [disk.clone(), disk.clone()];
    await appendAll(lost, ["lost"]);
    await appendAll(kept, ["kept", "and more"]);
    expect((await reopen(kept.clone())).texts).toEqual(["short", "kept", "and more"]);
    // The disk forgets that the place was written again: only the batch behind it can tell.
    await overwrite(kept, FIRST, last, lost.peek(FIRST).subarray(last, last + SECTOR_BYTES));
    const error = await refusal(kept);
    expect(error).toMatchObject({ file: FIRST, offset: last + SECTOR_BYTES });
    expect(error.message).toContain("does not follow from the batch before it");
  });
});
