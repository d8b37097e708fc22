// Requests to a server without a network, every answer held against the contract: a test that looks
// at one thing proves, by the way, that the status and code are documented for the route, that the
// body has the documented form, and that the headers are there which every answer is promised to
// have.

import type { FastifyInstance } from "fastify";
import { Compile } from "typebox/compile";

import { assert, must } from "../../base/assert.ts";
import type { LogFields, Logger } from "../../env/logger.ts";
import { createApp } from "../app.ts";
import type { HttpContext } from "../context.ts";
import { HttpMetrics } from "../metrics.ts";
import type { ProblemCode } from "../problems.ts";
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from "../problems.ts";
import type { Route } from "../route.ts";
import { allRoutes } from "../routes.ts";
import { problem as problemSchema } from "../schemas.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeNode } from "./fake-node.ts";

export interface Asked {
  /** A value is sent as JSON, a string or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  // Tests look into answers of many forms; the contract has checked the form.
  readonly json: Readonly<Record<string, unknown>>;
}

type JsonAnswer = Answer["json"];

/** Codes that any request can meet, whatever its route. */
const ANYWHERE: ReadonlySet<string> = new Set<ProblemCode>([
  "unknown_route",
  "method_not_allowed",
  "malformed_request",
]);

export class MemoryLogger implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];

  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: "error", message, fields });
  }

  child(): Logger {
    return this;
  }
}

export class Harness {
  readonly node = new FakeNode();
  readonly clock = new FakeClock();
  readonly logger = new MemoryLogger();
  readonly context: HttpContext;
  readonly routes: readonly Route[] = allRoutes();
  readonly app: FastifyInstance;
  draining = false;

  constructor() {
    this.context = {
      node: this.node,
      clock: this.clock,
      logger: this.logger,
      metrics: new HttpMetrics(),
      live: new Set(),
      draining: () => this.draining,
    };
    this.app = createApp(this.context, this.routes);
  }

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.call("GET", url, { headers });
  }

  post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    return this.call("POST", url, { body, headers });
  }

  patch(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    return this.call("PATCH", url, { body, headers });
  }

  async call(method: string, url: string, { body, headers = {} }: Asked = {}): Promise<Answer> {
    const isRaw = typeof body === "string" || body instanceof Uint8Array;
    const payload = body === undefined || isRaw ? body : JSON.stringify(body);
    const response = await this.app.inject({
      // Any method may be tried, those that do not exist as well.
      method: method as "GET",
      url,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(payload === undefined ? {} : { payload: asBuffer(payload) }),
    });
    const text = response.payload;
    const isJson = /json/.test(String(response.headers["content-type"])) && text !== "";
    const answer: Answer = {
      status: response.statusCode,
      headers: response.headers as Answer["headers"], // inject gives single values as strings.
      text,
      json: isJson && !text.includes("\n") ? (JSON.parse(text) as JsonAnswer) : {},
    };
    this.#hold(method, url, answer);
    return answer;
  }

  /** Throws where an answer is not what the documentation promises. */
  #hold(method: string, url: string, answer: Answer): void {
    const { headers, status } = answer;
    const what = `${method} ${url} → ${status} ${answer.text.slice(0, 200)}`;
    for (const name of ["raft3d-index", "raft3d-leader", "raft3d-served-by"]) {
      assert(headers[name] !== undefined, `${what}: no ${name}`);
    }
    assert(headers["server"] === undefined, `${what}: it says what it runs on`);
    const route = this.#routeOf(method, url);
    if (headers["content-type"] === PROBLEM_MEDIA_TYPE) {
      this.#holdProblem(what, method, route, answer);
      return;
    }
    const documented = route?.operation.answers[status];
    assert(documented !== undefined, `${what}: the status is not documented`);
    const mediaType = headers["content-type"]?.split(";")[0] ?? "";
    const schema = documented.content?.[mediaType];
    assert(
      (schema === undefined) === (mediaType === ""),
      `${what}: ${mediaType} is not documented`,
    );
    if (schema !== undefined && mediaType === "application/json" && method !== "HEAD") {
      const problems = Compile(schema).Errors(answer.json);
      assert(problems.length === 0, `${what}: ${JSON.stringify(problems)}`);
    }
    for (const name of Object.keys(headers).filter((key) => /^(etag|link|location|x-)/.test(key))) {
      const known = documented.headers?.some((header) => header.toLowerCase() === name) ?? false;
      assert(
        known || name.startsWith("x-accel") || name.startsWith("x-content"),
        `${what}: ${name}`,
      );
    }
  }

  #holdProblem(what: string, method: string, route: Route | undefined, answer: Answer): void {
    if (method === "HEAD") return;
    const problems = Compile(problemSchema).Errors(answer.json);
    assert(problems.length === 0, `${what}: ${JSON.stringify(problems)}`);
    const code = String(answer.json["code"]) as ProblemCode; // The schema has checked the word.
    const { status, title } = PROBLEMS[code];
    assert(status === answer.status, `${what}: the status is ${status} in the table`);
    assert(answer.json["title"] === title, `${what}: another title`);
    assert(
      /^[A-Z].*\.$/s.test(String(answer.json["detail"])) ||
        code.startsWith("invalid_") ||
        code === "unknown_reference",
      `${what}: no sentence`,
    );
    assert(!/\bat .*\.ts|node_modules|FST_|src\//.test(answer.text), `${what}: it says too much`);
    const documented: readonly string[] = route?.operation.problems ?? [];
    assert(documented.includes(code) || ANYWHERE.has(code), `${what}: the code is not documented`);
  }

  #routeOf(method: string, url: string): Route | undefined {
    const path = (url.split("?", 1)[0] ?? "").replace(/(.)\/$/, "$1");
    return this.routes.find((route) => {
      const pattern = new RegExp(`^${route.path.replace(/:id/, "[^/]+")}$`);
      return pattern.test(path) && route.method === (method === "HEAD" ? "GET" : method);
    });
  }

  // --- A farm to begin with

  async printer(fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const body = { company: "Prusa Research", model: "MK4S", ...fields };
    return created(await this.post("/api/v1/printers", body));
  }

  async filament(fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const body = { type: "PLA", color: "red", total_weight_in_grams: 1000, ...fields };
    return created(await this.post("/api/v1/filaments", body));
  }

  async job(fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const body = {
      printer_id: 1,
      filament_id: 1,
      filepath: "/gcode/sword.gcode",
      print_weight_in_grams: 100,
      ...fields,
    };
    return created(await this.post("/api/v1/print_jobs", body));
  }

  /** A printer 1, a filament 1 of 1000 g. */
  async farm(): Promise<void> {
    await this.printer();
    await this.filament();
  }
}

function created(answer: Answer): Answer {
  assert(answer.status === 201, () => `not created: ${answer.text}`);
  return answer;
}

function asBuffer(payload: string | Uint8Array): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload);
}

/** The mistakes of a problem, by field. */
export function mistakes(answer: Answer): ReadonlyMap<string, string> {
  const errors = must(answer.json["errors"], "errors") as { field: string; message: string }[];
  return new Map(errors.map(({ field, message }) => [field, message]));
}
