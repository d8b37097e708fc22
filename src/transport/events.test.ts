// Events asked of a peer: all the blocks that it serves, or an error that says why not.

import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { EVENT_BLOCKS_WINDOW, FRAME_BYTES_MAX, TRANSFER_STALL_MS } from "../base/limits.ts";
import { sleep } from "../env/clock.ts";
import { Puppet, puppetFacts } from "../sim/transport-props.ts";
import { TransportWorld, addressOf, hostOf, type Process } from "../sim/transport-world.ts";
import type { StreamFaults } from "../sim/stream-wire.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { encodeHello, encodeWelcome } from "./hello.ts";
import { encodeEventsRange } from "./payload.ts";
import { TransportError } from "./transport.ts";

/** Serves some blocks and notes how far it came, and whether it was left before the end. */
class History {
  readonly asked: (readonly [number, number, number])[] = [];
  made = 0;
  ended = false;

  serve(blocks: readonly string[], fail: Error | null = null) {
    return (from: number, after: number, through: number): AsyncIterable<Uint8Array> => {
      this.asked.push([from, after, through]);
      return this.#blocks(blocks, fail);
    };
  }

  async *#blocks(blocks: readonly string[], fail: Error | null): AsyncGenerator<Uint8Array> {
    try {
      for (const block of blocks) {
        this.made += 1;
        yield encodeUtf8(block);
      }
      if (fail !== null) throw fail;
    } finally {
      this.ended = true;
    }
  }
}

/** Asks, and notes what came and how it ended. */
class Asking {
  readonly blocks: string[] = [];
  outcome: string | null = null;

  constructor(process: Process, from: number, takeMs = 0, limit = Infinity) {
    void this.#run(process, from, takeMs, limit);
  }

  async #run(process: Process, from: number, takeMs: number, limit: number): Promise<void> {
    try {
      for await (const block of process.transport.requestEvents(nodeId(from), 10, 20)) {
        this.blocks.push(decodeUtf8(block));
        if (takeMs > 0) await sleep(process.clock, takeMs);
        if (this.blocks.length >= limit) break;
      }
      this.outcome = "complete";
    } catch (error) {
      expect(error).toBeInstanceOf(TransportError);
      this.outcome = error instanceof TransportError ? error.message : "";
    }
  }
}

async function pair(
  seed = 1,
  faults: Partial<StreamFaults> = {},
): Promise<[TransportWorld, Process, Process]> {
  const world = new TransportWorld(seed, faults);
  const [one, two] = await world.start(2);
  await world.clock.advance(1000);
  return [world, one!, two!];
}

const LINES = Array.from({ length: 50 }, (_, i) => `{"index":${i}}\n`.repeat(1 + (i % 7) * 300));

describe("events asked of a peer", () => {
  it("come in the blocks in which they were served, and the request ends with them", async () => {
    const [world, one, two] = await pair();
    const history = new History();
    two.serveEvents = history.serve(LINES);
    const asking = new Asking(one, 2);
    expect(await world.clock.runUntil(() => asking.outcome !== null, 10_000)).toBe(true);
    expect(asking.outcome).toBe("complete");
    expect(asking.blocks).toEqual(LINES);
    expect(history.asked).toEqual([[1, 10, 20]]);
    await world.clock.advance(100);
    expect(world.network.openConnections).toBe(2); // Those for messages.
  });

  it("may be none, or one block as long as a frame", async () => {
    const [world, one, two] = await pair();
    for (const lines of [[], ["x".repeat(FRAME_BYTES_MAX)]]) {
      two.serveEvents = new History().serve(lines);
      const asking = new Asking(one, 2);
      await world.clock.runUntil(() => asking.outcome !== null, 10_000);
      expect(asking.outcome).toBe("complete");
      expect(asking.blocks.map((block) => block.length)).toEqual(lines.map((line) => line.length));
    }
  });

  it("are made only as fast as they are taken", async () => {
    const [world, one, two] = await pair();
    const history = new History();
    two.serveEvents = history.serve(LINES);
    const asking = new Asking(one, 2, 1000);
    for (let i = 0; i < 20; i += 1) {
      await world.clock.advance(500);
      expect(history.made - asking.blocks.length).toBeLessThanOrEqual(EVENT_BLOCKS_WINDOW + 1);
    }
    await world.clock.runUntil(() => asking.outcome !== null, 100_000);
    expect(asking.blocks).toEqual(LINES);
  });

  it("are served no further once the asking node has left the loop", async () => {
    const [world, one, two] = await pair();
    const history = new History();
    two.serveEvents = history.serve(LINES);
    const asking = new Asking(one, 2, 0, 3);
    await world.clock.advance(1000);
    expect(asking.outcome).toBe("complete");
    expect(asking.blocks).toHaveLength(3);
    expect(history.ended).toBe(true);
    expect(history.made).toBeLessThan(10);
    expect(world.network.openConnections).toBe(2);
  });

  it("that the peer does not have are said to be missing", async () => {
    const [world, one] = await pair();
    const asking = new Asking(one, 2);
    await world.clock.advance(1000);
    expect(asking.outcome).toBe("peer 2: not all of these events are here");
  });

  it("that the peer cannot read end in its reason, after those that came before", async () => {
    const [world, one, two] = await pair();
    two.serveEvents = new History().serve(LINES.slice(0, 3), new Error("EIO"));
    const asking = new Asking(one, 2);
    await world.clock.advance(1000);
    expect(asking.outcome).toBe("peer 2: EIO");
    expect(asking.blocks).toEqual(LINES.slice(0, 3));
  });

  it("of a node that is no peer, is down, or refuses, are an error", async () => {
    const [world, one, two] = await pair();
    const stranger = new Asking(one, 9);
    await world.clock.advance(0);
    expect(stranger.outcome).toBe("peer 9: no peer of this node");
    two.admit = () => Promise.resolve({ ok: false, code: "removed", message: "go away" });
    const refused = new Asking(one, 2);
    await world.clock.advance(100);
    expect(refused.outcome).toBe("peer 2: refused: removed");
    await two.transport.stop();
    const down = new Asking(one, 2);
    await world.clock.advance(2000);
    expect(down.outcome).toBe(`peer 2: ${addressOf(2)} refused the connection`);
  });

  it("over a bad network have no gap, and end in an error if they are not complete", async () => {
    let complete = 0;
    let broken = 0;
    for (let seed = 0; seed < 40; seed += 1) {
      const [world, one, two] = await pair(seed);
      two.serveEvents = new History().serve(LINES);
      world.network.faults.resetChance = 0.01;
      const asking = new Asking(one, 2);
      if (seed % 4 === 0) {
        await world.clock.advance(10);
        world.network.part(hostOf(1), hostOf(2));
      }
      const isOver = (): boolean => asking.outcome !== null;
      expect(await world.clock.runUntil(isOver, 2 * TRANSFER_STALL_MS)).toBe(true);
      expect(asking.blocks).toEqual(LINES.slice(0, asking.blocks.length));
      if (asking.outcome === "complete") {
        expect(asking.blocks).toEqual(LINES);
        complete += 1;
      } else {
        broken += 1;
      }
    }
    expect(complete).toBeGreaterThan(3);
    expect(broken).toBeGreaterThan(10);
  });

  it("end in an error when this node is stopped, and leave nothing open at the peer", async () => {
    const [world, one, two] = await pair();
    const history = new History();
    two.serveEvents = history.serve(LINES);
    const asking = new Asking(one, 2);
    await world.clock.runUntil(() => asking.blocks.length > 3, 1000);
    await one.transport.stop();
    await world.clock.advance(1000);
    expect(asking.outcome).toBe("peer 2: ended by this node");
    expect(history.ended).toBe(true);
    const late = new Asking(one, 2);
    await world.clock.advance(0);
    expect(late.outcome).toBe("peer 2: stopped");
    expect(one.clock.pending).toBe(0);
  });

  it("end in an error when the peer is stopped, whose history is let go", async () => {
    const [world, one, two] = await pair();
    const history = new History();
    two.serveEvents = history.serve(LINES);
    const asking = new Asking(one, 2);
    await world.clock.runUntil(() => asking.blocks.length > 3, 1000);
    await two.transport.stop();
    expect(history.ended).toBe(true);
    await world.clock.advance(1000);
    expect(asking.outcome).not.toBe("complete");
    expect(two.clock.pending).toBe(0);
  });
});

