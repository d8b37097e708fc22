// Snapshots from node to node: the whole file or nothing, whatever breaks on the way.

import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../base/bytes.ts";
import { nodeId } from "../base/brand.ts";
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_WINDOW_BYTES, TRANSFER_STALL_MS } from "../base/limits.ts";
import { sleep } from "../env/clock.ts";
import type { StreamFaults } from "../sim/stream-wire.ts";
import {
  FileToSend,
  TestSink,
  noise,
  type ReadAt,
  type SinkFaults,
} from "../sim/transport-props.ts";
import { TransportWorld, hostOf, type Process } from "../sim/transport-world.ts";

/** As `toEqual` does, for megabytes. */
function expectSame(content: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(content, expected)).toBe(0);
}

/** Two nodes, the second of which keeps what it is offered. */
async function pair(
  seed = 1,
  faults: Partial<StreamFaults> = {},
  sinkFaults: SinkFaults = {},
): Promise<[TransportWorld, Process, Process, TestSink[]]> {
  const world = new TransportWorld(seed, faults);
  const [one, two] = await world.start(2);
  const sinks: TestSink[] = [];
  two!.receiveSnapshot = (_, offer) => {
    const sink = new TestSink(offer, sinkFaults);
    sinks.push(sink);
    return Promise.resolve(sink);
  };
  await world.clock.advance(1000);
  return [world, one!, two!, sinks];
}

const TWO = nodeId(2);

