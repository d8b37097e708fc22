// Messages between whole nodes, and what happens to them when the network or the nodes do not
// behave.

import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import {
  FRAME_BYTES_MAX,
  PEER_QUEUE_BYTES_MAX,
  PONG_TIMEOUT_MS,
  RECONNECT_MAX_MS,
  SILENCE_TIMEOUT_MS,
} from "../base/limits.ts";
import type { Network } from "../env/network.ts";
import { TransportWorld, addressOf, hostOf, type Process } from "../sim/transport-world.ts";
import type { StreamFaults } from "../sim/stream-wire.ts";

/** Nodes that all have their connections. */
async function together(
  count: number,
  seed = 1,
  faults: Partial<StreamFaults> = {},
): Promise<[TransportWorld, ...Process[]]> {
  const world = new TransportWorld(seed, faults);
  const processes = await world.start(count);
  const isComplete = (): boolean =>
    processes.every((process) => process.transport.peers().every((peer) => peer.connected));
  expect(await world.clock.runUntil(isComplete, 10_000)).toBe(true);
  return [world, ...processes];
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

describe("messages between nodes", () => {
  it("arrive in the order in which they were sent, both ways at once", async () => {
    const [world, one, two] = await together(2);
    for (const text of numbered("", 100)) {
      one!.say(2, `a${text}`);
      two!.say(1, `b${text}`);
    }
    await world.clock.advance(1000);
    expect(two!.heard(1)).toEqual(numbered("a", 100));
    expect(one!.heard(2)).toEqual(numbered("b", 100));
  });

  it("wait for the flush, go out in one write, and are copied when they are sent", async () => {
    const writes: number[] = [];
    const world = new TransportWorld(1);
    const one = await world.boot(1, { wrap: countingWrites(writes) });
    const two = await world.boot(2);
    await world.clock.runUntil(() => one.peer(2).connected, 5000);
    await world.clock.advance(10);
    writes.length = 0;
    const bytes = Uint8Array.of(65);
    for (let i = 0; i < 3; i += 1) {
      one.transport.send(nodeId(2), bytes);
      bytes[0]! += 1;
    }
    await world.clock.advance(100);
    expect([writes, two.messages]).toEqual([[], []]);
    expect(one.peer(2).queuedBytes).toBe(3 * 13);
    one.transport.flush();
    await world.clock.advance(100);
    expect(writes).toEqual([3 * 13]);
    expect(two.heard(1)).toEqual(["A", "B", "C"]);
  });

  it("may be as long as a frame", async () => {
    const [world, one, two] = await together(2);
    one!.say(2, "x".repeat(FRAME_BYTES_MAX));
    await world.clock.advance(3000);
    expect(two!.heard(1).map((text) => text.length)).toEqual([FRAME_BYTES_MAX]);
  });

  it("are never reordered, doubled or invented, whatever becomes of connections", async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const [world, one, two] = await together(2, seed);
      world.network.faults.resetChance = 0.02;
      for (let i = 0; i < 300; i += 1) {
        one!.say(2, `${i}`);
        if (i % 50 === 20) world.network.cut(hostOf(1), hostOf(2));
        if (i % 50 === 40) world.network.healAll();
        await world.clock.advance(world.random.below(200));
      }
      await world.clock.advance(10_000);
      const heard = two!.heard(1).map(Number);
      expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
      expect(heard.length).toBeGreaterThan(50);
      expect(heard.length).toBeLessThan(300);
      const { messagesSent, messagesDropped } = one!.transport.counters();
      expect(messagesSent + messagesDropped).toBe(300);
      expect(two!.transport.counters().messagesReceived).toBe(heard.length);
      // Every connection that was lost, and every flush that dropped something, was reported.
      expect(one!.unreachable.length).toBeGreaterThan(0);
    }
  });
});

