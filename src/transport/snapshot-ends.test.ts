// The two ends of a transfer, each against a puppet: what a broken or malicious peer might send.

import { describe, expect, it } from "vitest";
import { logIndex, nodeId, term } from "../base/brand.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { sha256Hex } from "../base/hash.ts";
import { SNAPSHOT_WINDOW_BYTES, TRANSFER_STALL_MS } from "../base/limits.ts";
import { sleep } from "../env/clock.ts";
import { FileToSend, Puppet, TestSink, noise, puppetFacts } from "../sim/transport-props.ts";
import { TransportWorld, addressOf, hostOf, type Process } from "../sim/transport-world.ts";
import { encodeFrame, FrameDecoder, type Frame } from "./frame.ts";
import { encodeHello, encodeWelcome } from "./hello.ts";
import { encodeSnapshotBegin, encodeU64 } from "./payload.ts";

describe("a receiver", () => {
  const content = noise(3000);
  const begin = (changes: object = {}): Uint8Array =>
    encodeFrame(
      "snapshot-begin",
      encodeSnapshotBegin({
        index: logIndex(5),
        term: term(1),
        bytes: content.length,
        sha256: sha256Hex(content),
        message: encodeUtf8("MsgSnap"),
        ...changes,
      }),
    );
  const chunk = (from: number, to: number, at = from): Uint8Array =>
    encodeFrame("snapshot-chunk", encodeU64(at), content.slice(from, to));
  const end = encodeFrame("snapshot-end");

  /** A puppet that plays node 2 and may send a snapshot to node 1. */
  async function welcomed(world: TransportWorld): Promise<Puppet> {
    let puppet: Puppet | null = null;
    const network = world.network.node(hostOf(2));
    void network.connect(addressOf(1), 1000).then((connection) => {
      puppet = new Puppet(connection);
      const protocol = { min: 1, max: 1 };
      const who = { to: nodeId(1), facts: puppetFacts(2) };
      const hello = encodeHello({ protocol, purpose: "snapshot", ...who });
      connection.write(encodeFrame("hello", hello));
    });
    await world.clock.runUntil(() => puppet?.kinds[0] === "welcome", 1000);
    return puppet!;
  }

  /** Sends these frames as node 2 to node 1; answers with what node 1 said after its welcome. */
  async function offer(frames: readonly Uint8Array[]): Promise<[string[], TestSink[], Process]> {
    const world = new TransportWorld(1);
    const one = await world.boot(1, { peers: [1, 2] });
    const sinks: TestSink[] = [];
    one.receiveSnapshot = (_, offered) => {
      const sink = new TestSink(offered);
      sinks.push(sink);
      return Promise.resolve(sink);
    };
    const puppet = await welcomed(world);
    for (const frame of frames) puppet.connection.write(frame);
    await world.clock.advance(1000);
    const { kinds } = puppet;
    return [kinds.filter((kind) => kind !== "snapshot-progress").slice(1), sinks, one];
  }

  it("takes a file in any chunks that follow each other", async () => {
    const frames = [begin(), chunk(0, 1), chunk(1, 2000), chunk(2000, 3000), end];
    const [answers, sinks, one] = await offer(frames);
    expect(answers).toEqual(["snapshot-done"]);
    expect(Buffer.compare(sinks[0]!.content, content)).toBe(0);
    expect(one.received).toEqual([{ from: 2, index: 5, text: "MsgSnap" }]);
  });

  it.each<[string, readonly Uint8Array[]]>([
    ["a hole", [begin(), chunk(0, 1000), chunk(1001, 3000), end]],
    ["an overlap", [begin(), chunk(0, 1000), chunk(999, 3000), end]],
    ["a repetition", [begin(), chunk(0, 1000), chunk(0, 1000), chunk(1000, 3000), end]],
    ["an early end", [begin(), chunk(0, 2999), end]],
    ["more than was announced", [begin({ bytes: 2999 }), chunk(0, 3000), end]],
    ["one byte too many", [begin({ bytes: 2999 }), chunk(0, 2999), chunk(2999, 3000), end]],
    ["less than was announced", [begin({ bytes: 3001 }), chunk(0, 3000), end]],
    ["bytes of another file", [begin(), chunk(0, 1000), chunk(0, 2000, 1000), end]],
    ["another sum than announced", [begin({ sha256: "0".repeat(64) }), chunk(0, 3000), end]],
    ["a second beginning", [begin(), begin(), chunk(0, 3000), end]],
    ["a message in it", [begin(), encodeFrame("message", Uint8Array.of(1)), chunk(0, 3000), end]],
    ["an offset past 2^53", [begin(), tooFar()]],
  ])("aborts a file with %s", async (_, frames) => {
    const [answers, sinks, one] = await offer(frames);
    expect(answers).toEqual(["failed"]);
    expect(sinks.map((sink) => sink.state)).toEqual(["aborted"]);
    expect(sinks[0]!.writtenBytes).toBeLessThanOrEqual(sinks[0]!.offer.bytes);
    expect([one.received, one.messages]).toEqual([[], []]);
  });

  it.each<[string, readonly Uint8Array[]]>([
    ["a chunk", [chunk(0, 3000), end]],
    ["an end", [end]],
    ["a message", [encodeFrame("message", Uint8Array.of(1))]],
    ["a length past 2^53", [beginTooLong(begin())]],
  ])("asks for no sink when the transfer begins with %s", async (_, frames) => {
    const [answers, sinks] = await offer(frames);
    expect(answers).toEqual(["failed"]);
    expect(sinks).toEqual([]);
  });

  it("gives up a file whose sender begins anew, before the next is offered", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1, { peers: [1, 2] });
    const sinks: TestSink[] = [];
    one.receiveSnapshot = (_, offered) => {
      for (const sink of sinks) expect(sink.state).toBe("aborted");
      const sink = new TestSink(offered, { write: () => sleep(world.clock, 50) });
      sinks.push(sink);
      return Promise.resolve(sink);
    };
    const puppets: Puppet[] = [];
    for (let i = 0; i < 4; i += 1) {
      const puppet = await welcomed(world);
      puppet.connection.write(Uint8Array.from([...begin(), ...chunk(0, 1000)]));
      await world.clock.advance(10 + i);
      puppets.push(puppet);
    }
    puppets[3]!.connection.write(Uint8Array.from([...chunk(1000, 3000), ...end]));
    await world.clock.advance(1000);
    expect(puppets.map((puppet) => puppet.closed)).toEqual([true, true, true, true]);
    expect(sinks.map((sink) => sink.state).slice(0, -1)).not.toContain("finished");
    expect(sinks.at(-1)!.state).toBe("finished");
    expect(one.received).toHaveLength(1);
  });

  it("aborts a file whose chunk was damaged on the way", async () => {
    const damaged = chunk(1000, 3000);
    damaged[500]! ^= 1;
    const [answers, sinks, one] = await offer([begin(), chunk(0, 1000), damaged, end]);
    expect(answers).toEqual([]); // The connection is worth nothing any more.
    expect(sinks.map((sink) => sink.state)).toEqual(["aborted"]);
    expect(one.received).toEqual([]);
  });
});