describe("a snapshot", () => {
  it.each([
    0,
    1,
    1000,
    SNAPSHOT_CHUNK_BYTES,
    SNAPSHOT_CHUNK_BYTES + 1,
    2 * SNAPSHOT_WINDOW_BYTES + 12_345,
  ])("of %i bytes arrives whole, with its message, and both owners are told", async (length) => {
    const [world, one, two, sinks] = await pair();
    const file = new FileToSend(noise(length));
    one.transport.sendSnapshot(TWO, file.snapshot);
    file.snapshot.message.fill(0); // It was copied.
    expect(await world.clock.runUntil(() => one.sent.length > 0, 20_000)).toBe(true);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: true }]);
    expect(two.received).toEqual([{ from: 1, index: 100, text: "MsgSnap 100" }]);
    const { index, term: its, source } = file.snapshot;
    expect(sinks.map((sink) => sink.offer)).toEqual([
      {
        index,
        term: its,
        bytes: length,
        sha256: source.sha256,
        message: encodeUtf8("MsgSnap 100"),
      },
    ]);
    expect(sinks[0]!.state).toBe("finished");
    expectSame(sinks[0]!.content, file.content);
    await world.clock.advance(1000);
    expect(file.closes).toBe(1);
    expect(world.network.openConnections).toBe(2); // Those for messages.
    expect(one.transport.counters()).toMatchObject({ snapshotsSent: 1, snapshotsFailed: 0 });
    expect(two.transport.counters()).toMatchObject({ snapshotsReceived: 1, snapshotsFailed: 0 });
  });

  it("follows another at once, and both arrive (etcd issue 18055)", async () => {
    const [world, one, two, sinks] = await pair();
    const files = [new FileToSend(noise(500_000), 100), new FileToSend(noise(600_000, 2), 101)];
    one.transport.sendSnapshot(TWO, files[0]!.snapshot);
    await world.clock.runUntil(() => one.sent.length === 1, 20_000);
    one.transport.sendSnapshot(TWO, files[1]!.snapshot);
    await world.clock.runUntil(() => one.sent.length === 2, 20_000);
    expect(one.sent.map(({ ok }) => ok)).toEqual([true, true]);
    expect(two.received.map(({ index }) => index)).toEqual([100, 101]);
    sinks.forEach((sink, i) => expectSame(sink.content, files[i]!.content));
  });

  it("is refused at once while another is on its way to the same peer, which goes on", async () => {
    const [world, one, two] = await pair();
    const files = [new FileToSend(noise(500_000), 100), new FileToSend(noise(500_000), 101)];
    one.transport.sendSnapshot(TWO, files[0]!.snapshot);
    one.transport.sendSnapshot(TWO, files[1]!.snapshot);
    expect(one.sent).toEqual([]); // Not inside the call.
    await world.clock.advance(0);
    expect(one.sent).toEqual([{ to: 2, index: 101, ok: false }]);
    expect(files[1]!.closes).toBe(1);
    await world.clock.runUntil(() => one.sent.length === 2, 20_000);
    expect(one.sent[1]).toEqual({ to: 2, index: 100, ok: true });
    expect(two.received.map(({ index }) => index)).toEqual([100]);
  });

  it("may go to two peers at a time, and messages pass it by", async () => {
    const world = new TransportWorld(1, { windowBytes: 16_384 });
    const [one, two, three] = await world.start(3);
    const sinks: TestSink[] = [];
    for (const process of [two!, three!]) {
      process.receiveSnapshot = (_, offer) => {
        const sink = new TestSink(offer);
        sinks.push(sink);
        return Promise.resolve(sink);
      };
    }
    await world.clock.advance(1000);
    const files = [new FileToSend(noise(3_000_000)), new FileToSend(noise(3_000_000))];
    one!.transport.sendSnapshot(TWO, files[0]!.snapshot);
    one!.transport.sendSnapshot(nodeId(3), files[1]!.snapshot);
    await world.clock.advance(50);
    one!.say(2, "in between");
    await world.clock.advance(10);
    expect(two!.heard(1)).toEqual(["in between"]);
    expect(one!.sent).toEqual([]);
    await world.clock.runUntil(() => one!.sent.length === 2, 20_000);
    expect(one!.sent.every(({ ok }) => ok)).toBe(true);
  });

  it("to a node that is no peer, or by a node that was stopped, fails and is let go", async () => {
    const [world, one] = await pair();
    const files = [new FileToSend(noise(10)), new FileToSend(noise(10))];
    one.transport.sendSnapshot(nodeId(9), files[0]!.snapshot);
    await world.clock.advance(0);
    expect(one.sent).toEqual([{ to: 9, index: 100, ok: false }]);
    await one.transport.stop();
    one.transport.sendSnapshot(TWO, files[1]!.snapshot);
    await world.clock.advance(100);
    expect(one.sent).toHaveLength(1);
    expect(files.map((file) => file.closes)).toEqual([1, 1]);
  });

  it("that is not wanted is refused, and nothing of it is read but the first window", async () => {
    const [world, one, two] = await pair();
    two.receiveSnapshot = () => Promise.resolve(null);
    const file = new FileToSend(noise(2 * SNAPSHOT_WINDOW_BYTES));
    one.transport.sendSnapshot(TWO, file.snapshot);
    await world.clock.runUntil(() => one.sent.length > 0, 20_000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
    expect(file.readBytes).toBeLessThanOrEqual(SNAPSHOT_WINDOW_BYTES);
    expect(two.received).toEqual([]);
    const reasons = one.lines.map((line) => line["reason"]);
    expect(reasons).toContain("the receiver failed: no snapshot is taken now");
  });

  it("is read no faster than the receiver writes it", async () => {
    const [world, one, , sinks] = await pair(
      1,
      {},
      {
        write: () => sleep(world.clock, 1000),
      },
    );
    const file = new FileToSend(noise(2 * SNAPSHOT_WINDOW_BYTES));
    one.transport.sendSnapshot(TWO, file.snapshot);
    for (let i = 0; i < 20; i += 1) {
      await world.clock.advance(500);
      const ahead = file.readBytes - sinks[0]!.writtenBytes;
      expect(ahead).toBeLessThanOrEqual(SNAPSHOT_WINDOW_BYTES + SNAPSHOT_CHUNK_BYTES);
    }
    await world.clock.runUntil(() => one.sent.length > 0, 120_000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: true }]);
  });
});

