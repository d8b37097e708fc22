// Fastify, set up for Raft3D: it routes requests and owns the connections; bodies, validation,
// answers and errors are ours, because they are promised in detail. Nothing of Fastify draws time
// or chance that matters, and nothing it would say of its own accord reaches a client.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";

import { toError } from "../base/assert.ts";
import {
  BODY_BYTES_MAX,
  HTTP_HEADERS_MS_MAX,
  HTTP_KEEP_ALIVE_MS,
  HTTP_REQUEST_MS_MAX,
  ID_CHARS_MAX,
} from "../base/limits.ts";
import { readBody } from "./body.ts";
import { answerClientError } from "./client-error.ts";
import type { HttpContext } from "./context.ts";
import { quote } from "./describe.ts";
import { Exchange } from "./exchange.ts";
import type { Problem } from "./problems.ts";
import type { Route } from "./route.ts";
import { allowedMethods } from "./routes.ts";

/** An id's characters, each of at most four bytes of UTF-8, each of these as %XX. */
const PARAM_CHARS_MAX = ID_CHARS_MAX * 4 * 3;
/** How often connections are looked at for the timeouts below. */
const TIMEOUT_CHECK_MS = 1000;
const METHODS_WITH_BODY = ["POST", "PUT", "PATCH", "DELETE"];
/** A DELETE's is ignored. */
const TAKES_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);
/** The route that metrics name where none was found. */
const NO_ROUTE = "none";

export function createApp(context: HttpContext, routes: readonly Route[]): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: false,
    // Nothing reads request ids, and a header of the client's must not become one.
    genReqId: () => "",
    requestIdHeader: false,
    keepAliveTimeout: HTTP_KEEP_ALIVE_MS,
    requestTimeout: HTTP_REQUEST_MS_MAX,
    http: {
      headersTimeout: HTTP_HEADERS_MS_MAX,
      // Node.js would answer in its own words; see refuseWithoutHost.
      requireHostHeader: false,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    // While the server closes, what still comes in on open connections is answered as ever.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    // A slash too many at the end is a slip that cannot mean anything else: no id is empty.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: PARAM_CHARS_MAX },
    frameworkErrors: (error, request, reply) => {
      // Fastify gives these errors before a route is found.
      answerFrameworkError(context, error, request as FastifyRequest, reply as FastifyReply);
    },
    clientErrorHandler: (error, socket) => answerClientError(context, error, socket),
  });
  app.addHook("onRequest", (request, reply, done) => {
    request.startedMs = context.clock.monotonicMs();
    if (refuseWithoutHost(context, request, reply)) return;
    done();
  });
  keepBodies(app);
  for (const route of routes) addRoute(app, context, route);
  app.setNotFoundHandler((request, reply) => {
    const exchange = new Exchange(context, NO_ROUTE, request, reply);
    exchange.problem(unrouted(routes, request));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    answerFrameworkError(context, error, request, reply);
  });
  continueIfWanted(app);
  return app;
}

/** RFC 9112 §3.2: a request of HTTP/1.1 without a Host is answered with 400. True if it was one. */
function refuseWithoutHost(
  context: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
): boolean {
  if (request.headers.host !== undefined || request.raw.httpVersion === "1.0") return false;
  const exchange = new Exchange(context, NO_ROUTE, request, reply);
  exchange.problem({ code: "malformed_request", detail: "The request has no Host header." });
  return true;
}

/**
 * Bodies are read and judged in one place (body.ts), whatever they say they are: to Fastify no request has
 * one. Those that nobody looks at, Node.js throws away when the answer has been sent.
 */
function keepBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const method of METHODS_WITH_BODY) {
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
}

/**
 * An Exchange takes the reply out of Fastify's hands, and with it the duty to answer when a handler
 * throws: Fastify would only note that the reply is gone, and the client would wait for ever.
 */
function addRoute(app: FastifyInstance, context: HttpContext, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: (request, reply) => {
      const exchange = new Exchange(context, route.path, request, reply);
      if (!TAKES_BODY.has(route.method)) return run(route, exchange);
      readBody(request, (body) => {
        exchange.body = body;
        run(route, exchange);
      });
    },
  });
}

function run(route: Route, exchange: Exchange): void {
  const fail = (thrown: unknown): void => exchange.fail(toError(thrown));
  try {
    const answered = route.handle(exchange);
    if (answered !== undefined) answered.catch(fail);
  } catch (thrown) {
    fail(thrown);
  }
}

/** The answer where no route was found: of the path, or of the path under this method. */
function unrouted(routes: readonly Route[], request: FastifyRequest): Problem {
  const { method, url } = request;
  const allowed = allowedMethods(routes, url);
  const path = quote(url.split("?", 1)[0] ?? "");
  if (allowed.length === 0) {
    return {
      code: "unknown_route",
      detail: `There is nothing at ${path}. The paths of the API are listed at /docs.`,
    };
  }
  return {
    code: "method_not_allowed",
    detail: `${method} does not apply to ${path}; ${allowed.join(", ")} do.`,
    members: { allowed },
    headers: { Allow: allowed.join(", ") },
  };
}

/**
 * What Fastify refuses of its own accord, in our words: its own name the framework and echo input.
 */
function answerFrameworkError(
  context: HttpContext,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (reply.sent) return;
  const exchange = new Exchange(context, NO_ROUTE, request, reply);
  switch (error.code) {
    case "FST_ERR_BAD_URL":
      exchange.problem({
        code: "malformed_request",
        detail: "The path holds a percent-escape that is broken or not UTF-8.",
      });
      return;
    case "FST_ERR_MAX_PARAM_LENGTH":
      exchange.problem({
        code: "not_found",
        detail: `No object has an id of more than ${ID_CHARS_MAX} characters.`,
      });
      return;
    default:
      exchange.fail(error);
  }
}

/**
 * A client that asks before it sends ("Expect: 100-continue") is told to go on only if its body can
 * be taken; otherwise it gets the refusal without having sent anything. Other expectations are
 * ignored.
 */
function continueIfWanted(app: FastifyInstance): void {
  const { server } = app;
  server.on("checkContinue", (request, response) => {
    if (Number(request.headers["content-length"] ?? 0) <= BODY_BYTES_MAX) response.writeContinue();
    server.emit("request", request, response);
  });
  server.on("checkExpectation", (request, response) => {
    server.emit("request", request, response);
  });
}
