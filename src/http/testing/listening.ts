// A server on a real port, and clients that speak to it byte by byte. For tests of what only shows
// on the wire; time stands still until a test moves it.

/* oxlint-disable no-restricted-imports -- A client of a real port needs the real network. */
import type { Socket } from "node:net";
import { connect } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
/* oxlint-enable no-restricted-imports */

import { assert } from "../../base/assert.ts";
import { HTTP_CLOSE_MS_MAX, HTTP_DRAIN_MS } from "../../base/limits.ts";
import type { HttpServer } from "../server.ts";
import { createServer } from "../server.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeNode } from "./fake-node.ts";
import { MemoryLogger } from "./harness.ts";

/** One connection, read as text; what comes in is kept from the beginning. */
export class Wire {
  readonly #socket: Socket;
  readonly #seen: Promise<void>;
  #chunks: string[] = [];
  #changed: () => void = () => undefined;
  isClosed = false;
  error: string | null = null;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (bytes: Buffer) => {
      this.#chunks.push(bytes.toString("latin1"));
      this.#changed();
    });
    this.#socket.on("error", (error) => {
      this.error = error.message;
    });
    this.#seen = new Promise((resolve) => {
      this.#socket.on("close", () => {
        this.isClosed = true;
        this.#changed();
        resolve();
      });
    });
  }

  get text(): string {
    // Joined when asked for: the tests of long answers would otherwise copy it with every piece.
    if (this.#chunks.length > 1) this.#chunks = [this.#chunks.join("")];
    return this.#chunks[0] ?? "";
  }

  send(data: string | Uint8Array): this {
    this.#socket.write(data);
    return this;
  }

  /** Resolves when the system has taken the bytes: a sender as slow as its receiver. */
  async push(data: Uint8Array): Promise<void> {
    if (this.#socket.write(data) || this.isClosed) return;
    await Promise.race([
      this.#seen,
      new Promise<void>((resolve) => void this.#socket.once("drain", resolve)),
    ]);
  }

  /** Waits for a piece of text, or for the end. */
  async until(piece: string): Promise<string> {
    let isThere = this.text.includes(piece);
    while (!isThere && !this.isClosed) {
      // The piece may begin in the last chunk that was looked at.
      const from = Math.max(0, this.#chunks.length - 1);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
      isThere = this.#chunks.slice(from).join("").includes(piece);
    }
    assert(this.text.includes(piece), () => `closed without ${piece}: ${this.text.slice(-500)}`);
    return this.text;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  closed(): Promise<void> {
    return this.#seen;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Lets the sockets of both sides do what they have to do. */
export async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n += 1) await nextTurn();
}

export class Listening {
  readonly node = new FakeNode();
  readonly clock = new FakeClock();
  readonly logger = new MemoryLogger();
  readonly server: HttpServer;
  readonly #wires: Wire[] = [];
  #port = 0;

  private constructor() {
    this.server = createServer(this.node, { clock: this.clock, logger: this.logger });
  }

  static async start(): Promise<Listening> {
    const listening = new Listening();
    const address = await listening.server.listen("127.0.0.1:0");
    listening.#port = Number(address.split(":")[1]);
    return listening;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  open(): Wire {
    const wire = new Wire(this.#port);
    this.#wires.push(wire);
    return wire;
  }

  async stop(): Promise<void> {
    for (const wire of this.#wires) wire.destroy();
    const closed = this.server.close();
    this.clock.advance(HTTP_DRAIN_MS);
    await turns();
    this.clock.advance(HTTP_CLOSE_MS_MAX);
    await closed;
  }

  /** More than the buffers of both kernels hold when it is listed. */
  fill(rows: number): void {
    for (let n = 0; n < rows; n += 1) {
      const model = "m".repeat(250);
      this.node.apply({ kind: "create-printer", id: null, company: "c".repeat(250), model });
    }
  }
}

export const PRINTER = JSON.stringify({ company: "Prusa Research", model: "MK4S" });

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** The head of a request that creates a printer; `framing` are further header lines. */
export const postHead = (framing: string): string =>
  `POST /api/v1/printers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n`;

export function post(body: string, framing = ""): string {
  return `${postHead(`Content-Length: ${Buffer.byteLength(body)}\r\n${framing}`)}${body}`;
}
