import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../base/bytes.ts";
import { must } from "../../base/assert.ts";
import { sleep } from "../../env/clock.ts";
import { SimClock } from "../../sim/sim-clock.ts";
import { SimDisk, everydayLatency, immediateDisk } from "../../sim/disk.ts";
import { SimRandom } from "../../sim/sim-random.ts";
import { RecordingLogger } from "../../sim/storage-world.ts";
import { EventLog, type EventLogOptions, type EventPage, type NewEvent } from "./event-log.ts";
import { walkEvents } from "./walk.ts";

function event(index: number): NewEvent {
  const data = { id: index, note: "é".repeat(index % 40) };
  const fields = { index, term: 1, time: "2026-01-01T00:00:00.000Z", type: `t${index % 3}`, data };
  return { index, text: JSON.stringify(fields) };
}

/** Not every index has an event: some entries are refused, some are raft's own. */
function hasEvent(index: number): boolean {
  return index > 1 && index % 7 !== 0;
}

function eventsIn(from: number, to: number): readonly NewEvent[] {
  const all = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return all.filter(hasEvent).map(event);
}

/** Appends the events of (log.through, to], a few at a time. */
function appendThrough(log: EventLog, to: number): void {
  while (log.through < to) {
    const next = Math.min(to, log.through + 5);
    log.append(eventsIn(log.through + 1, next), next);
  }
}

interface Opened {
  readonly log: EventLog;
  readonly disk: SimDisk;
  readonly logger: RecordingLogger;
  readonly failures: Error[];
}

async function open(
  disk: SimDisk,
  replayFrom: number,
  more: Partial<EventLogOptions> = {},
): Promise<Opened> {
  const logger = new RecordingLogger();
  const failures: Error[] = [];
  const onFailure = (error: Error): void => void failures.push(error);
  const sizes = { segmentBytes: 4096, tailBytes: 600 };
  const log = await EventLog.open({ disk, logger, replayFrom, onFailure, ...sizes, ...more });
  return { log, disk, logger, failures };
}

function newDisk(): SimDisk {
  return immediateDisk(new SimRandom(1));
}

/** Reads everything behind `after`, page by page. */
async function readAll(log: EventLog, after: number, limit = 10): Promise<readonly number[]> {
  const indexes: number[] = [];
  for (let at = after; at < log.through;) {
    const page = await log.read(at, limit, 2000);
    if (page.kind !== "page") throw new Error(`${page.kind} behind ${at}`);
    indexes.push(...page.events.map(({ index }) => index));
    expect(page.through).toBeGreaterThan(at);
    at = page.through;
  }
  return indexes;
}

function indexesIn(from: number, to: number): readonly number[] {
  return eventsIn(from, to).map(({ index }) => index);
}

function pageIndexes(page: EventPage): readonly number[] {
  return page.kind === "page" ? page.events.map(({ index }) => index) : [];
}