/** Notes the length of every write to a dialled connection. */
function countingWrites(writes: number[]): (network: Network) => Network {
  return (network) => ({
    listen: (address, onConnection) => network.listen(address, onConnection),
    connect: async (address, timeoutMs) => {
      const connection = await network.connect(address, timeoutMs);
      return new Proxy(connection, {
        get(target, name) {
          if (name === "write") {
            return (bytes: Uint8Array) => {
              writes.push(bytes.length);
              target.write(bytes);
            };
          }
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      });
    },
  });
}

describe("a message that cannot go out", () => {
  it("is dropped and reported, once for each peer and flush, and never inside a call", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1);
    for (let i = 0; i < 3; i += 1) {
      one.transport.send(nodeId(2), Uint8Array.of(1));
      one.transport.send(nodeId(3), Uint8Array.of(1));
    }
    expect(one.unreachable).toEqual([]);
    one.transport.flush();
    expect(one.unreachable).toEqual([]);
    await world.clock.advance(0);
    expect(one.unreachable).toEqual([2, 3]);
    one.transport.flush();
    await world.clock.advance(0);
    expect(one.unreachable).toEqual([2, 3]);
    expect(one.peer(2).droppedMessages).toBe(3);
    expect(one.transport.counters().messagesDropped).toBe(6);
  });

  it("is reported as well if it was for a node that is no peer", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1);
    one.say(9, "hello");
    await world.clock.advance(0);
    expect(one.unreachable).toEqual([9]);
    expect(one.transport.counters().messagesDropped).toBe(1);
  });

  it("is dropped when too much waits for a slow peer, which is served again later", async () => {
    const [world, one, two, three] = await together(3);
    two!.transport.setPaused(true);
    const text = "x".repeat(1024 * 1024);
    const offered = 2 * (PEER_QUEUE_BYTES_MAX / text.length);
    let droppedAt = -1;
    for (let i = 0; i < offered; i += 1) {
      one!.say(2, text);
      one!.say(3, `${i}`);
      await world.clock.advance(20);
      expect(one!.peer(2).queuedBytes).toBeLessThanOrEqual(PEER_QUEUE_BYTES_MAX);
      if (droppedAt < 0 && one!.unreachable.length > 0) droppedAt = i;
    }
    // A slow peer costs the others nothing.
    expect(three!.heard(1)).toEqual(numbered("", offered));
    expect(droppedAt).toBeGreaterThan(10);
    expect(new Set(one!.unreachable)).toEqual(new Set([2]));
    expect(one!.unreachable).toHaveLength(one!.peer(2).droppedMessages);

    two!.transport.setPaused(false);
    await world.clock.advance(5000);
    expect(two!.heard(1)).toHaveLength(offered - one!.peer(2).droppedMessages);
    one!.say(2, "again");
    await world.clock.advance(1000);
    expect(two!.heard(1).at(-1)).toBe("again");
  });
});

describe("a paused owner", () => {
  it("is handed nothing while it is paused, and all of it later", async () => {
    const [world, one, two] = await together(2);
    two!.transport.setPaused(true);
    for (const text of numbered("", 10)) one!.say(2, text);
    await world.clock.advance(1000);
    expect(two!.messages).toEqual([]);
    two!.transport.setPaused(false);
    await world.clock.advance(100);
    expect(two!.heard(1)).toEqual(numbered("", 10));
  });

  it("stays paused on connections that are made meanwhile", async () => {
    const [world, one, two] = await together(2);
    two!.transport.setPaused(true);
    world.network.reset(hostOf(1), hostOf(2));
    await world.clock.advance(1000);
    one!.say(2, "hello");
    await world.clock.advance(1000);
    expect(two!.messages).toEqual([]);
    two!.transport.setPaused(false);
    await world.clock.advance(5000);
    expect(two!.heard(1)).toEqual(["hello"]);
  });
});

