import { beforeEach, describe, expect, it } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { NetworkError, type Connection, type Network } from "../env/network.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";
import { StreamNetwork } from "./stream-network.ts";
import type { StreamFaults } from "./stream-wire.ts";

/** What a program has seen of one connection. */
class Seen {
  readonly connection: Connection;
  readonly chunks: string[] = [];
  closed: { readonly reason: string | null } | null = null;
  closes = 0;
  drains = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.onData((bytes) => this.chunks.push(decodeUtf8(bytes)));
    connection.onClose((reason) => {
      this.closed = { reason };
      this.closes += 1;
    });
    connection.onDrain(() => (this.drains += 1));
  }

  get text(): string {
    return this.chunks.join("");
  }

  write(text: string): void {
    this.connection.write(encodeUtf8(text));
  }
}

class World {
  readonly clock = new SimClock();
  readonly network: StreamNetwork;
  readonly a: Network;
  readonly b: Network;
  readonly accepted: Seen[] = [];

  constructor(seed: number, faults: Partial<StreamFaults> = {}) {
    this.network = new StreamNetwork({
      schedule: (delayMs, run) => {
        const timer = this.clock.after(delayMs, run);
        return () => timer.cancel();
      },
      random: new SimRandom(seed),
      faults,
    });
    this.a = this.network.node("a");
    this.b = this.network.node("b");
  }

  listen(): Promise<unknown> {
    return this.b.listen("b:1", (connection) => this.accepted.push(new Seen(connection)));
  }

  /** A connection from a to b, seen from both ends. */
  async connected(): Promise<[Seen, Seen]> {
    let client: Seen | null = null;
    void this.a.connect("b:1", 1000).then((connection) => (client = new Seen(connection)));
    const before = this.accepted.length;
    await this.clock.runUntil(() => client !== null && this.accepted.length > before, 1000);
    return [client!, this.accepted.at(-1)!];
  }

