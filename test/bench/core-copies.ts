// Three durable copies by etcd's raft and nothing else of Raft3D: the core as src/raft has it, its messages over TCP
// with a length before each, what it appends in one synced write into a file that nobody reads. No elections after
// the first, no snapshots, no log to start from, nothing that makes a frame or a record sound. Only for a yardstick
// (bare-replica.ts): what the library costs in this language, under any driver.

import { readFileSync } from "node:fs";
import { type Socket, connect, createServer } from "node:net";
import { must } from "../../src/base/assert.ts";
import { COMMIT_WAIT_MS } from "../../src/base/limits.ts";
import { nodeClock } from "../../src/env/node/clock.ts";
import { nodeLogger } from "../../src/env/node/logger.ts";
import { nodeRandom } from "../../src/env/node/random.ts";
import { Core, type Group } from "../../src/raft/core.ts";
import { foundedConfig, votersOnly } from "../../src/raft/testing/group-config.ts";
import { CopyFile, LENGTH_BYTES, joined } from "./copies.ts";

const MEMBERS = votersOnly(1, 2, 3);
const TICK_MS = 100;
/** For a follower that is a little behind. */
const KEPT_ENTRIES = 5000;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly done: () => void;
}

export interface CoreCopiesOptions {
  /** 1 leads. */
  readonly id: number;
  readonly file: string;
  /** Where each of the three listens for the others, in the order of their ids. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

function framed(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(messages.map((one) => joined([one])));
}

export class CoreCopies {
  readonly #group: Group;
  readonly #file: CopyFile;
  readonly #peers = new Map<number, Socket>();
  #messages: { readonly from: number; readonly bytes: Uint8Array }[] = [];
  #durable = 0;
  #writing = 0;
  readonly #toWrite: { readonly ticket: number; readonly bytes: Buffer }[] = [];
  #isTimed = false;
  #forgotten = 0;
  #waiting: Waiting[] = [];
  #open: Waiting[] = [];
  #scheduled = false;
  /** A commit index alone goes with the next append, as src/node/outbox.ts has it. */
  readonly #later = new Map<number, Uint8Array>();

  static async start(options: CoreCopiesOptions): Promise<CoreCopies> {
    const wasm = new URL("../../dist/core.wasm", import.meta.url);
    const module = await WebAssembly.compile(readFileSync(wasm));
    const logger = nodeLogger("error", {});
    const core = await Core.instantiate(module, { clock: nodeClock, random: nodeRandom, logger });
    const group = core.open(foundedConfig(options.id, MEMBERS));
    group.start();
    return new CoreCopies(group, options);
  }

  private constructor(group: Group, { id, file, addresses }: CoreCopiesOptions) {
    this.#group = group;
    this.#file = new CopyFile(file);
    const at = must(addresses[id - 1], "an address");
    createServer({ noDelay: true }, (socket) => this.#listen(socket)).listen(at.port, at.host);
    for (const [n, address] of addresses.entries()) {
      if (n + 1 !== id) this.#connect(id, n + 1, address);
    }
    setInterval(() => this.#tick(id), TICK_MS);
  }

  /** Calls back when it is committed. What comes while a write is under way goes together. */
  add(bytes: Uint8Array, done: () => void): void {
    this.#waiting.push({ bytes, done });
    this.#schedule();
  }

  #tick(id: number): void {
    const { leader } = this.#group.status();
    if (leader !== 0) this.#group.tick();
    else if (id === 1 && this.#peers.size === 2) this.#group.campaign();
    this.#schedule();
  }

  #connect(id: number, to: number, address: { host: string; port: number }): void {
    const socket = connect({ ...address, noDelay: true });
    socket.on("connect", () => {
      socket.write(joined([Buffer.of(id)]));
      this.#peers.set(to, socket);
    });
    socket.on("error", () => setTimeout(() => this.#connect(id, to, address), 50));
  }

  #listen(socket: Socket): void {
    let from = 0;
    let left = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      left = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
      while (left.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + left.readUInt32LE(0);
        if (left.length < end) break;
        const bytes = left.subarray(LENGTH_BYTES, end);
        left = left.subarray(end);
        if (from === 0) from = must(bytes[0], "an id");
        else this.#messages.push({ from, bytes });
      }
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const messages = this.#messages;
    this.#messages = [];
    for (const { from, bytes } of messages) this.#group.step(from, bytes);
    if (this.#durable > 0) this.#group.appended(this.#durable);
    this.#durable = 0;
    const out = new Map<number, Uint8Array[]>();
    const done: Waiting[] = [];
    do {
      if (this.#writing === 0 && this.#waiting.length > 0) {
        if (this.#group.propose(this.#waiting.map((one) => one.bytes))) {
          this.#open.push(...this.#waiting);
          this.#waiting = [];
        }
      }
    } while (this.#pump(out, done));
    for (const [to, parts] of out) this.#peers.get(to)?.write(framed(parts));
    for (const one of done) one.done();
  }

  #pump(out: Map<number, Uint8Array[]>, done: Waiting[]): boolean {
    const ready = this.#group.ready();
    if (ready === null) return false;
    for (const { to, bytes, mayWait } of ready.messages) {
      this.#later.delete(to);
      if (mayWait) this.#wait(to, bytes);
      else out.set(to, [...(out.get(to) ?? []), bytes]);
    }
    if (ready.append !== null) {
      const { ticket, mustSync, entries } = ready.append;
      if (mustSync) {
        this.#writing += 1;
        this.#toWrite.push({ ticket, bytes: Buffer.from(entries) });
        if (this.#writing === 1) this.#write();
      } else if (this.#writing === 0) this.#group.appended(ticket);
    }
    if (ready.apply !== null) {
      // All commands are the leader's own, and are committed in the order in which it proposed them.
      const commands = ready.apply.entries.filter(({ data }) => data.length > 0);
      done.push(...this.#open.splice(0, commands.length));
      this.#group.applied(ready.apply.ticket);
      this.#forget(ready.apply.entries.at(-1)?.index ?? 0);
    }
    return true;
  }

  /** The core keeps what it was not told to forget, and its garbage collector looks at all of it. */
  #forget(applied: number): void {
    if (applied < this.#forgotten + 2 * KEPT_ENTRIES) return;
    this.#forgotten = applied - KEPT_ENTRIES;
    this.#group.snapshotted(applied, MEMBERS);
    this.#group.compact(this.#forgotten);
  }

  #write(): void {
    const next = this.#toWrite.shift();
    if (next === undefined) return;
    this.#file.append(next.bytes, () => {
      this.#writing -= 1;
      this.#durable = next.ticket;
      this.#write();
      this.#schedule();
    });
  }

  #wait(to: number, bytes: Uint8Array): void {
    this.#later.set(to, bytes);
    if (this.#isTimed) return;
    this.#isTimed = true;
    setTimeout(() => this.#flushLater(), COMMIT_WAIT_MS);
  }

  #flushLater(): void {
    this.#isTimed = false;
    for (const [to, bytes] of this.#later) this.#peers.get(to)?.write(joined([bytes]));
    this.#later.clear();
  }
}
