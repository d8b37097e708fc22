import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX } from "../base/limits.ts";
import { Puppet } from "../sim/transport-props.ts";
import { ProcessClock } from "../sim/process-clock.ts";
import { TransportWorld } from "../sim/transport-world.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { FrameStream, type Received } from "./frame-stream.ts";
import { Meter, noTotals } from "./meter.ts";

/** A stream, and the puppet at its other end. */
async function streamAndPuppet(): Promise<[TransportWorld, FrameStream, Puppet, { ends: number }]> {
  const world = new TransportWorld(1);
  const count = { ends: 0 };
  let stream: FrameStream | null = null;
  let puppet: Puppet | null = null;
  await world.network.node("a").listen("a:1", (connection) => {
    stream = new FrameStream(connection, world.clock, () => (count.ends += 1));
  });
  const network = world.network.node("b");
  void network.connect("a:1", 100).then((connection) => (puppet = new Puppet(connection)));
  await world.clock.runUntil(() => stream !== null && puppet !== null, 1000);
  return [world, stream!, puppet!, count];
}

function message(...bytes: number[]): Uint8Array {
  return encodeFrame("message", Uint8Array.from(bytes));
}

function first(received: Received | null): unknown {
  return received?.kind === "frame" ? received.frame.payload[0] : received;
}

/** The next frame, once it has come. */
async function take(world: TransportWorld, stream: FrameStream): Promise<Received | null> {
  let received: Received | null = null;
  void stream.next(1000).then((next) => (received = next));
  await world.clock.runUntil(() => received !== null, 2000);
  return received;
}

describe("a stream of frames, read one by one", () => {
  it("gives them in order, those that came before anybody asked first", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    for (let i = 0; i < 5; i += 1) puppet.connection.write(message(i));
    await world.clock.advance(100);
    expect(stream.hasNext).toBe(true);
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i += 1) seen.push(first(await take(world, stream)));
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(stream.hasNext).toBe(false);
    let late: Received | null = null;
    void stream.next(1000).then((received) => (late = received));
    puppet.connection.write(message(5));
    await world.clock.advance(100);
    expect(first(late)).toBe(5);
  });

  it("holds up the other side while nobody asks", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    stream.trust(new Meter(noTotals()));
    const long = encodeFrame("message", new Uint8Array(100_000));
    for (let i = 0; i < 20; i += 1) puppet.connection.write(long);
    await world.clock.advance(10_000);
    expect(puppet.connection.queuedBytes).toBeGreaterThan(1_000_000);
    for (let i = 0; i < 20; i += 1) {
      expect(await take(world, stream)).toMatchObject({ kind: "frame" });
    }
    expect(puppet.connection.queuedBytes).toBe(0);
  });

  it("says silence when nothing came in time, and can be asked again", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    let received: Received | null = null;
    void stream.next(500).then((next) => (received = next));
    await world.clock.advance(499);
    expect(received).toBeNull();
    await world.clock.advance(1);
    expect(received).toEqual({ kind: "silence" });
    void stream.next(500).then((next) => (received = next));
    puppet.connection.write(message(1));
    await world.clock.advance(100);
    expect(first(received)).toBe(1);
    await world.clock.advance(1000);
    expect(world.clock.pending).toBe(0);
    expect(stream.isOpen).toBe(true);
  });

  it("looks at what came in while this process stood still before it says silence", async () => {
    const world = new TransportWorld(1);
    const clock = new ProcessClock(world.clock);
    let stream: FrameStream | null = null;
    await world.network.node("a").listen("a:1", (connection) => {
      stream = new FrameStream(connection, clock, () => undefined);
    });
    let puppet: Puppet | null = null;
    const network = world.network.node("b");
    void network.connect("a:1", 100).then((connection) => (puppet = new Puppet(connection)));
    await world.clock.runUntil(() => stream !== null && puppet !== null, 1000);
    let received: Received | null = null;
    void stream!.next(500).then((next) => (received = next));
    clock.freeze();
    world.network.stall("a");
    puppet!.connection.write(message(1));
    await world.clock.advance(5000);
    clock.thaw();
    world.network.wake("a");
    await world.clock.advance(0);
    expect(first(received)).toBe(1);
  });

  it("says why it ended, again and again, after the frames that came before", async () => {
    const [world, stream, puppet, count] = await streamAndPuppet();
    puppet.connection.write(message(1));
    puppet.connection.end();
    await world.clock.advance(10);
    expect(first(await take(world, stream))).toBe(1);
    for (let i = 0; i < 2; i += 1) {
      const reason = "ended by the other side";
      expect(await take(world, stream)).toEqual({ kind: "closed", reason });
    }
    expect(count.ends).toBe(1);
  });

  it("ends at the first bytes that are no frame, and keeps the frames before them", async () => {
    const [world, stream, puppet, count] = await streamAndPuppet();
    puppet.connection.write(Uint8Array.from([...message(1), ...new Uint8Array(12), ...message(2)]));
    await world.clock.advance(100);
    expect(first(await take(world, stream))).toBe(1);
    expect(await take(world, stream)).toEqual({
      kind: "closed",
      reason: "it broke the protocol: no such frame: 0",
    });
    expect(puppet.closed).toBe(true);
    expect(count.ends).toBe(1);
  });

  it("tells its reader when it is destroyed, and drops what waited", async () => {
    const [world, stream, puppet, count] = await streamAndPuppet();
    let received: Received | null = null;
    void stream.next(1000).then((next) => (received = next));
    stream.destroy();
    stream.destroy();
    await world.clock.advance(0);
    expect(received).toEqual({ kind: "closed", reason: "ended by this node" });
    expect(count.ends).toBe(1);

    const [other, waiting, sender] = await streamAndPuppet();
    sender.connection.write(message(1));
    await other.clock.advance(100);
    waiting.destroy();
    expect(waiting.hasNext).toBe(false);
    expect(await waiting.next(1)).toMatchObject({ kind: "closed" });
    await world.clock.advance(2000);
    expect(puppet.closed).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  it("may have one reader, or a consumer, not both", async () => {
    const [, stream] = await streamAndPuppet();
    void stream.next(1000);
    expect(() => stream.next(1000)).toThrow("two readers");
    const consumer = { frame: () => undefined, closed: () => undefined };
    expect(() => stream.consume(consumer)).toThrow("somebody is reading");
    const [, consumed] = await streamAndPuppet();
    consumed.consume(consumer);
    expect(() => consumed.next(1)).toThrow("the frames go to a consumer");
    expect(() => consumed.consume(consumer)).toThrow("a consumer already");
  });
});

