// A peer's messages, changed in every way, against a leader and its followers. Whatever comes, the core
// answers and goes on: it never traps, and never hands the host a number that the host cannot hold.
//
// One trap is wanted: a commit index behind the end of the log means that this node has lost its log, and
// a node that has must end. A mutated heartbeat says the same thing; it is let through only there.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeUtf8 } from "../base/bytes.ts";
import { Fuzz } from "../sim/fuzz.ts";
import { mutated } from "../sim/mutation.ts";
import { mutatedFields, numberIn } from "../sim/protobuf-mutation.ts";
import { SimClock } from "../sim/sim-clock.ts";
import type { SimRandom } from "../sim/sim-random.ts";
import { RecordingLogger } from "../sim/storage-world.ts";
import { Core, type Group, type StepResult } from "./core.ts";
import { foundedConfig, votersOnly } from "./testing/group-config.ts";
import { CoreTrap } from "./trap.ts";

const IDS = [1, 2, 3];
const CUT_OFF = 3;
const MEMBERS = votersOnly(...IDS);
/** Inputs to one cluster, before another takes its place. */
const INPUTS_PER_CLUSTER = 20;
/** raftpb.Message: the numbers of two fields, and a type. */
const TYPE = 1;
const COMMIT = 8;
const HEARTBEAT = 8n;
const LOST_LOG = /tocommit\(\d+\) is out of range/;

interface Sent {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

let module: WebAssembly.Module;
beforeAll(async () => {
  const wasm = new URL("../../dist/core.wasm", import.meta.url);
  module = await WebAssembly.compile(readFileSync(wasm));
});

function makeCore(random: SimRandom): Promise<Core> {
  return Core.instantiate(module, {
    clock: new SimClock(),
    random,
    logger: new RecordingLogger(),
  });
}

/** Three groups whose messages arrive at once, except to and from the one that is cut off. */
class Trio {
  readonly groups: readonly Group[];
  readonly sent: Sent[] = [];
  isCut = false;

  constructor(core: Core) {
    this.groups = IDS.map((id) => core.open(foundedConfig(id, MEMBERS)));
    for (const group of this.groups) group.start();
    this.group(1).campaign();
    this.settle();
    this.propose(1, "a", "b");
    this.tick(3);
  }

  group(id: number): Group {
    return this.groups[id - 1]!;
  }

  propose(id: number, ...commands: readonly string[]): void {
    this.group(id).propose(commands.map((text) => encodeUtf8(text)));
    this.settle();
  }

  tick(count: number): void {
    for (let n = 0; n < count; n++) {
      for (const group of this.groups) group.tick();
      this.settle();
    }
  }

  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const [at, group] of this.groups.entries()) {
        for (let ready = group.ready(); ready !== null; ready = group.ready()) {
          busy = true;
          const from = at + 1;
          for (const { to, bytes } of ready.messages) this.#deliver({ from, to, bytes });
          if (ready.append !== null) group.appended(ready.append.ticket);
          if (ready.apply !== null) group.applied(ready.apply.ticket);
        }
      }
    }
  }

  #deliver(sent: Sent): void {
    this.sent.push(sent);
    if (this.isCut && (sent.to === CUT_OFF || sent.from === CUT_OFF)) return;
    this.groups[sent.to - 1]?.step(sent.from, sent.bytes, true);
  }

  compact(): void {
    const { commit } = this.group(1).status().hardState;
    this.group(1).snapshotted(commit, MEMBERS);
    this.group(1).compact(commit);
  }

  close(): void {
    for (const group of this.groups) group.close();
  }
}

/** Messages of every kind that nodes send each other. */
function makeCorpus(core: Core): readonly Sent[] {
  const first = new Trio(core);
  first.group(1).readIndex(Uint8Array.of(1, 2, 3));
  first.settle();
  first.group(2).readIndex(Uint8Array.of(4));
  first.propose(2, "forwarded");
  first.group(1).transferLeader(2);
  first.settle();
  const second = new Trio(core);
  second.isCut = true;
  second.propose(1, "c", "d");
  second.compact();
  second.tick(20);
  second.isCut = false;
  second.tick(20);
  return [...first.sent, ...second.sent];
}

describe("a message from a peer, changed in any way", () => {
  it("never traps the core, nor makes it say what the host cannot hold", async () => {
    const fuzz = new Fuzz("core messages", { runs: 2000 });
    let core = await makeCore(fuzz.random.fork());
    const corpus = makeCorpus(core);
    expect(new Set(corpus.map(({ bytes }) => bytes[1])).size).toBeGreaterThanOrEqual(12);
    let trio = new Trio(core);
    let left = INPUTS_PER_CLUSTER;
    let lost = 0;
    const said = new Map<StepResult, number>();
    await fuzz.run(
      (random) => {
        const { from, to } = random.pick(corpus);
        const messages = corpus.filter((sent) => sent.to === to).map((sent) => sent.bytes);
        const bytes = random.chance(0.7)
          ? mutatedFields(random.pick(messages), random)
          : mutated(messages, random);
        const isDurable = random.chance(0.5);
        return { from, to, bytes, isDurable, show: { from, to, isDurable, bytes } };
      },
      async ({ bytes, from, isDurable, to }) => {
        // A new instance takes long: most of what would trap as wanted is passed over.
        const { lastIndex } = trio.group(to).status();
        const isPastEnd = numberIn(bytes, COMMIT) > BigInt(lastIndex);
        if (isPastEnd && numberIn(bytes, TYPE) === HEARTBEAT && !fuzz.random.chance(0.02)) return;
        try {
          const result = trio.group(to).step(from, bytes, isDurable);
          said.set(result, (said.get(result) ?? 0) + 1);
          trio.settle();
          if (left % 3 === 0) trio.tick(1);
          for (const group of trio.groups) group.status();
        } catch (thrown) {
          if (!(thrown instanceof CoreTrap && LOST_LOG.test(thrown.message))) throw thrown;
          lost += 1;
          core = await makeCore(fuzz.random.fork());
          left = 0;
        }
        left -= 1;
        if (left > 0) return;
        if (left === 0) trio.close();
        trio = new Trio(core);
        if (fuzz.random.chance(0.3)) trio.compact();
        left = INPUTS_PER_CLUSTER;
      },
    );
    // Mutations that are all refused at the door, or all taken, would test nothing.
    expect(said.get("taken") ?? 0).toBeGreaterThan(100);
    expect(said.get("malformed") ?? 0).toBeGreaterThan(100);
    fuzz.note(
      `${[...said].map(([what, count]) => `${count} ${what}`).join(", ")}, ${lost} lost log`,
    );
  });
});
