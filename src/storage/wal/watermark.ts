// wal/synced: how far the log is known to have been synced. A last batch that the disk confirmed and never
// wrote looks as if it had never been, or been cut short; here stands, in another place of the disk, that
// it was there and whole. Written when the log is idle and at a change of segment, never while somebody
// waits, so it may lag; it never runs ahead.
//
// Two slots are written in turn, so that a write cut short leaves the other. They are a page apart: a
// disk that tears its physical sector still tears one slot only. Both know the segment in use before
// anything in it is answered for: a slot that rots must not take with it the only word of a whole file.

import { assert } from "../../base/assert.ts";
import { ByteReader, ByteWriter, encodeUtf8 } from "../../base/bytes.ts";
import { crc32 } from "../../base/hash.ts";
import { SECTOR_BYTES } from "../../base/limits.ts";
import { type Disk, type DiskFile, readWhole } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { WAL_FOLDER } from "../names.ts";
import { CorruptionError } from "../errors.ts";

export const WATERMARK_PATH = `${WAL_FOLDER}/synced`;

const MAGIC = encodeUtf8("RAFT3DSY");
const CRC_AT = SECTOR_BYTES - 4;
const SLOT_SPACING = 4096;
const SLOTS = 2;

/** A batch that was synced. */
export interface SyncedPoint {
  readonly segment: number;
  /** Where it ends in its segment. */
  readonly offset: number;
  readonly batch: number;
  /** Its header CRC. */
  readonly chain: number;
}

/** What a slot holds. Odd counters stand in slot 1, even ones in slot 0. */
export interface Watermark {
  readonly counter: number;
  readonly point: SyncedPoint;
}

function encodeSlot(slot: Watermark): Uint8Array {
  const { segment, offset, batch, chain } = slot.point;
  const writer = new ByteWriter(SECTOR_BYTES).raw(MAGIC).u64(slot.counter);
  writer.u64(segment).u64(offset).u64(batch).u32(chain);
  writer.zeros(CRC_AT - writer.length);
  return writer.u32(crc32(writer.view())).take();
}

function decodeSlot(bytes: Uint8Array, place: number): Watermark | null {
  if (bytes.length < SECTOR_BYTES) return null;
  if (crc32(bytes.subarray(0, CRC_AT)) !== new ByteReader(bytes, CRC_AT).u32()) return null;
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) return null;
  const reader = new ByteReader(bytes, MAGIC.length);
  const counter = reader.u64();
  if (counter % SLOTS !== place) return null;
  const [segment, offset, batch] = [reader.u64(), reader.u64(), reader.u64()];
  return { counter, point: { segment, offset, batch, chain: reader.u32() } };
}

/** Makes the file, with both slots saying the same. The caller syncs its folder. */
export async function createWatermark(disk: Disk, path: string, point: SyncedPoint): Promise<void> {
  const file = await disk.open(path, "create");
  try {
    const bytes = new Uint8Array((SLOTS - 1) * SLOT_SPACING + SECTOR_BYTES);
    for (let i = 0; i < SLOTS; i++) bytes.set(encodeSlot({ counter: i, point }), i * SLOT_SPACING);
    await file.write(0, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What the slots of a file's content hold; one that is damaged is null. */
function slotsOf(bytes: Uint8Array): readonly (Watermark | null)[] {
  return Array.from({ length: SLOTS }, (_, i) => {
    const at = i * SLOT_SPACING;
    return decodeSlot(bytes.subarray(at, at + SECTOR_BYTES), i);
  });
}

/** What the file says. A single bad slot is reported, and replaced by the next write. */
export async function readWatermark(disk: Disk, logger: Logger): Promise<Watermark> {
  const bytes = await readWhole(disk, WATERMARK_PATH);
  if (bytes === null) throw new CorruptionError(disk, WATERMARK_PATH, 0, "the file is missing");
  const slots = slotsOf(bytes);
  for (const [i, slot] of slots.entries()) {
    if (slot !== null) continue;
    logger.warn("a slot of the log's sync record is damaged", {
      file: WATERMARK_PATH,
      offset: i * SLOT_SPACING,
    });
  }
  const [first, second] = slots.filter((slot) => slot !== null);
  if (first === undefined) {
    throw new CorruptionError(disk, WATERMARK_PATH, 0, "no slot matches its checksum");
  }
  return second !== undefined && second.counter > first.counter ? second : first;
}

/** Writes the file in order, one write at a time; the newest point wins where several wait. */
export class WatermarkWriter {
  readonly #file: DiskFile;
  #counter: number;
  /** Null until something was written: the first write mends a slot that may be bad. */
  #written: SyncedPoint | null = null;
  /** What the slot says that is written to next. */
  #older: SyncedPoint;
  #wanted: SyncedPoint;
  #writing: Promise<void> | null = null;

  /** `file` is open as "durable". */
  constructor(file: DiskFile, last: Watermark) {
    this.#file = file;
    this.#counter = last.counter;
    this.#older = last.point;
    this.#wanted = last.point;
  }

  /** Resolves when the file says `point` or a later one, and both slots know its segment. */
  advance(point: SyncedPoint): Promise<void> {
    assert(point.batch >= this.#wanted.batch, "the sync record goes forward");
    this.#wanted = point;
    if (this.#isSaid) return Promise.resolve();
    this.#writing ??= this.#run();
    return this.#writing;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isSaid) await this.#write(this.#wanted);
    } finally {
      // In the same step as the last look at what is wanted: a point given now begins anew.
      this.#writing = null;
    }
  }

  async #write(point: SyncedPoint): Promise<void> {
    this.#counter += 1;
    // Alternating by the counter: the slot that holds the newest word is never the one written to.
    await this.#file.write(
      (this.#counter % SLOTS) * SLOT_SPACING,
      encodeSlot({ counter: this.#counter, point }),
    );
    this.#older = this.#written ?? this.#older;
    this.#written = point;
  }

  get #isSaid(): boolean {
    if (this.#written === null || this.#written.batch < this.#wanted.batch) return false;
    return this.#older.segment === this.#written.segment;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