describe("a stream of frames with a consumer", () => {
  it("hands over what waited and what comes, until the consumer itself ends it", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    puppet.connection.write(Uint8Array.from([...message(1), ...message(2)]));
    await world.clock.advance(100);
    const seen: number[] = [];
    stream.consume({
      frame: (frame: Frame) => {
        seen.push(frame.payload[0]!);
        if (seen.length === 4) stream.destroy();
      },
      closed: () => expect.unreachable("it ended it itself"),
    });
    expect(seen).toEqual([1, 2]);
    puppet.connection.write(Uint8Array.from([3, 4, 5, 6].flatMap((byte) => [...message(byte)])));
    await world.clock.advance(100);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(stream.hasNext).toBe(false);
  });

  it("hands over no more of what waited once the consumer has ended it", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    puppet.connection.write(Uint8Array.from([...message(1), ...message(2)]));
    await world.clock.advance(100);
    const seen: unknown[] = [];
    stream.consume({
      frame: (frame: Frame) => {
        seen.push(frame.payload[0]);
        stream.destroy();
      },
      closed: () => expect.unreachable("it ended it itself"),
    });
    expect(seen).toEqual([1]);
  });

  it("tells it of the end, also when that came before", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    puppet.connection.end();
    await world.clock.advance(100);
    const reasons: string[] = [];
    stream.consume({ frame: () => undefined, closed: (reason) => reasons.push(reason) });
    expect(reasons).toEqual(["ended by the other side"]);
  });
});

describe("the end that a stream comes to in good order", () => {
  it("sends what was written before, nothing that is written after", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    stream.send("message", Uint8Array.of(1));
    stream.finish(1000);
    stream.send("message", Uint8Array.of(2));
    await world.clock.advance(100);
    expect(puppet.frames.map((frame) => frame.payload[0])).toEqual([1]);
    expect([puppet.closed, stream.isOpen]).toEqual([true, false]);
    expect(world.clock.pending).toBe(0);
  });

  it("is not waited for without end", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    puppet.connection.pause();
    stream.send("message", new Uint8Array(1000));
    stream.finish(1000);
    await world.clock.advance(999);
    expect(stream.isOpen).toBe(true);
    await world.clock.advance(1);
    expect(stream.isOpen).toBe(false);
  });
});

describe("the bytes of a stream", () => {
  it("are counted for the peer from the first, once it is known who that is", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    const totals = noTotals();
    const meter = new Meter(totals);
    puppet.connection.write(message(1, 2, 3));
    stream.send("message", Uint8Array.of(1));
    await world.clock.advance(100);
    expect([meter.sentBytes, meter.receivedBytes, meter.lastHeardMs]).toEqual([0, 0, null]);
    stream.trust(meter);
    expect(stream.belongsTo(meter)).toBe(true);
    expect([meter.sentBytes, meter.receivedBytes]).toEqual([13, 15]);
    expect(meter.lastHeardMs).toBe(stream.lastHeardMs);
    stream.send("message", Uint8Array.of(1));
    puppet.connection.write(message(1));
    await take(world, stream);
    await take(world, stream);
    expect([meter.sentBytes, meter.receivedBytes]).toEqual([26, 28]);
    expect([totals.bytesSent, totals.bytesReceived]).toEqual([26, 28]);
  });

  it("may be many for a frame only once it is known who sends them", async () => {
    const [world, stream, puppet] = await streamAndPuppet();
    stream.trust(new Meter(noTotals()));
    let received: Received | null = null;
    void stream.next(10_000).then((next) => (received = next));
    puppet.connection.write(encodeFrame("message", new Uint8Array(FRAME_BYTES_MAX)));
    await world.clock.runUntil(() => received !== null, 10_000);
    expect(received).toMatchObject({ kind: "frame" });
    const [other, stranger, sender] = await streamAndPuppet();
    sender.connection.write(encodeFrame("message", new Uint8Array(20_000)));
    await other.clock.advance(100);
    expect(stranger.isOpen).toBe(false);
  });
});