describe("a lost connection", () => {
  it("is reported as unreachable and made again, and messages go on", async () => {
    const [world, one, two] = await together(2);
    world.network.reset(hostOf(1), hostOf(2));
    await world.clock.advance(1);
    expect(one!.unreachable).toEqual([2]);
    expect(one!.peer(2).connected).toBe(false);
    await world.clock.advance(2000);
    expect(one!.peer(2).connected).toBe(true);
    expect(one!.connected).toHaveLength(2);
    one!.say(2, "again");
    await world.clock.advance(100);
    expect(two!.heard(1)).toEqual(["again"]);
    expect(one!.transport.counters()).toMatchObject({ connects: 2, disconnects: 1 });
  });

  it("to a node that is down is tried with growing random waits, at most 2 s each", async () => {
    const attemptsIn = async (seed: number, forMs: number): Promise<number> => {
      const world = new TransportWorld(seed);
      const one = await world.boot(1, { peers: [1, 2] });
      await world.network.node(hostOf(2)).listen("host-2:1", () => undefined);
      await world.clock.advance(forMs);
      const reports = one.lines.filter((line) => line.text === "peer cannot be reached");
      expect(reports).toHaveLength(1);
      expect(one.unreachable).toEqual([]);
      return world.network.connects;
    };
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const early = await Promise.all(seeds.map((seed) => attemptsIn(seed, 1000)));
    const late = await Promise.all(seeds.map((seed) => attemptsIn(seed, 61_000)));
    const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b) / list.length;
    // Waits of 25, 50, 100, 200, 400, … ms on average: about six attempts in the first second, and
    // one each second from then on.
    expect(mean(early)).toBeGreaterThan(4);
    expect(mean(early)).toBeLessThan(9);
    const perSecond = (mean(late) - mean(early)) / 60;
    expect(perSecond).toBeGreaterThan(0.8);
    expect(perSecond).toBeLessThan(1.3);
    expect(new Set(late).size).toBeGreaterThan(3);
  });

  it("that ends soon, again and again, does not make the nodes chase each other", async () => {
    // Every way takes 1 ms, and every dialler ends its connection 3 ms after it was made: when it
    // is up, the other node has heard of it and dials as well, just in time to wake up the first
    // again.
    const world = new TransportWorld(1, { delayMsMin: 1, delayMsMax: 1 });
    const mayfly = (network: Network): Network => ({
      listen: (address, onConnection) => network.listen(address, onConnection),
      connect: async (address, timeoutMs) => {
        const connection = await network.connect(address, timeoutMs);
        world.clock.after(3, () => connection.destroy());
        return connection;
      },
    });
    const one = await world.boot(1, { peers: [1, 2], wrap: mayfly });
    await world.boot(2, { peers: [1, 2], wrap: mayfly });
    await world.clock.advance(30_000);
    expect(one.transport.counters().connects).toBeGreaterThan(10);
    // Each may try about once a second, and once in two seconds for the other's sake.
    expect(world.network.connects).toBeLessThan(2 * 30 * 2);
  });

  it("loses what was gathered for it, which does not go out first on the next one", async () => {
    const [world, one, two] = await together(2);
    one!.transport.send(nodeId(2), Uint8Array.of(65));
    world.network.reset(hostOf(1), hostOf(2));
    await world.clock.advance(2000);
    one!.transport.flush();
    one!.say(2, "new");
    await world.clock.advance(100);
    expect(two!.heard(1)).toEqual(["new"]);
    expect(one!.peer(2).droppedMessages).toBe(1);
  });

  it("is noticed by pings when one direction is cut, and made again once that heals", async () => {
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const [world, one] = await together(2, 3);
      await world.clock.advance(1000);
      world.network.cut(hostOf(from), hostOf(to));
      await world.clock.advance(PONG_TIMEOUT_MS - 600);
      expect(one!.peer(2).connected).toBe(true);
      await world.clock.advance(1300);
      expect(one!.peer(2).connected).toBe(false);
      expect(one!.unreachable).toEqual([2]);
      expect(one!.lines.some((line) => line["reason"] === "it does not answer")).toBe(true);
      await world.clock.advance(20_000);
      expect(one!.peer(2).connected).toBe(false);
      world.network.heal(hostOf(from), hostOf(to));
      await world.clock.advance(2 * RECONNECT_MAX_MS);
      expect(one!.peer(2).connected).toBe(true);
    }
  });

  it("is given up by the listener as well when nothing comes for long", async () => {
    const [world, one, two] = await together(2);
    world.network.part(hostOf(1), hostOf(2));
    world.kill(one!, true);
    await world.clock.advance(SILENCE_TIMEOUT_MS - 1000);
    expect(two!.lines.some((line) => line["reason"] === "it said nothing for long")).toBe(false);
    await world.clock.advance(1100);
    expect(two!.lines.some((line) => line["reason"] === "it said nothing for long")).toBe(true);
    await world.clock.advance(1000);
    expect(two!.peer(1)).toMatchObject({ connected: false });
  });

  it("is kept while a slow peer takes what waits for it, however late its pongs", async () => {
    // 64 KiB in 200 ms: 12 MiB take about 40 seconds, ten times what a pong may take.
    const faults = { windowBytes: 64 * 1024, delayMsMin: 100, delayMsMax: 100 };
    const [world, one, two] = await together(2, 1, faults);
    for (let i = 0; i < 12; i += 1) one!.say(2, "x".repeat(1024 * 1024));
    expect(one!.transport.counters().messagesDropped).toBe(0);
    await world.clock.advance(10 * PONG_TIMEOUT_MS);
    expect(two!.heard(1).length).toBeLessThan(12);
    await world.clock.advance(30_000);
    expect(two!.heard(1)).toHaveLength(12);
    expect(one!.unreachable).toEqual([]);
    expect(one!.transport.counters().connects).toBe(1);
  });
});

