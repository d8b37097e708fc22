// The handshake, against real transports and against puppets that say exactly what the test wants.

import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import { REFUSED_RETRY_MS, SILENCE_TIMEOUT_MS } from "../base/limits.ts";
import { Puppet, puppetFacts } from "../sim/transport-props.ts";
import { TransportWorld, addressOf, hostOf, type Process } from "../sim/transport-world.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { decodeHello, encodeHello, encodeWelcome, type Hello, type VersionRange } from "./hello.ts";
import type { NodeFacts, Purpose, RefusalCode } from "./transport.ts";

/** A puppet that has connected to node 1 as machine `host-2`. */
async function puppetAt(world: TransportWorld): Promise<Puppet> {
  let puppet: Puppet | null = null;
  const network = world.network.node(hostOf(2));
  void network.connect(addressOf(1), 1000).then((connection) => (puppet = new Puppet(connection)));
  await world.clock.runUntil(() => puppet !== null, 1000);
  return puppet!;
}

function helloFrom2(changes: Partial<Hello> = {}): Uint8Array {
  const hello: Hello = {
    protocol: { min: 1, max: 1 },
    purpose: "messages",
    to: nodeId(1),
    facts: puppetFacts(2),
    ...changes,
  };
  return encodeFrame("hello", encodeHello(hello));
}

const MESSAGE = encodeFrame("message", Uint8Array.of(65));

describe("a handshake between two nodes", () => {
  it("shows both sides the other's facts before anything passes", async () => {
    const world = new TransportWorld(1);
    const [one, two] = await world.start(2);
    await world.clock.runUntil(() => one!.connected.length > 0 && two!.connected.length > 0, 5000);
    expect(one!.connected).toEqual([{ peer: 2, facts: two!.facts }]);
    expect(two!.connected).toEqual([{ peer: 1, facts: one!.facts }]);
    for (const [here, there] of [
      [one!, two!],
      [two!, one!],
    ]) {
      const { facts } = there!;
      expect(here!.introductions).toContainEqual({ facts, purpose: "messages", side: "dialled" });
      expect(here!.introductions).toContainEqual({ facts, purpose: "messages", side: "accepted" });
    }
    expect(one!.peer(2).http).toBe(two!.facts.http);
  });

  it("uses the facts of the moment, not those of the start", async () => {
    const world = new TransportWorld(1);
    const one = await world.boot(1);
    one.facts = { ...one.facts, founded: false, http: "elsewhere:1" };
    const two = await world.boot(2);
    await world.clock.runUntil(() => two.connected.length > 0, 5000);
    expect(two.connected[0]?.facts).toEqual(one.facts);
  });
});

interface Misfit {
  readonly title: string;
  readonly code: RefusalCode;
  /** What is different about node 2, which wants to work with node 1. */
  readonly facts?: Partial<NodeFacts>;
  readonly protocol?: VersionRange;
  readonly peersOfOne?: readonly number[];
  /** Whether node 1 dials node 2 as well, and so meets the same misfit from the other side. */
  readonly isDialled: boolean;
}

const MISFITS: readonly Misfit[] = [
  {
    title: "of another cluster",
    code: "wrong-cluster",
    facts: { clusterId: "cluster-b" },
    isDialled: true,
  },
  { title: "that is on no list", code: "unknown-peer", peersOfOne: [1, 3], isDialled: false },
  { title: "of a later version", code: "version", protocol: { min: 2, max: 3 }, isDialled: true },
  {
    title: "of an earlier version",
    code: "version",
    protocol: { min: 0, max: 0 },
    isDialled: true,
  },
];

