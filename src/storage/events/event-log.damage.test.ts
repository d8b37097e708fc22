// Every byte of a small folder of events is damaged in turn. The node starts all the same; what it gives
// to readers is right, what it cannot give it says is missing, and a peer completes it.

import { describe, expect, it } from "vitest";
import { must } from "../../base/assert.ts";
import { type SimDisk, immediateDisk } from "../../sim/disk.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import { RecordingLogger } from "../../sim/storage-world.ts";
import { EventLog, type NewEvent } from "./event-log.ts";

const LAST = 27;

function eventsIn(from: number, to: number): readonly NewEvent[] {
  const all = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return all
    .filter((index) => index % 4 !== 0)
    .map((index) => ({ index, text: `{"index":${index},"type":"t","data":"${index * 7}"}` }));
}

const ALL: readonly number[] = eventsIn(2, LAST).map(({ index }) => index);

interface Opened {
  readonly log: EventLog;
  readonly logger: RecordingLogger;
  /** How often somebody was told of a new gap. */
  readonly told: () => number;
  /** How many gaps there were when somebody was told last. */
  readonly seen: () => number;
}

async function open(disk: SimDisk, replayFrom: number): Promise<Opened> {
  const logger = new RecordingLogger();
  const onFailure = (error: Error): void => {
    throw error;
  };
  const sizes = { segmentBytes: 240, tailBytes: 0 };
  let [count, seen] = [0, 0];
  const onGap = (): void => {
    count += 1;
    seen = log.gaps().length; // whoever is told looks at once
  };
  const log = await EventLog.open({ disk, logger, replayFrom, onFailure, onGap, ...sizes });
  return { log, logger, told: () => count, seen: () => seen };
}

async function writtenFolder(): Promise<SimDisk> {
  const disk = immediateDisk(new SimRandom(1));
  const { log } = await open(disk, 1);
  for (let index = 2; index <= LAST; index++) log.append(eventsIn(index, index), index);
  await log.close();
  return disk;
}

/** What a patient reader gets, and how often it is told that something is missing. */
async function readAll(
  log: EventLog,
): Promise<{ readonly indexes: readonly number[]; readonly holes: number }> {
  const indexes: number[] = [];
  let holes = 0;
  for (let after = 1; after < log.through;) {
    const page = await log.read(after, 4, 10_000);
    if (page.kind === "gone") throw new Error("nothing was dropped");
    if (page.kind === "missing") {
      holes += 1;
      const gap = log.gaps().find(({ from, to }) => from <= after + 1 && to > after);
      // The file in use is mended at the next start; until then its readers wait.
      if (gap === undefined) return { indexes, holes };
      after = gap.to;
      continue;
    }
    for (const { index, line } of page.events) {
      expect(line.startsWith(must(eventsIn(index, index)[0], "event").text.slice(0, -1))).toBe(
        true,
      );
      indexes.push(index);
    }
    after = page.through;
  }
  return { indexes, holes };
}

/** The file, and where the line begins that holds the damaged byte. */
interface Place {
  readonly file: string;
  readonly offset: number;
}

function placeOf(file: string, bytes: Uint8Array, at: number): Place {
  return { file, offset: at === 0 ? 0 : bytes.lastIndexOf(0x0a, at - 1) + 1 };
}

/**
 * Opens a damaged folder twice and holds what it says to what is true. `place` is what the first start
 * must name together with the gap; absent where a whole file is gone.
 */
