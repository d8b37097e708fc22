// Reads HTTP/1.1 answers off a connection, for the load generator: with little work for each
// answer, and strictly, because an answer that is taken for more or less than it is would falsify
// what is measured.
//
// Knows Content-Length and chunked bodies. Keeps a body only where somebody has to read it: of
// answers that are not a success.

import { assert } from "../../base/assert.ts";

/** The head of an answer; more is not a server that is worth measuring. */
const HEAD_BYTES_MAX = 64 * 1024;
/** What is kept of a body. */
const BODY_BYTES_KEPT = 64 * 1024;

export interface Answer {
  readonly status: number;
  /** "" for a success. */
  readonly body: string;
  /** Whether the server will take another request on this connection. */
  readonly isKept: boolean;
}

/** The server does not speak HTTP/1.1 as this parser knows it. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

type State = "head" | "sized" | "chunk-size" | "chunk" | "chunk-end" | "trailer";

const HEAD_END = "\r\n\r\n";
const LINE_END = "\r\n";

export class ResponseParser {
  readonly #onAnswer: (answer: Answer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #state: State = "head";
  #status = 0;
  #isKept = true;
  /** Bytes of the body, or of the chunk, still to come. */
  #left = 0;
  #body: string[] = [];
  #bodyBytes = 0;

  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Calls `onAnswer` for each answer that is complete with these bytes; throws an AnswerError. */
  push(bytes: Uint8Array): void {
    const more = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#rest = this.#rest.length === 0 ? more : Buffer.concat([this.#rest, more]);
    while (this.#rest.length > 0 && this.#step());
  }

  /** Takes what can be taken; false if more bytes are needed for that. */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#head();
      case "sized":
        if (this.#take() === 0) this.#complete();
        return true;
      case "chunk-size":
        return this.#chunkSize();
      case "chunk":
        if (this.#take() === 0) this.#state = "chunk-end";
        return true;
      case "chunk-end":
        return this.#line((line) => {
          if (line !== "") throw new AnswerError("a chunk is longer than its size");
          this.#state = "chunk-size";
        });
      case "trailer":
        return this.#line((line) => {
          if (line === "") this.#complete();
        });
    }
  }

  #head(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) {
      if (this.#rest.length > HEAD_BYTES_MAX) throw new AnswerError("the head is too long");
      return false;
    }
    // With the end of its last line, so that every line has one.
    const head = this.#rest.toString("latin1", 0, end + LINE_END.length);
    this.#rest = this.#rest.subarray(end + HEAD_END.length);
    const status = /^HTTP\/1\.1 (\d{3})[ \r]/.exec(head)?.[1];
    if (status === undefined) throw new AnswerError("the answer is not HTTP/1.1");
    this.#status = Number(status);
    if (this.#status < 200) throw new AnswerError(`status ${status} is not a final answer`);
    this.#isKept = true;
    const length = this.#headers(head);
    if (length === "chunked") this.#state = "chunk-size";
    else if (length === 0 || this.#status === 204 || this.#status === 304) this.#complete();
    else {
      this.#left = length;
      this.#state = "sized";
    }
    return true;
  }

  /** How long the body is. */
  #headers(head: string): number | "chunked" {
    let length: number | null = null;
    let isChunked = false;
    for (let at = head.indexOf(LINE_END) + 2; at < head.length;) {
      const end = head.indexOf(LINE_END, at);
      // Only three names matter, and they begin with c or t.
      const first = head.charCodeAt(at) | 0x20;
      if (first === 0x63 || first === 0x74) {
        const colon = head.indexOf(":", at);
        if (colon < 0 || colon > end) throw new AnswerError("a header without a colon");
        const name = head.slice(at, colon).toLowerCase();
        const value = head.slice(colon + 1, end).trim();
        if (name === "content-length") {
          if (length !== null || !/^\d{1,15}$/.test(value)) throw new AnswerError("bad length");
          length = Number(value);
        } else if (name === "transfer-encoding") {
          if (value.toLowerCase() !== "chunked") throw new AnswerError(`unknown coding ${value}`);
          isChunked = true;
        } else if (name === "connection") {
          this.#isKept = value.toLowerCase() !== "close";
        }
      }
      at = end + LINE_END.length;
    }
    if (isChunked && length !== null) throw new AnswerError("two lengths for one body");
    if (isChunked) return "chunked";
    if (length !== null) return length;
    if (this.#status === 204 || this.#status === 304) return 0;
    throw new AnswerError("the answer does not say how long it is");
  }

  #chunkSize(): boolean {
    return this.#line((line) => {
      const size = /^([0-9a-fA-F]{1,12})(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new AnswerError("the size of a chunk is not a number");
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? "trailer" : "chunk";
    });
  }

  #line(take: (line: string) => void): boolean {
    const end = this.#rest.indexOf(LINE_END);
    if (end < 0) {
      if (this.#rest.length > HEAD_BYTES_MAX) throw new AnswerError("a line is too long");
      return false;
    }
    const line = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + LINE_END.length);
    take(line);
    return true;
  }

  /** Takes bytes of the body; how many are still to come. */
  #take(): number {
    const taken = Math.min(this.#left, this.#rest.length);
    assert(taken > 0, "no body to take");
    if (this.#status >= 300 && this.#bodyBytes < BODY_BYTES_KEPT) {
      this.#body.push(this.#rest.toString("latin1", 0, taken));
      this.#bodyBytes += taken;
    }
    this.#rest = this.#rest.subarray(taken);
    this.#left -= taken;
    return this.#left;
  }

  #complete(): void {
    const body = this.#body.length === 0 ? "" : this.#body.join("");
    this.#state = "head";
    this.#body = [];
    this.#bodyBytes = 0;
    this.#onAnswer({ status: this.#status, body, isKept: this.#isKept });
  }
}