describe("a snapshot over a bad network", () => {
  it("arrives whole or is aborted, never anything else, and the sender is told", async () => {
    let whole = 0;
    let broken = 0;
    for (let seed = 0; seed < 60; seed += 1) {
      const [world, one, two, sinks] = await pair(seed, { windowBytes: 100_000 });
      world.network.faults.resetChance = 0.03;
      const file = new FileToSend(noise(world.random.below(1_500_000), seed));
      one.transport.sendSnapshot(TWO, file.snapshot);
      if (seed % 3 === 0) {
        await world.clock.advance(world.random.below(40));
        world.network.cut(hostOf(1 + (seed % 2)), hostOf(2 - (seed % 2)));
        await world.clock.advance(5000);
        world.network.healAll();
      }
      expect(await world.clock.runUntil(() => one.sent.length > 0, 40_000)).toBe(true);
      world.network.faults.resetChance = 0;
      await world.clock.advance(2 * TRANSFER_STALL_MS);
      expect(one.sent).toHaveLength(1);
      expect(file.closes).toBe(1);
      expect(sinks.length).toBeLessThanOrEqual(1);
      const arrived = sinks.filter((sink) => sink.state === "finished");
      for (const sink of arrived) expectSame(sink.content, file.content);
      expect(two.received).toHaveLength(arrived.length);
      for (const sink of sinks) expect(["finished", "aborted"]).toContain(sink.state);
      // The receiver may have it without the sender's knowing, never the other way round.
      if (one.sent[0]!.ok) expect(arrived).toHaveLength(1);
      whole += arrived.length;
      broken += sinks.length - arrived.length;

      // And the next one gets through.
      one.transport.sendSnapshot(TWO, new FileToSend(noise(1000), 200).snapshot);
      await world.clock.runUntil(() => one.sent.length === 2, 40_000);
      expect(one.sent[1]).toEqual({ to: 2, index: 200, ok: true });
    }
    expect(whole).toBeGreaterThan(5);
    expect(broken).toBeGreaterThan(5);
  });

  it("fails when it stands still, on both sides, though the connection never breaks", async () => {
    for (const direction of [
      [1, 2],
      [2, 1],
    ] as const) {
      const [world, one, two, sinks] = await pair(2, { windowBytes: 16_384 });
      const file = new FileToSend(noise(3_000_000));
      one.transport.sendSnapshot(TWO, file.snapshot);
      await world.clock.runUntil(() => (sinks[0]?.writtenBytes ?? 0) > 0, 5000);
      world.network.cut(hostOf(direction[0]), hostOf(direction[1]));
      await world.clock.advance(TRANSFER_STALL_MS - 2000);
      expect(one.sent).toEqual([]);
      await world.clock.advance(4000);
      expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
      await world.clock.advance(TRANSFER_STALL_MS);
      expect(sinks[0]!.state).toBe("aborted");
      expect(two.received).toEqual([]);
    }
  });

  it("goes on however slow it is, as long as it moves", async () => {
    // 16 KiB in 400 ms: a chunk takes seven seconds, the whole file more than two minutes.
    const slow = { windowBytes: 16_384, delayMsMin: 200, delayMsMax: 200 };
    const [world, one, two, sinks] = await pair(1, slow);
    const file = new FileToSend(noise(20 * SNAPSHOT_CHUNK_BYTES));
    one.transport.sendSnapshot(TWO, file.snapshot);
    await world.clock.advance(2 * TRANSFER_STALL_MS);
    expect(one.sent).toEqual([]);
    expect(await world.clock.runUntil(() => one.sent.length > 0, 300_000)).toBe(true);
    expect(one.sent[0]?.ok).toBe(true);
    expectSame(sinks[0]!.content, file.content);
    expect(two.received).toHaveLength(1);
  });

  it("is aborted when the sender's machine dies, and then the next one is taken", async () => {
    const [world, one, two, sinks] = await pair(3, { windowBytes: 16_384 });
    one.transport.sendSnapshot(TWO, new FileToSend(noise(3_000_000)).snapshot);
    await world.clock.runUntil(() => (sinks[0]?.writtenBytes ?? 0) > 0, 5000);
    world.kill(one, true);
    const again = await world.boot(1, { peers: [1, 2] });
    await world.clock.advance(1000);
    const file = new FileToSend(noise(300_000, 9), 300);
    again.transport.sendSnapshot(TWO, file.snapshot);
    await world.clock.runUntil(() => again.sent.length > 0, 20_000);
    expect(again.sent).toEqual([{ to: 2, index: 300, ok: true }]);
    // The old transfer was given up for the new one, before that was offered to the owner.
    expect(sinks.map((sink) => sink.state)).toEqual(["aborted", "finished"]);
    expect(two.received.map(({ index }) => index)).toEqual([300]);
  });
});