function tooFar(): Uint8Array {
  return encodeFrame("snapshot-chunk", Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0, 1));
}

function beginTooLong(frame: Uint8Array): Uint8Array {
  const payload = new FrameDecoder().push(frame).frames[0]!.payload.slice();
  payload[23] = 0x20;
  return encodeFrame("snapshot-begin", payload);
}

describe("a sender", () => {
  /** Node 1 sends a file to a puppet that answers the BEGIN with these frames. */
  async function answeredWith(...frames: readonly Uint8Array[]): Promise<[Process, FileToSend]> {
    const world = new TransportWorld(1);
    await world.network.node(hostOf(2)).listen(addressOf(2), (connection) => {
      void new Puppet(connection, ({ kind }: Frame) => {
        const welcome = encodeWelcome({ protocol: 1, facts: puppetFacts(2) });
        if (kind === "hello") connection.write(encodeFrame("welcome", welcome));
        if (kind === "snapshot-begin") for (const frame of frames) connection.write(frame);
      });
    });
    const one = await world.boot(1, { peers: [1, 2] });
    const file = new FileToSend(noise(2 * SNAPSHOT_WINDOW_BYTES));
    one.transport.sendSnapshot(nodeId(2), file.snapshot);
    // One that says something wrong is found out at once, one that says nothing in time.
    const withinMs = frames.length > 0 ? 1000 : TRANSFER_STALL_MS + 1000;
    await world.clock.runUntil(() => one.sent.length > 0, withinMs);
    await world.clock.advance(0);
    return [one, file];
  }

  const progress = (bytes: number): Uint8Array =>
    encodeFrame("snapshot-progress", encodeU64(bytes));

  it.each<[string, readonly Uint8Array[]]>([
    ["is done before the end", [encodeFrame("snapshot-done")]],
    ["has written what was never sent", [progress(3 * SNAPSHOT_WINDOW_BYTES)]],
    ["makes no progress and says so", [progress(0)]],
    ["goes back", [progress(2000), progress(1000)]],
    ["sends something else", [encodeFrame("message", Uint8Array.of(1))]],
    ["sends what does not decode", [new Uint8Array(20)]],
    ["says nothing", []],
  ])("does not believe a receiver that %s", async (_, frames) => {
    const [one, file] = await answeredWith(...frames);
    expect(one.sent).toEqual([{ to: 2, index: 100, ok: false }]);
    expect(file.closes).toBe(1);
    expect(file.readBytes).toBeLessThanOrEqual(SNAPSHOT_WINDOW_BYTES + 2000);
  });
});