  /** How an attempt to connect ends. */
  async outcome(timeoutMs = 1000): Promise<string> {
    let outcome = "nothing";
    this.a.connect("b:1", timeoutMs).then(
      () => (outcome = "connected"),
      (error: unknown) => (outcome = error instanceof NetworkError ? error.code : String(error)),
    );
    await this.clock.advance(2 * timeoutMs);
    return outcome;
  }
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz".repeat(400);

describe("the simulated stream network", () => {
  let world: World;
  beforeEach(async () => {
    world = new World(1);
    await world.listen();
  });

  it("carries every byte both ways, in order, in pieces of its own choosing", async () => {
    const [client, server] = await world.connected();
    for (let at = 0; at < LETTERS.length; at += 1000) client.write(LETTERS.slice(at, at + 1000));
    server.write("and back");
    await world.clock.advance(1000);
    expect(server.text).toBe(LETTERS);
    expect(client.text).toBe("and back");
    // Writes were cut apart and run together, or a decoder would never be tested by this.
    expect(server.chunks.some((chunk) => chunk.length % 1000 !== 0)).toBe(true);
    expect(client.closed).toBeNull();
  });

  it("gives the same history for the same seed, and another one for another", async () => {
    const history = async (seed: number): Promise<unknown> => {
      const own = new World(seed, { resetChance: 0.01 });
      await own.listen();
      const [client, server] = await own.connected();
      for (let i = 0; i < 50; i += 1) client.write(LETTERS.slice(0, 997));
      await own.clock.advance(1000);
      return [server.chunks, server.closed, own.clock.pending];
    };
    expect(await history(5)).toEqual(await history(5));
    expect(await history(5)).not.toEqual(await history(6));
  });

  it("refuses to connect where nobody listens, and a second listener at one address", async () => {
    await expect(world.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
    const quiet = new World(1);
    expect(await quiet.outcome()).toBe("ECONNREFUSED");
  });

  it("listens no more once the listener is closed, and frees the address", async () => {
    const own = new World(1);
    const listener = await own.b.listen("b:1", () => expect.unreachable("closed"));
    await listener.close();
    expect(await own.outcome()).toBe("ECONNREFUSED");
    await own.b.listen("b:1", () => undefined);
    expect(await own.outcome()).toBe("connected");
  });

  it("gives out ports where none is asked for", async () => {
    const first = await world.b.listen("b:0", () => undefined);
    const second = await world.b.listen("b:0", () => undefined);
    expect(first.address).toMatch(/^b:\d+$/);
    expect(second.address).not.toBe(first.address);
  });

  it.each([
    ["there", "a", "b"],
    ["back", "b", "a"],
  ])("lets an attempt to connect time out when the way %s is cut", async (_, from, to) => {
    world.network.cut(from, to);
    expect(await world.outcome()).toBe("ETIMEDOUT");
    world.network.heal(from, to);
    expect(await world.outcome()).toBe("connected");
    // The listener never hears of an attempt whose dialler did not hear of it.
    expect(world.accepted).toHaveLength(1);
  });

  it("tells the other side of an orderly end, after all that was written before it", async () => {
    const [client, server] = await world.connected();
    client.write(LETTERS);
    client.connection.end();
    client.write("too late");
    await world.clock.advance(1000);
    expect(server.text).toBe(LETTERS);
    expect(server.closed).toEqual({ reason: null });
    expect(client.closed).toEqual({ reason: null });
    expect(world.network.openConnections).toBe(0);
  });

  it("tells both ends once when one destroys the connection, and delivers it no more", async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const own = new World(seed);
      await own.listen();
      const [client, server] = await own.connected();
      server.write(LETTERS);
      client.write(LETTERS);
      client.connection.destroy();
      await own.clock.advance(1000);
      expect(client.text).toBe("");
      expect(LETTERS.startsWith(server.text)).toBe(true);
      expect([client.closes, server.closes]).toEqual([1, 1]);
      expect(own.network.openConnections).toBe(0);
    }
  });

  it("holds up a sender that nobody reads from, and says when its queue is empty", async () => {
    const own = new World(1, { windowBytes: 1000 });
    await own.listen();
    const [client, server] = await own.connected();
    server.connection.pause();
    client.write(LETTERS);
    await own.clock.advance(1000);
    expect(server.text).toBe("");
    expect(client.connection.queuedBytes).toBe(LETTERS.length - 1000);
    expect(client.drains).toBe(0);
    server.connection.resume();
    await own.clock.advance(1000);
    expect(server.text).toBe(LETTERS);
    expect(client.connection.queuedBytes).toBe(0);
    expect(client.drains).toBe(1);
  });

  it("holds up what is sent into a cut, and delivers it after healing", async () => {
    world.network.faults.healResetChance = 0;
    const [client, server] = await world.connected();
    world.network.cut("a", "b");
    client.write("hello");
    server.write("the other way");
    await world.clock.advance(60_000);
    expect(server.text).toBe("");
    expect(client.text).toBe("the other way");
    world.network.heal("a", "b");
    await world.clock.advance(60_000);
    expect(server.text).toBe("hello");
  });

  it("delivers where a one-way cut lets it, but the sender learns nothing of it", async () => {
    const own = new World(1, { windowBytes: 1000, healResetChance: 0 });
    await own.listen();
    const [client, server] = await own.connected();
    own.network.cut("b", "a");
    client.write(LETTERS);
    await own.clock.advance(60_000);
    expect(server.text).toHaveLength(1000);
    expect(client.connection.queuedBytes).toBe(LETTERS.length - 1000);
    own.network.healAll();
    await own.clock.advance(60_000);
    expect(server.text).toBe(LETTERS);
  });

  it("resets a connection that a cut held up, if chance says so", async () => {
    world.network.faults.healResetChance = 1;
    const [client, server] = await world.connected();
    const [other] = await world.connected();
    world.network.part("a", "b");
    client.write("hello");
    await world.clock.advance(1000);
    expect(client.closed).toBeNull();
    world.network.healAll();
    await world.clock.advance(1000);
    expect([client.closed, server.closed]).toEqual([
      { reason: "ECONNRESET" },
      { reason: "ECONNRESET" },
    ]);
    expect(other.closed).toBeNull(); // Nothing of it was under way.
  });

  it("resets connections at random, in the middle of anything", async () => {
    world.network.faults.resetChance = 0.05;
    const [client, server] = await world.connected();
    for (let i = 0; i < 100 && client.closed === null; i += 1) {
      client.write(LETTERS.slice(0, 100));
      await world.clock.advance(10);
    }
    expect([client.closed, server.closed]).toEqual([
      { reason: "ECONNRESET" },
      { reason: "ECONNRESET" },
    ]);
    expect(server.text.length).toBeGreaterThan(0);
    expect(server.text.length).toBeLessThan(100 * 100);
  });

  it("lets the others see a process crash, and nothing of the dead one's goes on", async () => {
    const [client, server] = await world.connected();
    client.write("last words");
    world.network.crash("b", false);
    await world.clock.advance(1000);
    expect(client.closed).not.toBeNull();
    expect([server.text, server.closed]).toEqual(["", null]);
    expect(await world.outcome()).toBe("ECONNREFUSED");
    // What the dead process still tries in a microtask comes to nothing.
    void world.b.connect("b:1", 10).then(() => expect.unreachable("dead"));
    await world.clock.advance(1000);
  });

  it("lets nobody see anything of a power cut until the machine is back and asked", async () => {
    const [client] = await world.connected();
    world.network.crash("b", true);
    client.write("anybody?");
    await world.clock.advance(60_000);
    expect(client.closed).toBeNull();
    expect(await world.outcome()).toBe("ETIMEDOUT");
    await world.network.node("b").listen("b:1", () => undefined);
    expect(await world.outcome()).toBe("connected");
    expect(client.closed).toBeNull();
    client.write("anybody?");
    await world.clock.advance(1000);
    expect(client.closed).toEqual({ reason: "ECONNRESET" });
  });

  it("isolates a machine from all others and leaves those alone", async () => {
    const c = world.network.node("c");
    await c.listen("c:1", () => undefined);
    world.network.isolate("b");
    expect(await world.outcome()).toBe("ETIMEDOUT");
    let reached = false;
    void world.a.connect("c:1", 1000).then(() => (reached = true));
    await world.clock.advance(1000);
    expect(reached).toBe(true);
  });

  it("takes for a stalled machine what comes, and hands it over when that wakes up", async () => {
    const [client, server] = await world.connected();
    const [ended, otherEnd] = await world.connected();
    world.network.stall("b");
    client.write("hello");
    ended.connection.destroy();
    let isConnected = false;
    void world.a.connect("b:1", 1000).then(() => (isConnected = true));
    await world.clock.advance(60_000);
    expect([server.text, otherEnd.closed]).toEqual(["", null]);
    expect(isConnected).toBe(true); // The kernel answers for its process.
    expect(world.accepted).toHaveLength(2);
    world.network.wake("b");
    await world.clock.advance(10);
    expect(server.text).toBe("hello");
    expect(otherEnd.closed).not.toBeNull();
    expect(world.accepted).toHaveLength(3);
  });
});