async function check(
  damaged: SimDisk,
  peer: EventLog,
  where: string,
  options: { readonly starts?: readonly ("first" | "second")[]; readonly place?: Place } = {},
): Promise<void> {
  for (const start of options.starts ?? ["first", "second"]) {
    const { log, logger, told } = await open(damaged, LAST);
    const atOpening = log.gaps().length;
    const { indexes, holes } = await readAll(log);
    // Whoever fetches what is missing hears of it at once: there may be no other start for months.
    if (log.gaps().length > atOpening) expect(told(), where).toBeGreaterThan(0);
    const isMissing = (index: number): boolean =>
      log.gaps().some(({ from, to }) => index >= from && index <= to);
    expect(indexes, `${where}, ${start} start`).toEqual(ALL.filter((i) => !isMissing(i)));
    if (log.gaps().length > 0) expect(holes, where).toBeGreaterThan(0);
    if (holes > 0) expect(logger.warnings.length, where).toBeGreaterThan(0);
    const place = start === "first" ? options.place : undefined;
    for (const gap of log.gaps()) {
      const fields = expect.objectContaining({ ...place, ...gap });
      expect(logger.warnings, where).toContainEqual(expect.objectContaining({ fields }));
    }
    if (start === "second") {
      for (const gap of log.gaps()) {
        await log.fill(gap, must(peer.serve(gap.from - 1, gap.to), "the peer's events"));
      }
      expect((await readAll(log)).indexes, `${where}, completed`).toEqual(ALL);
    }
    await log.close();
  }
}

