// What a peer sends, changed in every way and cut in any pieces, at a node that listens and at one that
// dials. The node never hands out what was not sent whole, never throws, and still works with a peer that
// behaves afterwards.

import { describe, expect, it } from "vitest";
import { logIndex, nodeId, term } from "../base/brand.ts";
import { ByteReader, encodeUtf8 } from "../base/bytes.ts";
import { crc32 } from "../base/hash.ts";
import type { Connection } from "../env/network.ts";
import { Fuzz } from "../sim/fuzz.ts";
import { inPieces, mutated, mutatedJson } from "../sim/mutation.ts";
import type { SimRandom } from "../sim/sim-random.ts";
import { TestSink, puppetFacts } from "../sim/transport-props.ts";
import { TransportWorld, addressOf, hostOf } from "../sim/transport-world.ts";
import { FRAME_HEADER_BYTES, encodeFrame } from "./frame.ts";
import { encodeHello, encodeWelcome } from "./hello.ts";
import { encodeEventsRange, encodePing, encodeSnapshotBegin } from "./payload.ts";
import type { Purpose } from "./transport.ts";

const MESSAGES = ["first", "second", "third"];

function hello(purpose: Purpose): Uint8Array {
  return encodeHello({
    protocol: { min: 1, max: 1 },
    purpose,
    to: nodeId(1),
    facts: puppetFacts(2),
  });
}

const BEGIN = encodeSnapshotBegin({
  index: logIndex(9),
  term: term(2),
  bytes: 4,
  sha256: "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589", // of "abcd"
  message: encodeUtf8("MsgSnap"),
});

/** What a peer sends on a connection for each purpose. */
const DIALOGUES: readonly (readonly Uint8Array[])[] = [
  [
    encodeFrame("hello", hello("messages")),
    ...MESSAGES.map((text) => encodeFrame("message", encodeUtf8(text))),
    encodeFrame("ping", encodePing(1)),
  ],
  [
    encodeFrame("hello", hello("snapshot")),
    encodeFrame("snapshot-begin", BEGIN),
    encodeFrame("snapshot-chunk", new Uint8Array(8), encodeUtf8("abcd")),
    encodeFrame("snapshot-end"),
  ],
  [
    encodeFrame("hello", hello("events")),
    encodeFrame("events-request", encodeEventsRange({ after: 1, through: 9 })),
    encodeFrame("events-more"),
  ],
];
const FRAMES = DIALOGUES.flat();

/** A frame with other content under a checksum that holds: as only a peer with a bug sends it. */
function sealed(frame: Uint8Array, random: SimRandom): Uint8Array {
  const payload = frame.slice(FRAME_HEADER_BYTES);
  const isJson = payload[0] === 0x7b;
  const changed =
    isJson && random.chance(0.7)
      ? mutatedJson([Buffer.from(payload).toString()], random)
      : mutated([payload, ...FRAMES.map((one) => one.slice(FRAME_HEADER_BYTES))], random);
  const made = new Uint8Array(FRAME_HEADER_BYTES + changed.length);
  made.set(frame.subarray(0, FRAME_HEADER_BYTES));
  made.set(changed, FRAME_HEADER_BYTES);
  const view = new DataView(made.buffer);
  view.setUint32(0, changed.length, true);
  view.setUint32(8, crc32(changed, crc32(made.subarray(0, 8))), true);
  return made;
}

/** What comes first, and what comes once that was answered. */
function stream(random: SimRandom): readonly Uint8Array[] {
  const frames = [...random.pick(DIALOGUES)];
  for (let n = random.between(1, 2); n > 0 && frames.length > 1; n--) {
    // Mostly behind the hello: without a good one nothing else is looked at.
    const at = random.chance(0.8) ? random.between(1, frames.length - 1) : 0;
    const frame = frames[at] ?? FRAMES[0]!;
    switch (random.below(5)) {
      case 0:
        frames.splice(at, 1);
        break;
      case 1:
        frames.splice(at, 0, random.pick(FRAMES));
        break;
      default:
        frames[at] = sealed(frame, random);
    }
  }
  const [first = FRAMES[0]!, ...others] = frames;
  const rest = Uint8Array.from(Buffer.concat(others));
  return [first, random.chance(0.3) && rest.length > 0 ? mutated([rest], random) : rest];
}