describe("a node that stood still", () => {
  it("reads its sockets before it calls its peers silent, however long it was", async () => {
    for (const forMs of [PONG_TIMEOUT_MS + 500, SILENCE_TIMEOUT_MS - 2000]) {
      for (let offsetMs = 0; offsetMs < 500; offsetMs += 50) {
        const [world, one] = await together(2, offsetMs, { delayMsMin: 100, delayMsMax: 100 });
        await world.clock.advance(1000 + offsetMs);
        await world.stall(one!, forMs);
        await world.clock.advance(1000);
        // Its pings were answered while it stood still; the answers were waiting in its socket.
        expect(one!.transport.counters().disconnects).toBe(0);
        expect(one!.lines.some((line) => line["reason"] === "it said nothing for long")).toBe(
          false,
        );
      }
    }
  });

  it("is given up by the others after a while, and soon has its connections back", async () => {
    const [world, one, two] = await together(2);
    await world.stall(one!, 60_000);
    expect(two!.peer(1).connected).toBe(false);
    await world.clock.advance(5000);
    expect(two!.peer(1).connected && one!.peer(2).connected).toBe(true);
    two!.say(1, "welcome back");
    await world.clock.advance(100);
    expect(one!.heard(2)).toEqual(["welcome back"]);
  });
});

describe("a peer that was started anew", () => {
  it("gets messages at once, since its own connection tells that the old one is dead", async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const [world, one, two] = await together(2, seed);
      await world.clock.advance(seed * 25);
      world.kill(two!, seed % 4 !== 0);
      await world.clock.advance(1000);
      const again = await world.boot(2);
      const isBack = (): boolean => one!.peer(2).connected && one!.connected.length === 2;
      // The time of two handshakes, and not of a ping.
      expect(await world.clock.runUntil(isBack, 30)).toBe(true);
      one!.say(2, "first");
      await world.clock.advance(100);
      expect(again.heard(1)).toEqual(["first"]);
      expect(one!.peer(2)).toMatchObject({ http: "host-2:8000", connected: true });
      expect(one!.connected[1]?.facts.run).toBe(again.facts.run);
    }
  });

  it("hears nothing that was meant for its earlier life", async () => {
    const [world, one, two] = await together(2, 5);
    world.network.cut(hostOf(1), hostOf(2));
    one!.say(2, "old");
    world.kill(two!, true);
    const again = await world.boot(2);
    world.network.healAll();
    await world.clock.advance(20_000);
    expect(again.messages).toEqual([]);
  });
});