describe("a node that does not fit", () => {
  it.each(MISFITS)("$title is refused as $code, and both sides are told once", async (misfit) => {
    const world = new TransportWorld(2);
    const one = await world.boot(1, { peers: misfit.peersOfOne ?? [1, 2, 3] });
    const two = await world.boot(2, {
      peers: [1],
      ...(misfit.facts === undefined ? {} : { facts: misfit.facts }),
      ...(misfit.protocol === undefined ? {} : { protocol: misfit.protocol }),
    });
    await world.clock.advance(6 * REFUSED_RETRY_MS);
    for (let i = 0; i < 5; i += 1) {
      one.say(2, "hello");
      two.say(1, "hello");
      await world.clock.advance(100);
    }
    expect([one.messages, two.messages]).toEqual([[], []]);
    expect([one.connected, two.connected]).toEqual([[], []]);

    // Who is dialled refuses, who dials is told; each once, however often it was tried.
    const { code } = misfit;
    const judged = { peer: 2, code, by: "us" };
    const told = { peer: 2, code, by: "them" };
    const inOrder = [...one.refusals].sort((a, b) => b.by.localeCompare(a.by));
    expect(inOrder).toMatchObject(misfit.isDialled ? [judged, told] : [judged]);
    expect(two.refusals).toHaveLength(one.refusals.length);
    expect(two.peer(1).refusal).toMatchObject({ code, by: "them" });
    expect(two.refusals).toContainEqual({ peer: 1, ...two.peer(1).refusal });
    for (const process of [one, two]) {
      const warnings = process.lines.filter((line) => line.text === "connection refused");
      expect(warnings).toHaveLength(process.refusals.length);
    }
  });

  it.each(["data-replaced", "data-rolled-back", "same-id-twice"] as const)(
    "by the owner's judgement (%s) is refused on either side, and the other hears the reason",
    async (code) => {
      for (const side of ["accepted", "dialled"] as const) {
        const world = new TransportWorld(3);
        const one = await world.boot(1, { peers: [1, 2] });
        one.admit = (introduction) =>
          Promise.resolve(
            introduction.side === side ? { ok: false, code, message: "because" } : { ok: true },
          );
        const two = await world.boot(2, { peers: [1, 2] });
        await world.clock.advance(4 * REFUSED_RETRY_MS);
        expect(one.refusals).toEqual([{ peer: 2, code, message: "because", by: "us" }]);
        expect(two.refusals).toEqual([{ peer: 1, code, message: "because", by: "them" }]);
        one.say(2, "from one");
        two.say(1, "from two");
        await world.clock.advance(100);
        // The connections that were dialled the other way round are not concerned.
        expect(one.heard(2)).toEqual(side === "accepted" ? [] : ["from two"]);
        expect(two.heard(1)).toEqual(side === "accepted" ? ["from one"] : []);
      }
    },
  );

  it("is asked again slowly, let in once the reason is gone, then refused as news", async () => {
    const world = new TransportWorld(4);
    const one = await world.boot(1, { peers: [1, 2] });
    const two = await world.boot(2, { peers: [1] });
    let isWelcome = false;
    one.admit = (introduction) =>
      Promise.resolve(
        introduction.side === "dialled" || isWelcome
          ? { ok: true }
          : { ok: false, code: "data-replaced", message: "not yet" },
      );
    await world.clock.advance(60_000);
    const attempts = one.introductions.filter(({ side }) => side === "accepted").length;
    expect(attempts).toBeGreaterThan(60_000 / REFUSED_RETRY_MS - 2);
    expect(attempts).toBeLessThan(60_000 / (REFUSED_RETRY_MS / 2) + 4);
    expect(two.refusals).toHaveLength(1);
    isWelcome = true;
    await world.clock.advance(2 * REFUSED_RETRY_MS);
    expect(two.peer(1)).toMatchObject({ connected: true, refusal: null });
    isWelcome = false;
    world.network.reset(hostOf(1), hostOf(2));
    await world.clock.advance(2 * REFUSED_RETRY_MS);
    expect(two.refusals).toHaveLength(2);
    expect(two.peer(1).connected).toBe(false);
  });

  it("is not let in by an owner that cannot decide, but tried again soon", async () => {
    const world = new TransportWorld(5);
    const [one, two] = await world.start(2);
    let failures = 3;
    one!.admit = () => {
      failures -= 1;
      return failures < 0 ? Promise.resolve({ ok: true }) : Promise.reject(new Error("disk busy"));
    };
    await world.clock.advance(10_000);
    expect(one!.peer(2).connected && two!.peer(1).connected).toBe(true);
    expect([...one!.refusals, ...two!.refusals]).toEqual([]);
  });

  it("because the address leads to another node is told so, and works elsewhere", async () => {
    const world = new TransportWorld(2);
    const one = await world.boot(1, { peers: [1, 2, 3] });
    // Node 3 was started where node 2 should be.
    const three = await world.boot(2, { peers: [1], facts: { nodeId: nodeId(3) } });
    await world.clock.advance(3 * REFUSED_RETRY_MS);
    const refusal = { code: "wrong-node", message: expect.stringContaining("this is node 3") };
    expect(one.refusals).toEqual([{ peer: 2, by: "them", ...refusal }]);
    expect(three.refusals).toEqual([{ peer: 1, by: "us", ...refusal }]);
    expect(one.peer(2)).toMatchObject({ connected: false, refusal: { code: "wrong-node" } });
    expect(three.peer(1).connected).toBe(true);
  });

  it("because it has the listener's own id is refused, whoever it says it is", async () => {
    const world = new TransportWorld(2);
    const one = await world.boot(1, { peers: [1, 2] });
    const puppet = await puppetAt(world);
    puppet.connection.write(helloFrom2({ facts: puppetFacts(1) }));
    await world.clock.advance(100);
    expect(puppet.kinds).toEqual(["refuse"]);
    expect(one.refusals).toMatchObject([{ peer: 1, code: "same-id-twice", by: "us" }]);
  });
});