async function connection(world: TransportWorld): Promise<Connection> {
  let made: Connection | null = null;
  void world.network
    .node(hostOf(2))
    .connect(addressOf(1), 1000)
    .then((one) => {
      made = one;
      one.onData(() => undefined);
      one.onClose(() => undefined);
      one.onDrain(() => undefined);
    });
  await world.clock.runUntil(() => made !== null, 1000);
  return made!;
}

describe("a stream from a peer, changed in any way", () => {
  it("gives a listening node nothing but whole messages, and leaves it working", async () => {
    const fuzz = new Fuzz("peer streams", { runs: 250 });
    const told = { admitted: 0, messages: 0, snapshots: 0 };
    expect(checksumHolds(FRAMES[0]!)).toBe(true);
    await fuzz.run(
      (random) => {
        const parts = stream(random);
        const pieces = parts.map((part) => inPieces(part, random));
        return { seed: random.u32(), pieces, show: { parts } };
      },
      async ({ pieces, seed }) => {
        const world = new TransportWorld(seed);
        const one = await world.boot(1, { peers: [1, 2] });
        one.receiveSnapshot = (_from, offer) => Promise.resolve(new TestSink(offer));
        one.serveEvents = () => null;
        const wire = await connection(world);
        for (const part of pieces) {
          for (const piece of part) {
            wire.write(piece);
            await world.clock.advance(1);
          }
          await world.clock.advance(200);
        }
        wire.destroy();
        told.admitted += one.introductions.length > 0 ? 1 : 0;
        told.messages += one.messages.length;
        told.snapshots += one.received.length;
        for (const { index, text } of one.received) {
          expect({ index, text: typeof text }).toEqual({ index, text: "string" });
        }
        expect(one.lines.filter(({ level }) => level === "error")).toEqual([]);
        // A node that behaves is let in, and heard.
        const before = one.messages.length;
        const two = await world.boot(2, { peers: [1, 2] });
        await world.clock.runUntil(() => two.connected.length > 0, 20_000);
        two.say(1, "good");
        await world.clock.advance(500);
        expect(one.messages.slice(before).map(({ text }) => text)).toContain("good");
      },
    );
    fuzz.note(JSON.stringify(told));
    expect(told.admitted).toBeGreaterThan(50);
    expect(told.messages).toBeGreaterThan(50);
    expect(told.snapshots).toBeGreaterThan(0);
  });

  it("answers a dialling node with anything, and it dials on until a peer answers well", async () => {
    const fuzz = new Fuzz("answers to a dialler", { runs: 100 });
    const welcome = encodeFrame("welcome", encodeWelcome({ protocol: 1, facts: puppetFacts(2) }));
    const corpus = [welcome, Uint8Array.from(Buffer.concat([welcome, ...FRAMES.slice(1, 4)]))];
    await fuzz.run(
      (random) => {
        const bytes = random.chance(0.6) ? sealed(welcome, random) : mutated(corpus, random);
        return { bytes, seed: random.u32(), pieces: inPieces(bytes, random), show: { bytes } };
      },
      async ({ pieces, seed }) => {
        const world = new TransportWorld(seed);
        const listener = await world.network.node(hostOf(2)).listen(addressOf(2), (wire) => {
          wire.onData(() => undefined);
          wire.onClose(() => undefined);
          wire.onDrain(() => undefined);
          for (const piece of pieces) wire.write(piece);
        });
        const one = await world.boot(1, { peers: [1, 2] });
        await world.clock.advance(2000);
        expect(one.lines.filter(({ level }) => level === "error")).toEqual([]);
        await listener.close();
        world.network.crash(hostOf(2));
        const two = await world.boot(2, { peers: [1, 2] });
        await world.clock.runUntil(
          () => one.connected.some(({ facts }) => facts.run === two.facts.run),
          60_000,
        );
        one.say(2, "good");
        await world.clock.advance(500);
        expect(two.heard(1)).toContain("good");
      },
    );
  });
});

function checksumHolds(frame: Uint8Array): boolean {
  const crc = new ByteReader(frame, 8).u32();
  return crc === crc32(frame.subarray(FRAME_HEADER_BYTES), crc32(frame.subarray(0, 8)));
}
