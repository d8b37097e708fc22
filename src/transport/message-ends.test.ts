// The two ends of a connection for messages, each against a puppet that plays the other.

import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import { PING_INTERVAL_MS, REFUSED_RETRY_MS, SILENCE_TIMEOUT_MS } from "../base/limits.ts";
import { Puppet, puppetFacts } from "../sim/transport-props.ts";
import { TransportWorld, addressOf, hostOf, type Process } from "../sim/transport-world.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { encodeHello, encodeRefuse, encodeWelcome } from "./hello.ts";
import { encodePing } from "./payload.ts";

/** A puppet that plays node 2 and is welcome at node 1. */
async function dialled(world: TransportWorld): Promise<Puppet> {
  let puppet: Puppet | null = null;
  const network = world.network.node(hostOf(2));
  void network.connect(addressOf(1), 1000).then((connection) => {
    puppet = new Puppet(connection);
    const who = { to: nodeId(1), facts: puppetFacts(2) };
    const hello = encodeHello({ protocol: { min: 1, max: 1 }, purpose: "messages", ...who });
    connection.write(encodeFrame("hello", hello));
  });
  await world.clock.runUntil(() => puppet?.kinds[0] === "welcome", 1000);
  return puppet!;
}

function message(byte: number): Uint8Array {
  return encodeFrame("message", Uint8Array.of(byte));
}

describe("the end that receives messages", () => {
  it("answers each ping with its own number", async () => {
    const world = new TransportWorld(1);
    await world.boot(1, { peers: [1, 2] });
    const puppet = await dialled(world);
    for (const number of [7, 8, 0xffff_ffff]) {
      puppet.connection.write(encodeFrame("ping", encodePing(number)));
    }
    await world.clock.advance(100);
    expect(puppet.frames.slice(1)).toEqual(
      [7, 8, 0xffff_ffff].map((number) => ({ kind: "pong", payload: encodePing(number) })),
    );
  });

  it("hangs up on a peer that asks and asks and reads no answer", async () => {
    const world = new TransportWorld(1, { windowBytes: 1000 });
    await world.boot(1, { peers: [1, 2] });
    const puppet = await dialled(world);
    puppet.connection.pause();
    const pings = Array.from({ length: 3000 }, (_, i) => encodeFrame("ping", encodePing(i)));
    puppet.connection.write(Uint8Array.from(Buffer.concat(pings)));
    await world.clock.advance(3000);
    puppet.connection.resume();
    await world.clock.advance(100);
    expect(puppet.closed).toBe(true);
    expect(puppet.frames.length).toBeLessThan(1500);
  });

  it.each<[string, Uint8Array]>([
    ["a pong", encodeFrame("pong", encodePing(1))],
    ["another hello", encodeFrame("hello", new Uint8Array(2))],
    ["a chunk of a snapshot", encodeFrame("snapshot-chunk", new Uint8Array(9))],
    ["bytes that are no frame", new Uint8Array(12)],
  ])("hangs up on %s, and hands up nothing that comes behind it", async (_, frame) => {
    const world = new TransportWorld(1);
    const one = await world.boot(1, { peers: [1, 2] });
    const puppet = await dialled(world);
    puppet.connection.write(Uint8Array.from([...message(65), ...frame, ...message(66)]));
    await world.clock.advance(100);
    expect(one.heard(2)).toEqual(["A"]);
    expect(puppet.closed).toBe(true);
  });

  it("keeps a peer that pings, and hangs up on one that fell silent", async () => {
    const world = new TransportWorld(1);
    await world.boot(1, { peers: [1, 2] });
    const puppet = await dialled(world);
    for (let i = 0; i < 4; i += 1) {
      await world.clock.advance(SILENCE_TIMEOUT_MS - 1000);
      puppet.connection.write(encodeFrame("ping", encodePing(i)));
    }
    await world.clock.advance(SILENCE_TIMEOUT_MS - 100);
    expect(puppet.closed).toBe(false);
    await world.clock.advance(200);
    expect(puppet.closed).toBe(true);
  });

  it("takes the newest connection for the right one: nothing old comes behind new", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1, { peers: [1, 2] });
    const old = await dialled(world);
    old.connection.write(message(65));
    await world.clock.advance(100);
    const fresh = await dialled(world);
    old.connection.write(message(66));
    fresh.connection.write(message(67));
    await world.clock.advance(100);
    expect(one.heard(2)).toEqual(["A", "C"]);
    expect([old.closed, fresh.closed]).toEqual([true, false]);
  });
});