describe("a request for events", () => {
  it.each<[string, Uint8Array]>([
    ["a message", encodeFrame("message", Uint8Array.of(1))],
    ["a pong", encodeFrame("pong", new Uint8Array(4))],
    ["what does not decode", new Uint8Array(20)],
  ])("does not believe a peer that answers with %s", async (_, answer) => {
    const world = new TransportWorld(1);
    await world.network.node(hostOf(2)).listen(addressOf(2), (connection) => {
      void new Puppet(connection, ({ kind }: Frame) => {
        const welcome = encodeWelcome({ protocol: 1, facts: puppetFacts(2) });
        if (kind === "hello") connection.write(encodeFrame("welcome", welcome));
        if (kind === "events-request") connection.write(answer);
      });
    });
    const one = await world.boot(1, { peers: [1, 2] });
    const asking = new Asking(one, 2);
    await world.clock.advance(1000);
    expect(asking.outcome).toMatch(/^peer 2: (a \w+ frame among events|it broke the protocol)/);
    expect(asking.blocks).toEqual([]);
  });
});

describe("a node that serves events", () => {
  it.each<[string, readonly Uint8Array[]]>([
    ["asks with another frame", [encodeFrame("message", Uint8Array.of(1))]],
    ["asks for what no index can be", [encodeFrame("events-request", tooFar())]],
    ["takes blocks it was not sent", [request(), ...more(100)]],
    ["says something else in between", [request(), encodeFrame("message", Uint8Array.of(1))]],
    ["takes nothing for long", [request()]],
  ])("does not go on with a peer that %s", async (_, frames) => {
    const world = new TransportWorld(1);
    const one = await world.boot(1, { peers: [1, 2] });
    const history = new History();
    one.serveEvents = history.serve(LINES);
    let puppet: Puppet | null = null;
    const network = world.network.node(hostOf(2));
    void network.connect(addressOf(1), 1000).then((connection) => {
      puppet = new Puppet(connection);
      const who = { to: nodeId(1), facts: puppetFacts(2) };
      const hello = encodeHello({ protocol: { min: 1, max: 1 }, purpose: "events", ...who });
      connection.write(encodeFrame("hello", hello));
    });
    await world.clock.runUntil(() => puppet?.kinds[0] === "welcome", 1000);
    for (const frame of frames) puppet!.connection.write(frame);
    await world.clock.advance(TRANSFER_STALL_MS + 3000);
    expect(puppet!.closed).toBe(true);
    expect(puppet!.kinds.at(-1)).toBe("failed");
    expect(puppet!.kinds).not.toContain("events-end");
    expect(one.messages).toEqual([]);
    expect(history.ended).toBe(history.asked.length > 0);
  });
});

function request(): Uint8Array {
  return encodeFrame("events-request", encodeEventsRange({ after: 10, through: 20 }));
}

function more(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => encodeFrame("events-more"));
}

function tooFar(): Uint8Array {
  return Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]);
}