describe("a damaged folder of events", () => {
  it("never gives a wrong event, or leaves one out unsaid, whatever byte is flipped", async () => {
    const disk = await writtenFolder();
    const { log: peer } = await open(disk.clone(), LAST);
    expect((await readAll(peer)).indexes).toEqual(ALL);
    expect(disk.files.length).toBeGreaterThan(3);
    for (const path of disk.files) {
      const bytes = disk.peek(path);
      for (let at = 0; at < bytes.length; at++) {
        const damaged = disk.clone();
        damaged.flip(path, at, 1 << (at % 8));
        // What a second start makes of it need not be seen for every byte of a line.
        const starts = at % 5 === 0 ? (["first", "second"] as const) : (["first"] as const);
        const place = placeOf(path, bytes, at);
        await check(damaged, peer, `${path}, byte ${at}`, { starts, place });
      }
    }
  });

  it("says what is missing when a file is cut off anywhere, also at the end of a line", async () => {
    const disk = await writtenFolder();
    const { log: peer } = await open(disk.clone(), LAST);
    for (const path of disk.files) {
      const bytes = disk.peek(path);
      for (let size = 0; size < bytes.length; size++) {
        // Every end of a line, and some places within.
        if (size % 9 !== 0 && bytes[size - 1] !== 0x0a) continue;
        const damaged = disk.clone();
        damaged.truncate(path, size);
        const place = placeOf(path, bytes, size);
        await check(damaged, peer, `${path} cut to ${size}`, { place });
      }
    }
  });

  it("says what is missing when a file is gone, or all of them are", async () => {
    const disk = await writtenFolder();
    const { log: peer } = await open(disk.clone(), LAST);
    for (const path of disk.files) {
      const damaged = disk.clone();
      await damaged.remove(path);
      const { log } = await open(damaged, LAST);
      expect(log.gaps().length, path).toBe(1);
      await log.close();
      await check(damaged, peer, `${path} removed`);
    }
    const empty = immediateDisk(new SimRandom(2));
    const { log } = await open(empty, LAST);
    expect(log.gaps()).toEqual([{ from: 2, to: LAST }]);
  });

  it("finds out by reading that a file has gone while it ran, whichever it is", async () => {
    const written = await writtenFolder();
    const { log: peer } = await open(written.clone(), LAST);
    for (let at = 0; at < written.files.length; at++) {
      const disk = written.clone();
      const { log, logger, seen, told } = await open(disk, LAST);
      const path = must(disk.files[at], "file");
      await disk.remove(path);
      const { holes } = await readAll(log);
      expect(holes, path).toBe(1);
      expect([told(), seen()], path).toEqual([1, 1]);
      expect(logger.warnings, path).toHaveLength(1);
      const { from, to } = must(log.gaps()[0], "a gap");
      await log.fill({ from, to }, must(peer.serve(from - 1, to), "the peer's events"));
      expect((await readAll(log)).indexes, path).toEqual(ALL);
      await log.close();
    }
  });

  it("goes on behind the file that it writes to when that has gone", async () => {
    const disk = await writtenFolder();
    const { log, told } = await open(disk, LAST);
    await disk.remove(must(disk.files.at(-1), "the current file"));
    for (let index = LAST + 1; index <= LAST + 30; index++) {
      log.append(eventsIn(index, index), index);
      await log.syncThrough(index);
    }
    expect(told()).toBe(1);
    const { from, to } = must(log.gaps()[0], "a gap");
    const { indexes } = await readAll(log);
    expect(indexes).toEqual(
      eventsIn(2, LAST + 30).flatMap(({ index }) => (index < from || index > to ? [index] : [])),
    );
    await log.close();
  });

  it("knows at the start of a sealed file that lost its end, before anybody reads it", async () => {
    const disk = await writtenFolder();
    const path = must(disk.files[1], "file");
    disk.truncate(path, disk.peek(path).length - 60);
    const { log } = await open(disk, LAST);
    expect(log.gaps()).toHaveLength(1);
    expect(log.serve(1, LAST)).toBeNull();
  });

  it("finds damage that comes after a file was read and found good", async () => {
    const disk = await writtenFolder();
    const { log: peer } = await open(disk.clone(), LAST);
    const { log, logger } = await open(disk, LAST);
    expect((await readAll(log)).indexes).toEqual(ALL);
    disk.flip(must(disk.files[1], "file"), 5, 1);
    const { indexes, holes } = await readAll(log);
    expect(holes).toBe(1);
    expect(logger.warnings).toHaveLength(1);
    const [gap] = log.gaps();
    const { from, to } = must(gap, "a gap");
    expect(indexes).toEqual(ALL.filter((index) => index < from || index > to));
    await log.fill({ from, to }, must(peer.serve(from - 1, to), "the peer's events"));
    expect((await readAll(log)).indexes).toEqual(ALL);
  });

  it("gives what stands before such damage once, wherever in the file it is", async () => {
    const disk = await writtenFolder();
    const path = must(disk.files[1], "file");
    const { log: peer } = await open(disk.clone(), LAST);
    for (let at = 0; at < disk.peek(path).length; at += 7) {
      const damaged = disk.clone();
      const { log } = await open(damaged, LAST);
      expect((await readAll(log)).indexes).toEqual(ALL);
      damaged.flip(path, at, 1);
      const { indexes } = await readAll(log);
      const [gap] = log.gaps();
      const isThere = (index: number): boolean =>
        gap === undefined || index < gap.from || index > gap.to;
      expect(indexes, `byte ${at}`).toEqual(ALL.filter(isThere));
      if (gap === undefined) continue;
      await log.fill(gap, must(peer.serve(gap.from - 1, gap.to), "the peer's events"));
      expect((await readAll(log)).indexes, `byte ${at}`).toEqual(ALL);
    }
  });

  it("ends the file that is being written when that turns out damaged, and mends it", async () => {
    const disk = await writtenFolder();
    const { log: peer } = await open(disk.clone(), LAST);
    const { log } = await open(disk, LAST);
    const path = must(
      disk.files.find((file) => /events.[0-9a-f]{16}\.ndjson$/.test(file)),
      "the current file",
    );
    disk.flip(path, 5, 1);
    expect((await readAll(log)).holes).toBe(1);
    const [gap] = log.gaps();
    const { from, to } = must(gap, "a gap");
    await log.fill({ from, to }, must(peer.serve(from - 1, to), "the peer's events"));
    expect((await readAll(log)).indexes).toEqual(ALL);
  });

  it("keeps the damaged file for people to look at", async () => {
    const disk = await writtenFolder();
    const [path] = disk.files;
    disk.flip(must(path, "file"), 100, 1);
    const before = disk.peek(must(path, "file"));
    const { log, logger } = await open(disk, LAST);
    await readAll(log);
    expect(disk.peek(`${path}.damaged`)).toEqual(before);
    expect(logger.warnings).toMatchObject([{ fields: { file: path, from: 3 } }]);
  });
});