describe("a snapshot and a bad disk", () => {
  it.each<[string, ReadAt, string]>([
    ["rejects", () => Promise.reject(new Error("EIO")), "EIO"],
    [
      "gives too few bytes",
      (_, length) => Promise.resolve(new Uint8Array(length - 1)),
      "the snapshot file gives no bytes",
    ],
    [
      "gives other bytes",
      (_, length) => Promise.resolve(new Uint8Array(length)),
      "the receiver failed: the SHA-256 is not the announced one",
    ],
  ])("fails when the source %s, and leaves nothing at the receiver", async (_, readAt, reason) => {
    const [world, one, two, sinks] = await pair();
    const content = noise(600_000);
    const file = new FileToSend(content, 100, async (at, length) => {
      if (at < SNAPSHOT_CHUNK_BYTES) return content.slice(at, at + length);
      await sleep(world.clock, 100); // Until the first chunk has arrived.
      return readAt(at, length);
    });
    one.transport.sendSnapshot(TWO, file.snapshot);
    await world.clock.runUntil(() => one.sent.length > 0, 20_000);
    await world.clock.advance(1000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
    expect(sinks.map((sink) => sink.state)).toEqual(["aborted"]);
    expect([file.closes, two.received.length]).toEqual([1, 0]);
    expect(one.lines.map((line) => line["reason"])).toContain(reason);
  });

  it("fails in time when the source hangs, which is closed once it is back", async () => {
    const [world, one] = await pair();
    let release = (): void => undefined;
    const file = new FileToSend(noise(10), 100, (_, length) => {
      return new Promise((resolve) => (release = () => resolve(new Uint8Array(length))));
    });
    one.transport.sendSnapshot(TWO, file.snapshot);
    await world.clock.advance(TRANSFER_STALL_MS + 2000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
    expect(file.closes).toBe(0);
    release();
    await world.clock.advance(0);
    expect(file.closes).toBe(1);
  });

  it.each<[string, SinkFaults]>([
    ["a write", { write: (at) => (at > 0 ? Promise.reject(new Error("ENOSPC")) : resolved()) }],
    ["the finish", { finish: () => Promise.reject(new Error("ENOSPC")) }],
    [
      "a write, and the abort after it",
      {
        write: () => Promise.reject(new Error("ENOSPC")),
        abort: () => Promise.reject(new Error("EIO")),
      },
    ],
  ])("fails when the sink rejects %s, and says why to the sender", async (_, sinkFaults) => {
    const [world, one, two, sinks] = await pair(1, {}, sinkFaults);
    one.transport.sendSnapshot(TWO, new FileToSend(noise(600_000)).snapshot);
    await world.clock.runUntil(() => one.sent.length > 0, 20_000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
    await world.clock.advance(1000);
    expect(sinks.map((sink) => sink.state)).toEqual(["aborted"]);
    expect(two.received).toEqual([]);
    expect(one.lines.some((line) => line["reason"] === "the receiver failed: ENOSPC")).toBe(true);
  });

  it("fails when the owner rejects the offer", async () => {
    const [world, one, two] = await pair();
    two.receiveSnapshot = () => Promise.reject(new Error("no room"));
    one.transport.sendSnapshot(TWO, new FileToSend(noise(10)).snapshot);
    await world.clock.runUntil(() => one.sent.length > 0, 20_000);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
  });
});

function resolved(): Promise<void> {
  return Promise.resolve();
}

describe("a stop in the middle of a transfer", () => {
  it("because the peer left the list ends it on both sides at once", async () => {
    for (const who of [0, 1]) {
      const [world, one, two, sinks] = await pair(1, { windowBytes: 16_384 });
      const file = new FileToSend(noise(3_000_000));
      one.transport.sendSnapshot(TWO, file.snapshot);
      await world.clock.runUntil(() => (sinks[0]?.writtenBytes ?? 0) > 0, 5000);
      [one, two][who]!.transport.setPeers([]);
      await world.clock.advance(100);
      expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
      expect([file.closes, sinks[0]!.state]).toEqual([1, "aborted"]);
    }
  });

  it("of the sender closes the source and tells nobody; the receiver aborts", async () => {
    let aborted = 0;
    for (let afterMs = 0; afterMs < 40; afterMs += 2) {
      const [world, one, two, sinks] = await pair(afterMs, { windowBytes: 50_000 });
      const file = new FileToSend(noise(700_000));
      one.transport.sendSnapshot(TWO, file.snapshot);
      await world.clock.advance(afterMs);
      if (one.sent.length > 0) continue;
      await one.transport.stop();
      expect(file.closes).toBe(1);
      expect(one.sent).toEqual([]);
      await world.clock.advance(TRANSFER_STALL_MS + 1000);
      // It may have been on its way to the last byte; else nothing is left of it.
      for (const sink of sinks) expect(["finished", "aborted"]).toContain(sink.state);
      expect(two.received).toHaveLength(sinks.filter((sink) => sink.state === "finished").length);
      aborted += sinks.filter((sink) => sink.state === "aborted").length;
      expect(one.sent).toEqual([]);
      expect(one.clock.pending).toBe(0);
    }
    expect(aborted).toBeGreaterThan(5);
  });

  it("of the receiver aborts the sink before it is over, and tells nobody", async () => {
    for (let afterMs = 0; afterMs < 40; afterMs += 2) {
      const [world, one, two, sinks] = await pair(
        afterMs,
        { windowBytes: 50_000 },
        { write: () => sleep(world.clock, 1) },
      );
      one.transport.sendSnapshot(TWO, new FileToSend(noise(700_000)).snapshot);
      await world.clock.advance(afterMs);
      if (two.received.length > 0) continue;
      let isStopped = false;
      void two.transport.stop().then(() => (isStopped = true));
      await world.clock.advance(100);
      expect(isStopped).toBe(true);
      for (const sink of sinks) expect(sink.state).toBe("aborted");
      expect(two.received).toEqual([]);
      await world.clock.runUntil(() => one.sent.length > 0, 2 * TRANSFER_STALL_MS);
      expect(one.sent[0]?.ok).toBe(false);
    }
  });

  it("of the receiver waits for a finish that is under way, and does not speak of it", async () => {
    let finish = (): void => undefined;
    const [world, one, two, sinks] = await pair(
      1,
      {},
      {
        finish: () => new Promise((resolve) => (finish = resolve)),
      },
    );
    one.transport.sendSnapshot(TWO, new FileToSend(noise(10)).snapshot);
    await world.clock.runUntil(() => sinks[0]?.state === "busy", 5000);
    let isStopped = false;
    void two.transport.stop().then(() => (isStopped = true));
    await world.clock.advance(10_000);
    expect(isStopped).toBe(false);
    finish();
    await world.clock.advance(0);
    expect(isStopped).toBe(true);
    expect([sinks[0]!.state, two.received]).toEqual(["finished", []]);
  });
});