/** Node 1, which has dialled a puppet that welcomed it; the puppet then does as `onPing` says. */
async function listening(
  onPing: (puppet: Puppet, ping: Frame, count: number) => void,
): Promise<[TransportWorld, Process, Puppet[]]> {
  const world = new TransportWorld(1);
  const puppets: Puppet[] = [];
  await world.network.node(hostOf(2)).listen(addressOf(2), (connection) => {
    let pings = 0;
    const puppet = new Puppet(connection, (frame) => {
      const welcome = encodeWelcome({ protocol: 1, facts: puppetFacts(2) });
      if (frame.kind === "hello") connection.write(encodeFrame("welcome", welcome));
      if (frame.kind === "ping") onPing(puppet, frame, (pings += 1));
    });
    puppets.push(puppet);
  });
  const one = await world.boot(1, { peers: [1, 2] });
  await world.clock.runUntil(() => one.connected.length > 0, 1000);
  return [world, one, puppets];
}

describe("the end that sends messages", () => {
  it("pings as long as it is answered, and measures how long that takes", async () => {
    const [world, one, puppets] = await listening((puppet, ping) => {
      world.clock.after(30, () => {
        puppet.connection.write(encodeFrame("pong", ping.payload));
      });
    });
    await world.clock.advance(20 * PING_INTERVAL_MS);
    expect(puppets).toHaveLength(1);
    const pings = puppets[0]!.kinds.filter((kind) => kind === "ping").length;
    expect(pings).toBeGreaterThanOrEqual(19);
    expect(pings).toBeLessThanOrEqual(21);
    const { rttMs } = one.peer(2);
    expect(rttMs).toBeGreaterThan(30);
    expect(rttMs).toBeLessThan(36);
  });

  it.each<[string, (ping: Frame) => Uint8Array]>([
    ["answers what was not asked", () => encodeFrame("pong", encodePing(99))],
    [
      "answers twice",
      (ping) =>
        Uint8Array.from([
          ...encodeFrame("pong", ping.payload),
          ...encodeFrame("pong", ping.payload),
        ]),
    ],
    ["sends messages where it may only answer", () => message(65)],
    ["sends what is no frame", () => new Uint8Array(12)],
  ])("leaves a peer that %s, and dials again", async (_, answer) => {
    const [world, one, puppets] = await listening((puppet, ping) => {
      puppet.connection.write(answer(ping));
    });
    await world.clock.advance(3000);
    expect(puppets.length).toBeGreaterThan(1);
    expect(puppets[0]!.closed).toBe(true);
    expect(one.unreachable.length).toBeGreaterThan(0);
    expect(one.messages).toEqual([]);
  });

  it("believes a listener that takes its welcome back", async () => {
    const words = { code: "removed", message: "not a member any more" };
    const [world, one, puppets] = await listening((puppet, ping, count) => {
      const refuse = encodeFrame("refuse", encodeRefuse(words));
      puppet.connection.write(count === 1 ? encodeFrame("pong", ping.payload) : refuse);
    });
    await world.clock.advance(REFUSED_RETRY_MS / 2);
    expect(one.refusals).toEqual([{ peer: 2, ...words, by: "them" }]);
    expect(one.peer(2)).toMatchObject({ connected: false, refusal: words });
    expect(puppets).toHaveLength(1);
  });
});
