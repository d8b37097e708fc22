// The least that three durable copies cost: what has gathered goes to two followers over TCP and into a file at
// each of the three, with one synced write, and counts when two of the three have it. No Raft: no leader but this one,
// nothing is read back, nothing survives anything. Only for a yardstick (bare-replica.ts).

import { constants, openSync, write, writeSync } from "node:fs";
import { type Socket, connect, createServer } from "node:net";

const FILE_BYTES = 16 * 1024 * 1024;
export const LENGTH_BYTES = 4;

/** A file that is written over and over, so that no write has to find room first. */
export class CopyFile {
  readonly #file: number;
  #at = 0;

  constructor(path: string) {
    const prepared = openSync(path, "w");
    writeSync(prepared, Buffer.alloc(FILE_BYTES));
    this.#file = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
  }

  append(bytes: Buffer, done: () => void): void {
    if (this.#at + bytes.length > FILE_BYTES) this.#at = 0;
    const at = this.#at;
    this.#at += bytes.length;
    write(this.#file, bytes, 0, bytes.length, at, (error) => {
      if (error !== null) throw error;
      done();
    });
  }
}

/** With the length before it. */
export function joined(parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(LENGTH_BYTES), ...parts]);
  bytes.writeUInt32LE(bytes.length - LENGTH_BYTES, 0);
  return bytes;
}

/** Writes each batch and says so with one byte, in the order in which they come. */
export function follow(host: string, port: number, path: string): void {
  const file = new CopyFile(path);
  const server = createServer({ noDelay: true }, (socket) => {
    let left = Buffer.alloc(0);
    let isWriting = false;
    const next = (): void => {
      if (isWriting || left.length < LENGTH_BYTES) return;
      const end = LENGTH_BYTES + left.readUInt32LE(0);
      if (left.length < end) return;
      const batch = left.subarray(0, end);
      left = left.subarray(end);
      isWriting = true;
      file.append(batch, () => {
        isWriting = false;
        socket.write("1");
        next();
      });
    };
    socket.on("data", (chunk) => {
      left = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
      next();
    });
  });
  server.listen(port, host);
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly done: () => void;
}

/** The leader's side. */
export class Copies {
  readonly #file: CopyFile;
  readonly #followers: readonly Socket[];
  /** Numbers of the last batch that each of the three has durable. */
  readonly #durable: number[];
  /** Batches that do not count yet, oldest first, and the number of the first of them. */
  readonly #open: (readonly Waiting[])[] = [];
  #first = 1;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(
    path: string,
    followers: readonly { readonly host: string; readonly port: number }[],
  ) {
    this.#file = new CopyFile(path);
    this.#durable = [0, ...followers.map(() => 0)];
    this.#followers = followers.map((follower, at) => {
      const socket = connect({ ...follower, noDelay: true });
      socket.on("data", (acks) => this.#written(at + 1, acks.length));
      return socket;
    });
  }

  /** Calls back when two of the three have it. What comes in one turn of the event loop goes together. */
  add(bytes: Uint8Array, done: () => void): void {
    this.#waiting.push({ bytes, done });
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#isWriting || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    const bytes = joined(batch.map((one) => one.bytes));
    this.#open.push(batch);
    for (const socket of this.#followers) socket.write(bytes);
    this.#isWriting = true;
    this.#file.append(bytes, () => {
      this.#isWriting = false;
      this.#written(0, 1);
      this.#flush();
    });
  }

  #written(at: number, batches: number): void {
    this.#durable[at] = (this.#durable[at] ?? 0) + batches;
    const majority = this.#durable.toSorted((a, b) => a - b)[1] ?? 0;
    for (; this.#first <= majority; this.#first += 1) {
      for (const { done } of this.#open.shift() ?? []) done();
    }
  }
}
