// One request and its answer. Every answer of the server goes out through here, so that each
// carries the headers that are promised, is counted, and is complete or visibly broken off.
//
// Answers are written to Node's response without going through Fastify's reply: it would add a
// charset parameter to every JSON media type, and RFC 8259 and RFC 9457 define none.

import type { FastifyReply, FastifyRequest } from "fastify";

import { HTTP_LINGER_MS_MAX } from "../base/limits.ts";
import { type Body, NO_BODY } from "./body.ts";
import type { HttpContext } from "./context.ts";
import { commonHeaders } from "./context.ts";
import { Outlet } from "./outlet.ts";
import type { Problem } from "./problems.ts";
import { PROBLEM_MEDIA_TYPE, problemBody, PROBLEMS, RETRY_AFTER_SECONDS } from "./problems.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** When its headers had come in, by the monotonic clock; absent if it failed before that. */
    startedMs?: number;
  }
}

export const JSON_MEDIA_TYPE = "application/json";

export class Exchange {
  readonly context: HttpContext;
  readonly request: FastifyRequest;
  body: Body = NO_BODY;
  /** The pattern of the route, for metrics. */
  readonly #route: string;
  readonly #raw: FastifyReply["raw"];
  /** Names and values in turn, as writeHead takes them. */
  readonly #headers: string[] = [];
  /** The applied index that the answer describes; null: the current one. */
  #index: number | null = null;
  #closes = false;

  constructor(context: HttpContext, route: string, request: FastifyRequest, reply: FastifyReply) {
    this.context = context;
    this.request = request;
    this.#route = route;
    this.#raw = reply.raw;
    reply.hijack();
  }

  get isHead(): boolean {
    return this.request.method === "HEAD";
  }

  header(name: string, value: string): this {
    this.#headers.push(name, value);
    return this;
  }

  /** The answer describes the state at this index, however far the node has gone on meanwhile. */
  describes(index: number): this {
    this.#index = index;
    return this;
  }

  json(status: number, value: unknown): void {
    this.send(status, JSON_MEDIA_TYPE, JSON.stringify(value));
  }

  problem(problem: Problem): void {
    const { status } = PROBLEMS[problem.code];
    for (const [name, value] of Object.entries(problem.headers ?? {})) this.header(name, value);
    if (status === 429 || status === 503) this.header("Retry-After", String(RETRY_AFTER_SECONDS));
    this.send(status, PROBLEM_MEDIA_TYPE, problemBody(problem));
  }

  /** A complete answer with a body. */
  send(status: number, mediaType: string, body: string): void {
    const bytes = Buffer.byteLength(body);
    this.header("Content-Type", mediaType);
    this.header("Content-Length", String(bytes));
    this.#head(status);
    // As many bytes as characters: it is ASCII, and Node.js need not encode it.
    this.#write(body, bytes === body.length ? "latin1" : "utf8");
    this.#count(status);
  }

  /** A complete answer without a body. */
  sendEmpty(status: number): void {
    // HTTP knows of 204 and 304 that they have no body; of any other it must be told.
    if (status !== 204 && status !== 304) this.header("Content-Length", "0");
    this.#head(status);
    this.#raw.end();
    this.#count(status);
  }

  /** Begins an answer whose length is not known; the caller writes it and ends it. */
  stream(mediaType: string): Outlet {
    const outlet = this.#begin(mediaType);
    outlet.onClose(() => this.#count(200));
    return outlet;
  }

  /** Begins an answer that goes on until the client or the server ends it. */
  streamLive(mediaType: string): Outlet {
    const outlet = this.#begin(mediaType);
    const { draining, live } = this.context;
    live.add(outlet);
    outlet.onClose(() => void live.delete(outlet));
    // The server ends those that it finds when it begins to close; this one came too late for that.
    if (draining()) outlet.end();
    // How long people watch says nothing about the server: what counts is the time to the
    // beginning.
    this.#count(200);
    return outlet;
  }

  #begin(mediaType: string): Outlet {
    this.header("Content-Type", mediaType);
    this.#head(200);
    this.#raw.flushHeaders();
    return new Outlet(this.#raw, this.context.clock);
  }

  /**
   * Refuses a request of which the body is still on its way. The answer is written whole and at
   * once; the rest of the body is thrown away for a while before the connection is closed, because
   * a connection closed under a sender is reset, and most clients then never see the answer.
   */
  problemWhileSending(problem: Problem): void {
    const { clock } = this.context;
    const { raw } = this.request;
    const body = problemBody(problem);
    const { status } = PROBLEMS[problem.code];
    this.header("Content-Type", PROBLEM_MEDIA_TYPE);
    this.header("Content-Length", String(Buffer.byteLength(body)));
    this.#closes = true;
    this.#head(status);
    this.#raw.write(body);
    this.#count(status);
    const end = (): void => {
      lingering.cancel();
      this.#raw.end();
    };
    const lingering = clock.after(HTTP_LINGER_MS_MAX, end);
    raw.once("end", end);
    raw.once("close", end);
    raw.resume();
  }

  /** Something threw. Clients learn that it did, the log learns what. */
  fail(error: Error): void {
    const { method, url } = this.request;
    this.context.logger.error("request failed", {
      method,
      url,
      error: error.stack ?? error.message,
    });
    if (this.#raw.headersSent) {
      this.#raw.destroy();
      return;
    }
    this.#headers.length = 0;
    this.problem({
      code: "internal_error",
      detail:
        "A bug in the server. Its log has the cause. If this was a write, it may have been carried out.",
    });
  }

  #head(status: number): void {
    this.#headers.push(...commonHeaders(this.context, this.#index));
    if (this.#closes || this.context.draining()) this.header("Connection", "close");
    this.#raw.writeHead(status, this.#headers);
  }

  /**
   * Writes a body and ends the answer. `end` with a body writes that and then an empty piece, and two pieces
   * make Node.js gather: a tenth of what a small request costs. Corked, head and body are one piece.
   */
  #write(body: string, encoding: "latin1" | "utf8"): void {
    const { socket } = this.#raw; // none while an earlier answer of the connection is not finished
    socket?.cork();
    this.#raw.write(body, encoding);
    socket?.uncork();
    this.#raw.end();
  }

  #count(status: number): void {
    const { clock, logger, metrics } = this.context;
    const { method, startedMs, url } = this.request;
    const seconds = startedMs === undefined ? 0 : (clock.monotonicMs() - startedMs) / 1000;
    metrics.observe(this.#route, method, status, seconds);
    logger.debug("request", { method, url, status, seconds });
  }
}