describe("the list of peers", () => {
  it("may grow, shrink and change while everything runs", async () => {
    const [world, one, two, three] = await together(3);
    one!.transport.setPeers([{ id: nodeId(2), address: addressOf(2) }]);
    await world.clock.advance(100);
    three!.say(1, "hello");
    await world.clock.advance(3000);
    expect(one!.transport.peers().map((peer) => peer.id)).toEqual([2]);
    expect(one!.heard(3)).toEqual([]);
    expect(three!.peer(1)).toMatchObject({
      connected: false,
      refusal: { code: "unknown-peer", by: "them" },
    });
    expect(one!.peer(2).connected).toBe(true);
    expect(two!.unreachable).toEqual([]);

    one!.transport.setPeers([
      { id: nodeId(3), address: addressOf(3) },
      { id: nodeId(2), address: addressOf(2) },
    ]);
    await world.clock.advance(10_000);
    expect(one!.transport.peers().map((peer) => [peer.id, peer.connected])).toEqual([
      [2, true],
      [3, true],
    ]);
    expect(three!.peer(1).connected).toBe(true);
    three!.say(1, "hello again");
    await world.clock.advance(100);
    expect(one!.heard(3)).toEqual(["hello again"]);
    // The connection of a peer that stayed was not touched.
    expect(one!.connected.filter(({ peer }) => peer === 2)).toHaveLength(1);
  });

  it("may give a peer another address, under which it keeps its counts", async () => {
    const [world, one, two] = await together(2);
    one!.say(2, "before");
    await world.clock.advance(100);
    const { sentBytes } = one!.peer(2);
    one!.transport.setPeers([{ id: nodeId(2), address: "host-2:9999" }]);
    await world.clock.advance(1000);
    expect(one!.peer(2)).toMatchObject({ connected: false, address: "host-2:9999" });
    one!.transport.setPeers([{ id: nodeId(2), address: addressOf(2) }]);
    await world.clock.advance(3000);
    one!.say(2, "after");
    await world.clock.advance(100);
    expect(two!.heard(1)).toEqual(["before", "after"]);
    expect(one!.peer(2).sentBytes).toBeGreaterThan(sentBytes);
  });

  it("may lose a peer in the middle of a handshake with it", async () => {
    for (let afterMs = 0; afterMs < 12; afterMs += 0.5) {
      const world = new TransportWorld(afterMs * 2);
      const [one, two] = await world.start(2);
      await world.clock.advance(afterMs);
      one!.transport.setPeers([]);
      const told = one!.told - one!.refusals.length;
      two!.say(1, "hello");
      await world.clock.advance(1000);
      expect(one!.told - one!.refusals.length).toBe(told);
      expect(one!.messages).toEqual([]);
      expect(two!.peer(1).connected).toBe(false);
    }
  });

  it("does not hold the node itself, nor anybody twice", async () => {
    const [, one] = await together(2);
    const peer = { id: nodeId(2), address: addressOf(2) };
    expect(() => one!.transport.setPeers([peer, peer])).toThrow("listed twice");
    const self = { id: nodeId(1), address: addressOf(1) };
    expect(() => one!.transport.setPeers([self])).toThrow("not its own peer");
  });
});