describe("a listener", () => {
  async function listenerAlone(seed = 6): Promise<[TransportWorld, Process]> {
    const world = new TransportWorld(seed);
    const one = await world.boot(1, { peers: [1, 2] });
    // It dials a machine on which nothing listens; what it accepts is what is looked at.
    return [world, one];
  }

  it("hands up nothing that came with the HELLO, before the WELCOME", async () => {
    const [world, one] = await listenerAlone();
    const puppet = await puppetAt(world);
    puppet.connection.write(Uint8Array.from([...helloFrom2(), ...MESSAGE]));
    await world.clock.advance(100);
    expect(one.messages).toEqual([]);
    expect(puppet.closed).toBe(true);
    expect(puppet.kinds).toEqual([]);
  });

  it("hands up nothing while the owner is still thinking it over", async () => {
    const [world, one] = await listenerAlone();
    let decide = (): void => undefined;
    one.admit = () => new Promise((resolve) => (decide = () => resolve({ ok: true })));
    const puppet = await puppetAt(world);
    puppet.connection.write(helloFrom2());
    await world.clock.advance(100);
    expect(puppet.kinds).toEqual([]);
    puppet.connection.write(MESSAGE);
    await world.clock.advance(100);
    decide();
    await world.clock.advance(100);
    expect(one.messages).toEqual([]);
    expect(puppet.closed).toBe(true);
  });

  it("takes messages after the WELCOME", async () => {
    const [world, one] = await listenerAlone();
    const puppet = await puppetAt(world);
    puppet.connection.write(helloFrom2());
    await world.clock.advance(100);
    expect(puppet.kinds).toEqual(["welcome"]);
    puppet.connection.write(MESSAGE);
    await world.clock.advance(100);
    expect(one.heard(2)).toEqual(["A"]);
  });

  it("hears the dialler's refusal of its welcome, and reports it", async () => {
    for (const purpose of ["messages", "snapshot", "events"] satisfies Purpose[]) {
      const [world, one] = await listenerAlone();
      const puppet = await puppetAt(world);
      puppet.connection.write(helloFrom2({ purpose }));
      await world.clock.advance(100);
      const words = { magic: "raft3d", code: "data-rolled-back", message: "old" };
      const refuse = new TextEncoder().encode(JSON.stringify(words));
      puppet.connection.write(encodeFrame("refuse", refuse));
      await world.clock.advance(3000);
      expect(one.refusals).toEqual([
        { peer: 2, code: "data-rolled-back", message: "old", by: "them" },
      ]);
      expect(puppet.closed, purpose).toBe(true);
    }
  });

  it.each([
    ["a frame of another kind", encodeFrame("ping", new Uint8Array(4))],
    ["a frame longer than a stranger may send", encodeFrame("message", new Uint8Array(20_000))],
    ["a web browser's request", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["no JSON", encodeFrame("hello", new TextEncoder().encode("hello"))],
  ])("hangs up on a stranger that sends %s, and says so once", async (_, bytes) => {
    const [world, one] = await listenerAlone();
    for (let i = 0; i < 3; i += 1) {
      const puppet = await puppetAt(world);
      puppet.connection.write(bytes);
      await world.clock.advance(3000);
      expect(puppet.closed).toBe(true);
    }
    expect(one.told).toBe(0);
    const lines = one.lines.filter((line) => line.text === "connection by a stranger");
    expect(lines).toHaveLength(1);
  });

  it("hangs up on a stranger that says nothing", async () => {
    const [world] = await listenerAlone();
    const puppet = await puppetAt(world);
    await world.clock.advance(1900);
    expect(puppet.closed).toBe(false);
    await world.clock.advance(200);
    expect(puppet.closed).toBe(true);
  });

  it("keeps room for peers when strangers connect without end", async () => {
    const [world] = await listenerAlone();
    const puppets: Puppet[] = [];
    for (let i = 0; i < 200; i += 1) puppets.push(await puppetAt(world));
    await world.clock.advance(100);
    const open = puppets.filter((puppet) => !puppet.closed).length;
    expect(open).toBeLessThanOrEqual(128);
    await world.clock.advance(5000);
    const late = await puppetAt(world);
    late.connection.write(helloFrom2());
    await world.clock.advance(100);
    expect(late.kinds).toEqual(["welcome"]);
  });

  it("keeps nothing of a HELLO that stops at any byte: ended, reset or stuck", async () => {
    const [world, one] = await listenerAlone();
    const hello = helloFrom2();
    const idle = async (): Promise<number> => {
      await world.clock.advance(2 * SILENCE_TIMEOUT_MS);
      return world.network.openConnections;
    };
    for (let length = 0; length < hello.length; length += 1) {
      const ended = await puppetAt(world);
      ended.connection.write(hello.slice(0, length));
      ended.connection.end();
      const destroyed = await puppetAt(world);
      destroyed.connection.write(hello.slice(0, length));
      destroyed.connection.destroy();
      const stuck = await puppetAt(world);
      stuck.connection.write(hello.slice(0, length));
    }
    expect(await idle()).toBe(0);
    expect(one.told).toBe(0);
    expect(one.clock.pending).toBe(1); // The wait before it dials node 2 again.
  });
});

describe("a dialler", () => {
  /** Answers every connection to node 2's address with these bytes, and then ends it as told. */
  async function diallerAgainst(
    answer: (hello: Hello) => Uint8Array,
    ending: "end" | "destroy" | "stay",
    seed = 7,
  ): Promise<[TransportWorld, Process, Puppet[]]> {
    const world = new TransportWorld(seed);
    const puppets: Puppet[] = [];
    await world.network.node(hostOf(2)).listen(addressOf(2), (connection) => {
      const reply = (frame: Frame): void => {
        const hello = frame.kind === "hello" ? decodeHello(frame.payload) : null;
        if (hello?.ok !== true) return;
        connection.write(answer(hello.value));
        if (ending === "end") connection.end();
        if (ending === "destroy") connection.destroy();
      };
      puppets.push(new Puppet(connection, reply));
    });
    const one = await world.boot(1, { peers: [1, 2] });
    return [world, one, puppets];
  }

  const WELCOME = encodeFrame("welcome", encodeWelcome({ protocol: 1, facts: puppetFacts(2) }));

  it("is satisfied with a WELCOME and a good answer of its owner", async () => {
    const [world, one] = await diallerAgainst(() => WELCOME, "stay");
    await world.clock.advance(500);
    expect(one.connected).toHaveLength(1);
  });

  it("refuses a WELCOME of another cluster, another node or another version", async () => {
    const welcome = (protocol: number, facts: Partial<NodeFacts>): Uint8Array =>
      encodeFrame("welcome", encodeWelcome({ protocol, facts: { ...puppetFacts(2), ...facts } }));
    for (const [code, bytes] of [
      ["wrong-cluster", welcome(1, { clusterId: "cluster-b" })],
      ["wrong-node", welcome(1, { nodeId: nodeId(3) })],
      ["version", welcome(2, {})],
    ] as const) {
      const [world, one, puppets] = await diallerAgainst(() => bytes, "stay");
      await world.clock.advance(1000);
      expect(one.connected).toEqual([]);
      expect(one.refusals.map((refusal) => [refusal.code, refusal.by])).toEqual([[code, "us"]]);
      expect(puppets[0]?.kinds).toContain("refuse");
    }
  });

  it("does not believe a listener that talks before it is asked", async () => {
    const both = Uint8Array.from([...WELCOME, ...encodeFrame("pong", new Uint8Array(4))]);
    const [world, one] = await diallerAgainst(() => both, "stay");
    await world.clock.advance(3000);
    expect(one.connected).toEqual([]);
    expect(one.lines.some((line) => line["reason"] === "frames before they were asked for")).toBe(
      true,
    );
  });

  it.each(["end", "destroy", "stay"] as const)(
    "survives a WELCOME that stops at any byte (%s), and dials again",
    async (ending) => {
      for (let length = 0; length < WELCOME.length; length += 3) {
        const answer = (): Uint8Array => WELCOME.slice(0, length);
        const [world, one, puppets] = await diallerAgainst(answer, ending, length);
        await world.clock.advance(5000);
        expect(one.connected).toEqual([]);
        expect(one.refusals).toEqual([]);
        expect(puppets.length).toBeGreaterThan(1);
        await one.transport.stop();
        await world.clock.advance(1000);
        expect(world.network.openConnections).toBe(0);
        expect(one.clock.pending).toBe(0);
      }
    },
  );
});
