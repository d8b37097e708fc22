// Yardsticks between a bare `node:http` and Raft3D: three durable copies (copies.ts) behind
//   leader node:http …  a handler that parses the body and sends it back
//   leader http …       Raft3D's own HTTP, with an answer that is always the same
//   leader fsm …        Raft3D's own HTTP and state machine, with the line of the event
//   follower HOST:PORT FILE
// where … is HOST:PORT FILE FOLLOWER FOLLOWER; and the last of these with etcd's raft in between (core-copies.ts):
//   raft ID HOST:PORT FILE PEER PEER PEER
// What is missing towards Raft3D then: a log that can be read back and what makes it sound, frames between nodes, state
// and events at the followers, the event log, proposals that are repeated and applied once, snapshots.

import { must } from "../../src/base/assert.ts";
import { nodeClock } from "../../src/env/node/clock.ts";
import { echoServer } from "../../src/env/node/echo-server.ts";
import { nodeLogger } from "../../src/env/node/logger.ts";
import { splitAddress } from "../../src/env/node/network.ts";
import { keepShapes } from "../../src/env/node/shapes.ts";
import { COMMAND_VERSION, type Command } from "../../src/fsm/command.ts";
import { encodeEnvelope } from "../../src/fsm/envelope.ts";
import { createServer } from "../../src/http/server.ts";
import { FakeNode } from "../../src/http/testing/fake-node.ts";
import type { SubmitResult } from "../../src/node/api.ts";
import { eventLine } from "../../src/node/event-line.ts";
import { Copies, follow } from "./copies.ts";
import { CoreCopies } from "./core-copies.ts";

const TERM = 3;
/** A node whose log is the copies: applied when two of the three have it. */
class CopyingNode extends FakeNode {
  readonly #copies: Pick<Copies, "add">;
  readonly #applies: boolean;
  #commands = 0;
  /** Of the event log, were there one. */
  lastLine = "";

  constructor(copies: Pick<Copies, "add">, applies: boolean) {
    super();
    this.#copies = copies;
    this.#applies = applies;
  }

  override submit(command: Command): Promise<SubmitResult> {
    this.#commands += 1;
    const seq = this.#commands;
    const at = nodeClock.wallMs();
    const numbers = { node: this.id, start: 1, seq, low: seq, at };
    const bytes = encodeEnvelope({
      v: COMMAND_VERSION,
      ...numbers,
      key: null,
      fingerprint: null,
      command,
    });
    return new Promise((resolve) => {
      this.#copies.add(bytes, () => resolve(this.#applies ? this.#carryOut(bytes) : SAME));
    });
  }

  #carryOut(bytes: Uint8Array): SubmitResult {
    const { machine } = this;
    const applied = machine.apply(machine.appliedIndex + 1, TERM, bytes);
    if (applied.kind !== "replied") throw new Error(`a command was ${applied.kind}`);
    const recorded = must(applied.event, "the event of a create");
    this.lastLine = eventLine({ recorded, digest: machine.farm.digest() }).text;
    return { kind: "replied", reply: applied.reply, replayed: false };
  }
}

const SAME: SubmitResult = {
  kind: "replied",
  replayed: false,
  reply: {
    ok: true,
    object: {
      id: 1,
      company: "Creality",
      model: "Ender 3 V2",
      created_index: 2,
      version: 2,
      created_ms: 1_795_357_800_000,
      updated_ms: 1_795_357_800_000,
    },
  },
};

async function main(): Promise<void> {
  const [role, ...args] = process.argv.slice(2);
  if (role === "follower") {
    const [address, path] = args;
    const { host, port } = splitAddress(must(address, "an address"));
    return follow(host, port, must(path, "a file"));
  }
  if (role === "raft") return raft(args);
  const [kind, address, path, ...followers] = args;
  const copies = new Copies(must(path, "a file"), followers.map(splitAddress));
  const http = must(address, "an address");
  if (kind === "node:http") {
    echoServer((text, done) => copies.add(Buffer.from(`${text}\n`), done)).listen(
      splitAddress(http),
    );
    return;
  }
  return serve(new CopyingNode(copies, kind === "fsm"), http);
}

async function serve(node: CopyingNode, http: string): Promise<void> {
  keepShapes();
  const env = { clock: nodeClock, logger: nodeLogger("error", {}) };
  await createServer(node, env).listen(http);
}

/** One of three: 1 leads, and its HTTP is the only one that is asked. */
async function raft(args: readonly string[]): Promise<void> {
  const [id, http, file, ...addresses] = args;
  const copies = await CoreCopies.start({
    id: Number(id),
    file: must(file, "a file"),
    addresses: addresses.map(splitAddress),
  });
  return serve(new CopyingNode(copies, true), must(http, "an address"));
}

await main();
