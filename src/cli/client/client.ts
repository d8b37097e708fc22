// Talks to a cluster through whichever of its nodes answers.
//
// Any node takes any request, so a node that does not answer is passed over for the next at once. A
// node that answers "not now" (429, 503) or "outcome unknown" (504) is asked again, after the
// others and after the time it names, until a bound. Every write carries an Idempotency-Key, so
// that asking again cannot do it twice, not even where a connection broke in the middle of an
// answer.
//
// A round asks each endpoint once, beginning with the one that answered last. A round in which
// nobody answered at all ends the command: a cluster that is not there does not come by waiting.

import { must } from "../../base/assert.ts";
import { type Clock, sleep } from "../../env/clock.ts";
import { NetworkError } from "../../env/network.ts";
import type { HttpAnswer, HttpClient } from "../../env/node/http-client.ts";
import { type Random, randomHex } from "../../env/random.ts";
import { Failure } from "../failure.ts";
import { ProblemFailure, problemOf } from "./problem.ts";

export interface ClientOptions {
  readonly endpoints: readonly string[];
  /** For one request with all its repetitions. */
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Ask {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null: a read, or a key is drawn for this write. */
  readonly idempotencyKey?: string | null;
}

export interface Told {
  readonly answer: HttpAnswer;
  /** The node that answered in the end. */
  readonly endpoint: string;
  /** How often it was asked, failed connections included. */
  readonly attempts: number;
}

/** One attempt may take so long; a server's own bounds are shorter. */
const ATTEMPT_MS_MAX = 10_000;
/** Between two rounds, where no server says how long. */
const PAUSE_MS = 250;

/** "Not now" and "outcome unknown". */
const RETRIED: readonly number[] = [408, 429, 503, 504];

/** Failures to connect: the request cannot have arrived. */
const NOT_SENT: readonly string[] = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
];

export class Client {
  readonly #options: ClientOptions;
  /** Which endpoint is asked first. */
  #preferred = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** A 2xx answer as JSON. */
  async json(ask: Ask): Promise<unknown> {
    const { answer } = await this.ask(ask);
    return answer.body === "" ? null : bodyOf(answer);
  }

  /** Resolves with a 2xx answer; rejects with a ProblemFailure, or a Failure if nobody answers. */
  async ask(ask: Ask): Promise<Told> {
    const key = ask.method === "GET" ? null : (ask.idempotencyKey ?? this.#drawKey());
    const exchange = new Exchange(this.#options, ask, key);
    for (;;) {
      const told = await exchange.round(this.#preferred);
      if (told === null) continue;
      this.#preferred = this.#options.endpoints.indexOf(told.endpoint);
      if (told.answer.status >= 200 && told.answer.status < 300) return told;
      throw new ProblemFailure(problemOf(told.answer), exchange.advice(told.answer.status));
    }
  }

  #drawKey(): string {
    return `cli-${randomHex(this.#options.random, 16)}`;
  }
}

/** The body of a success as JSON. */
export function bodyOf(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch {
    throw new Failure("The server's answer is not JSON. Is --endpoint a node's HTTP address?");
  }
}

/** One request with all its repetitions. */
class Exchange {
  readonly #options: ClientOptions;
  readonly #ask: Ask;
  readonly #key: string | null;
  readonly #deadlineMs: number;
  #attempts = 0;
  /** A write may have arrived whose answer was not seen. */
  #inDoubt = false;

  constructor(options: ClientOptions, ask: Ask, key: string | null) {
    this.#options = options;
    this.#ask = ask;
    this.#key = key;
    this.#deadlineMs = options.clock.monotonicMs() + options.timeoutMs;
  }

  /** Null: asked everybody, waited, and another round may help. */
  async round(first: number): Promise<Told | null> {
    const { clock, endpoints } = this.#options;
    const failures: string[] = [];
    let last: Told | null = null;
    let pauseMs = PAUSE_MS;
    for (let n = 0; n < endpoints.length; n++) {
      const endpoint = must(endpoints[(first + n) % endpoints.length], "an endpoint");
      const result = await this.#attempt(endpoint);
      if (result instanceof NetworkError) {
        failures.push(`${endpoint} (${reason(result)})`);
        continue;
      }
      const told = { answer: result, endpoint, attempts: this.#attempts };
      if (!RETRIED.includes(result.status)) return told;
      this.#inDoubt ||= result.status === 504;
      last = told;
      pauseMs = Math.max(pauseMs, retryAfterMs(result));
    }
    if (last === null) throw new Failure(this.#nobody(failures));
    // The bound is reached: what was said last is the answer.
    if (clock.monotonicMs() + pauseMs > this.#deadlineMs) return last;
    await sleep(clock, pauseMs);
    return null;
  }

  async #attempt(origin: string): Promise<HttpAnswer | NetworkError> {
    const { clock, http } = this.#options;
    const { body, headers, method, path } = this.#ask;
    const left = this.#deadlineMs - clock.monotonicMs();
    this.#attempts += 1;
    try {
      return await http.send({
        origin,
        method,
        path,
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(this.#key === null ? {} : { "idempotency-key": this.#key }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeoutMs: Math.max(1, Math.min(ATTEMPT_MS_MAX, left)),
      });
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      if (!NOT_SENT.includes(error.code)) this.#inDoubt = true;
      return error;
    }
  }

  /** What to do about a write that may have been carried out. */
  advice(status: number): string | null {
    if (this.#key === null || !this.#inDoubt || !RETRIED.includes(status)) return null;
    return `It may have been carried out. To learn that without doing it twice, repeat the command with --idempotency-key ${this.#key}.`;
  }

  #nobody(failures: readonly string[]): string {
    const lines = [
      `No node answers: ${failures.join(", ")}.`,
      "`raft3d up` starts a cluster on this machine; --endpoint names the nodes of another.",
    ];
    const advice = this.advice(504);
    return [...lines, ...(advice === null ? [] : [advice])].join("\n");
  }
}

function reason(error: NetworkError): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "connection reset",
    ETIMEDOUT: "no answer in time",
    ENOTFOUND: "unknown host",
    EAI_AGAIN: "unknown host",
    EHOSTUNREACH: "host unreachable",
    ENETUNREACH: "network unreachable",
  };
  return known[error.code] ?? error.message;
}

/** Seconds, as this server writes them; 0 for the other form, a date. */
function retryAfterMs(answer: HttpAnswer): number {
  const text = answer.headers.get("retry-after") ?? "";
  return /^\d{1,4}$/.test(text) ? Number(text) * 1000 : 0;
}