describe("the status of a peer", () => {
  it("tells what was measured: round trip, bytes, when it was last heard", async () => {
    const [world, one, two] = await together(2, 1, { delayMsMin: 5, delayMsMax: 5 });
    expect(one!.peer(2).rttMs).toBeNull();
    await world.clock.advance(10_000);
    const status = one!.peer(2);
    expect(status.rttMs).toBeCloseTo(10, 5);
    expect(world.clock.monotonicMs() - (status.lastHeardMs ?? 0)).toBeLessThan(510);
    // All connections are between these two: what one sent, the other has received or will.
    const back = two!.peer(1);
    expect(status.receivedBytes).toBeGreaterThan(500);
    expect(Math.abs(status.sentBytes - back.receivedBytes)).toBeLessThanOrEqual(32);
    expect(one!.transport.counters()).toMatchObject({
      bytesSent: status.sentBytes,
      bytesReceived: status.receivedBytes,
    });
  });
});

describe("a node that is stopped", () => {
  it("leaves no timer and no connection, and is told nothing, whenever it stops", async () => {
    for (let seed = 0; seed < 40; seed += 1) {
      const world = new TransportWorld(seed, { resetChance: 0.01 });
      const [one, two, three] = await world.start(3);
      for (const process of [one!, two!, three!]) process.say((process.id % 3) + 1, "hello");
      await world.clock.advance(seed < 20 ? seed / 2 : world.random.below(5000));
      one!.say(2, "last");
      const told = one!.told;
      let isStopped = false;
      void one!.transport.stop().then(() => (isStopped = true));
      one!.say(3, "too late");
      await world.clock.advance(3000);
      expect(isStopped).toBe(true);
      expect(one!.told).toBe(told);
      expect(one!.clock.pending).toBe(0);
      expect(two!.peer(1).connected).toBe(false);
      await Promise.all([two!.transport.stop(), three!.transport.stop(), one!.transport.stop()]);
      await world.clock.advance(3000);
      expect(world.network.openConnections).toBe(0);
      expect(world.clock.pending).toBe(0);
    }
  });

  it("gives its address free, and cannot be started again", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1);
    expect(one.transport.address).toBe(addressOf(1));
    await one.transport.stop();
    await expect(one.transport.start()).rejects.toThrow("started twice");
    const again = await world.boot(1);
    await expect(world.boot(1)).rejects.toThrow("in use");
    await again.transport.stop();
  });

  it("waits for no handshake, and stops even while it begins to listen", async () => {
    const world = new TransportWorld(1);
    let listening = (): void => undefined;
    let listeners = 0;
    const slow = (network: Network): Network => ({
      connect: (address, timeoutMs) => network.connect(address, timeoutMs),
      listen: async (address, onConnection) => {
        await new Promise<void>((resolve) => (listening = resolve));
        listeners += 1;
        const listener = await network.listen(address, onConnection);
        return {
          address: listener.address,
          close: () => {
            listeners -= 1;
            return listener.close();
          },
        };
      },
    });
    const one = world.create(1, { wrap: slow });
    const starting = one.transport.start();
    await one.transport.stop();
    listening();
    await starting;
    expect(listeners).toBe(0);
    expect(one.clock.pending).toBe(0);

    const two = await world.boot(2);
    await world.boot(3);
    two.admit = () => new Promise(() => undefined);
    await world.clock.advance(5);
    expect(two.introductions.length).toBeGreaterThan(0);
    await two.transport.stop();
  });
});

describe("a whole run", () => {
  it("is the same again with the same seed, and another one with another", async () => {
    const history = async (seed: number): Promise<unknown> => {
      const world = new TransportWorld(seed, { resetChance: 0.02 });
      const processes = await world.start(3);
      for (let i = 0; i < 100; i += 1) {
        for (const process of processes) process.say((process.id % 3) + 1, `${i}`);
        if (i % 20 === 5) world.network.part(hostOf(1), hostOf(2 + (i % 2)));
        if (i % 20 === 15) world.network.healAll();
        await world.clock.advance(50);
      }
      return processes.map(({ messages, unreachable, lines }) => [messages, unreachable, lines]);
    };
    expect(await history(1)).toEqual(await history(1));
    expect(await history(1)).not.toEqual(await history(2));
  });
});