describe("the event log", () => {
  it("shows an event in the turn in which it was appended", async () => {
    const { log } = await open(newDisk(), 1);
    log.append(eventsIn(2, 4), 4);
    const page = await log.read(1, 100, 10_000);
    expect(page).toMatchObject({ kind: "page", through: 4 });
    expect(pageIndexes(page)).toEqual([2, 3, 4]);
    const [first] = page.kind === "page" ? page.events : [];
    expect(first?.type).toBe("t2");
    expect(JSON.parse(first?.line ?? "")).toMatchObject({ index: 2, data: { id: 2 } });
  });

  it("gives every event once and in order, from memory, the open file and sealed ones", async () => {
    const { log, disk } = await open(newDisk(), 1);
    appendThrough(log, 400);
    await log.syncThrough(400);
    expect(disk.files.length).toBeGreaterThan(5);
    for (const after of [0, 1, 2, 57, 200, 395, 399]) {
      expect(await readAll(log, after), `after ${after}`).toEqual(indexesIn(after + 1, 400));
    }
    expect(await log.read(400, 10, 1000)).toEqual({ kind: "page", events: [], through: 400 });
    // A client that was at a node further ahead is not sent back.
    expect(await log.read(500, 10, 1000)).toEqual({ kind: "page", events: [], through: 500 });
  });

  it("keeps a page within its limits, but never gives an empty one where there is an event", async () => {
    const { log } = await open(newDisk(), 1);
    appendThrough(log, 40);
    expect(pageIndexes(await log.read(1, 3, 10_000))).toEqual([2, 3, 4]);
    expect(pageIndexes(await log.read(1, 100, 1))).toEqual([2]);
    expect(await log.read(1, 100, 1)).toMatchObject({ through: 2 });
  });

  it("says how far a page is complete when the last entries had no event", async () => {
    const { log } = await open(newDisk(), 1);
    log.append([event(2)], 2);
    log.append([], 9);
    expect(await log.read(2, 10, 1000)).toEqual({ kind: "page", events: [], through: 9 });
  });

  it("cuts off what is behind the snapshot at a restart and takes the replay in its place", async () => {
    const first = await open(newDisk(), 1);
    appendThrough(first.log, 200);
    await first.log.syncThrough(150);
    await first.log.close();
    const again = await open(first.disk, 150);
    expect(again.log.through).toBe(150);
    expect(again.log.gaps()).toEqual([]);
    appendThrough(again.log, 260);
    expect(await readAll(again.log, 0)).toEqual(indexesIn(2, 260));
    await again.log.close();
    const third = await open(first.disk, 260);
    expect(await readAll(third.log, 0)).toEqual(indexesIn(2, 260));
    expect(third.logger.warnings).toEqual([]);
  });

  it("goes back into a sealed file when it restarts from an older snapshot", async () => {
    const first = await open(newDisk(), 1);
    appendThrough(first.log, 300);
    await first.log.close();
    const again = await open(first.disk, 40);
    expect(again.log.gaps()).toEqual([]);
    appendThrough(again.log, 300);
    expect(await readAll(again.log, 0)).toEqual(indexesIn(2, 300));
  });

  it("has a gap where a snapshot jumped ahead, and fills it from another node", async () => {
    const peer = await open(newDisk(), 1);
    appendThrough(peer.log, 500);
    const { log, disk } = await open(newDisk(), 1);
    appendThrough(log, 100);
    await log.jump(420);
    appendThrough(log, 450);
    expect(log.gaps()).toEqual([{ from: 101, to: 420 }]);
    expect(pageIndexes(await log.read(90, 100, 10_000))).toEqual(indexesIn(91, 100));
    expect(await log.read(100, 10, 1000)).toEqual({ kind: "missing" });
    expect(pageIndexes(await log.read(420, 100, 10_000))).toEqual(indexesIn(421, 450));
    expect(log.serve(50, 450)).toBeNull();

    const blocks = peer.log.serve(100, 420);
    if (blocks === null) throw new Error("the peer has them");
    await log.fill({ from: 101, to: 420 }, blocks);
    expect(log.gaps()).toEqual([]);
    expect(await readAll(log, 0)).toEqual(indexesIn(2, 450));
    await log.close();
    const again = await open(disk, 420);
    expect(again.log.gaps()).toEqual([]);
    expect(await readAll(again.log, 0)).toEqual(indexesIn(2, 420));
  });

  it("finds the gap again when it crashed before the jump was on the disk", async () => {
    const { log, disk } = await open(newDisk(), 1);
    appendThrough(log, 100);
    await log.syncThrough(60);
    appendThrough(log, 130);
    // The log says that a snapshot at 300 was installed; the event log has not heard of it.
    const again = await open(disk.crash(new SimRandom(6)), 300);
    const [gap] = again.log.gaps();
    expect(gap?.to).toBe(300);
    expect(gap?.from).toBeGreaterThan(100);
    expect(await again.log.read((gap?.from ?? 0) - 1, 10, 1000)).toEqual({ kind: "missing" });
    expect(await readAll(again.log, 300)).toEqual([]);
  });

  it("keeps what was synced, however little of a start before it was durable when its process died", async () => {
    for (let stop = 1, isOver = false; !isOver; stop++) {
      const first = await open(newDisk(), 1);
      appendThrough(first.log, 12);
      await first.log.syncThrough(12);
      // A start that cuts the file off dies at its operation number `stop`; the machine goes on.
      const second = first.disk.kill(new SimRandom(stop));
      second.stopAt(second.operations + stop);
      const started = open(second, 5).then(() => true);
      isOver = await Promise.race([started, second.stopped.then(() => false)]);
      const third = await open(second.kill(new SimRandom(stop)), 5);
      appendThrough(third.log, 15);
      await third.log.syncThrough(15);
      // And now the power fails, with what is not durable lost in any way.
      for (let seed = 0; seed < 8; seed++) {
        const { log } = await open(third.disk.crash(new SimRandom(seed)), 15);
        expect(log.gaps(), `stopped at ${stop}, seed ${seed}`).toEqual([]);
        expect(await readAll(log, 1)).toEqual(indexesIn(2, 15));
      }
    }
  });

  it("takes nothing from a peer that is damaged, out of order, outside the gap or cut short", async () => {
    const peer = await open(newDisk(), 1);
    appendThrough(peer.log, 300);
    const blocks: Uint8Array[] = [];
    for await (const block of peer.log.serve(100, 116) ?? []) blocks.push(block);
    const whole = Uint8Array.from(blocks.flatMap((block) => [...block]));
    const gap = { from: 101, to: 116 };
    const { log } = await open(newDisk(), 100);
    await log.jump(116);

    const refused = async (bytes: Uint8Array): Promise<void> => {
      const cut = [bytes.subarray(0, 1000), bytes.subarray(1000)];
      await expect(log.fill(gap, asyncOf(cut))).rejects.toMatchObject({
        name: "ReceivedFileError",
      });
      expect(log.gaps()).toEqual([{ from: 2, to: gap.to }]);
    };
    for (const at of [0, 500, 999, 1500, whole.length - 2]) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      await refused(damaged);
    }
    const text = new TextDecoder().decode(whole);
    const lines = text.trimEnd().split("\n");
    await refused(encodeUtf8(`${lines.slice(1).join("\n")}\n`));
    await refused(encodeUtf8(`${lines.slice(0, -1).join("\n")}\n`));
    await refused(encodeUtf8(`${[...lines.slice(0, 4), ...lines].join("\n")}\n`));
    await refused(whole.subarray(0, -1));
    await log.fill(gap, asyncOf([whole]));
    expect(log.gaps()).toEqual([{ from: 2, to: 100 }]);
  });

  it("keeps the files that were finished when a peer goes away in the middle", async () => {
    const peer = await open(newDisk(), 1);
    appendThrough(peer.log, 600);
    await peer.log.syncThrough(600);
    const { log } = await open(newDisk(), 600);
    async function* broken(): AsyncGenerator<Uint8Array> {
      let sent = 0;
      for await (const block of peer.log.serve(1, 600) ?? []) {
        for (let at = 0; at < block.length; at += 500) {
          sent += 500;
          if (sent > 40_000) throw new Error("connection lost");
          yield block.subarray(at, at + 500);
        }
      }
    }
    await expect(log.fill({ from: 2, to: 600 }, broken())).rejects.toThrow("connection lost");
    const [gap] = log.gaps();
    expect(gap?.from).toBeGreaterThan(20);
    expect(pageIndexes(await log.read(1, 5, 1000))).toEqual(indexesIn(2, 6));
    const rest = gap === undefined ? null : peer.log.serve(gap.from - 1, gap.to);
    if (gap === undefined || rest === null) throw new Error("a gap that the peer can fill");
    await log.fill(gap, rest);
    expect(await readAll(log, 0)).toEqual(indexesIn(2, 600));
  });

  it("drops whole old files beyond what is to be kept, and says that they are gone", async () => {
    const { log, disk } = await open(newDisk(), 1, { retainBytes: 10_000 });
    appendThrough(log, 600);
    await log.syncThrough(600);
    const page = await log.read(1, 10, 1000);
    if (page.kind !== "gone") throw new Error(`not gone but ${page.kind}`);
    expect(page.oldest).toBeGreaterThan(100);
    expect(log.gaps()).toEqual([]);
    expect(await readAll(log, page.oldest - 1)).toEqual(indexesIn(page.oldest, 600));
    expect(log.serve(1, 600)).toBeNull();
    await log.close();
    const again = await open(disk, 600, { retainBytes: 10_000 });
    expect(await again.log.read(1, 10, 1000)).toEqual(page);
    expect(again.log.gaps()).toEqual([]);
    expect(disk.files.filter((path) => path.endsWith(".gone"))).toHaveLength(1);
  });

  it("tells its owner once when the disk fails, and writes nothing more", async () => {
    const { log, disk, failures } = await open(newDisk(), 1);
    disk.failNext({ operation: "write", path: /events/ }, "EIO");
    appendThrough(log, 50);
    await expect(log.syncThrough(50)).rejects.toMatchObject({ code: "EIO" });
    const operations = disk.operations;
    appendThrough(log, 90);
    await expect(log.syncThrough(90)).rejects.toMatchObject({ code: "EIO" });
    expect(failures).toHaveLength(1);
    expect(disk.operations).toBe(operations);
  });

  it("gives a reader who follows along every event once, while files are sealed under his hands", async () => {
    const clock = new SimClock();
    const random = new SimRandom(7);
    const schedule = (delayMs: number, run: () => void): void => void clock.after(delayMs, run);
    const disk = new SimDisk({ schedule, random: random.fork(), latencyMs: everydayLatency });
    let log: EventLog | null = null;
    void open(disk, 1, { tailBytes: 0, segmentBytes: 1500 }).then(
      (opened) => void (log = opened.log),
    );
    await clock.runUntil(() => log !== null, 1000);
    const events = must<EventLog>(log, "log");
    const readers = Array.from({ length: 3 }, () => ({ after: 1, found: [] as number[] }));
    const follow = async (reader: (typeof readers)[number]): Promise<void> => {
      while (reader.after < 500) {
        const page = await events.read(reader.after, 1 + random.below(9), 5000);
        if (page.kind !== "page") throw new Error(`${page.kind} behind ${reader.after}`);
        reader.found.push(...page.events.map(({ index }) => index));
        reader.after = page.through;
        await sleep(clock, random.below(4));
      }
    };
    let finished = 0;
    for (const reader of readers) void follow(reader).then(() => void (finished += 1));
    for (let to = 2; to <= 500; to += 2) {
      events.append(eventsIn(to - 1, to), to);
      await clock.advance(random.below(3));
    }
    await clock.runUntil(() => finished === readers.length, 60_000);
    for (const { found } of readers) expect(found).toEqual(indexesIn(2, 500));
    expect(disk.files.length).toBeGreaterThan(10);
  });

  it("shows the same events to somebody who only has the folder", async () => {
    const { log, disk } = await open(newDisk(), 1);
    appendThrough(log, 200);
    await log.jump(300);
    appendThrough(log, 320);
    await log.close();
    const walked = [];
    for await (const found of walkEvents(disk)) {
      walked.push(found.kind === "event" ? found.index : found);
    }
    expect(walked).toEqual([
      ...indexesIn(2, 200),
      { kind: "gap", from: 201, to: 300 },
      ...indexesIn(301, 320),
    ]);
  });
});

async function* asyncOf(blocks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* blocks;
}
