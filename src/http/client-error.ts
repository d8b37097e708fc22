// Requests that never become one: broken HTTP, headers without end, clients that send a byte a
// second. Node.js hands over the bare connection; it gets a complete answer by hand, in the form of
// all others, and is closed.

import type { FastifyServerOptions } from "fastify";

import type { HttpContext } from "./context.ts";
import { commonHeaders } from "./context.ts";
import type { Problem } from "./problems.ts";
import { PROBLEM_MEDIA_TYPE, problemBody, PROBLEMS } from "./problems.ts";

type ClientError = Parameters<NonNullable<FastifyServerOptions["clientErrorHandler"]>>;

/** How long the client may go on sending before the connection ends under it. */
const LINGER_MS = 1000;

export function answerClientError(
  context: HttpContext,
  error: ClientError[0],
  socket: ClientError[1],
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const pending = pendingAnswer(socket);
  if (pending === null) {
    socket.end(responseText(context, problemOf(error.code)));
    // What is still coming in is thrown away, so that the connection is not reset before it is
    // read.
    socket.resume();
    context.clock.after(LINGER_MS, () => void socket.destroy());
  } else {
    pending.once("finish", () => socket.destroySoon());
  }
}

interface PendingAnswer {
  readonly headersSent: boolean;
  readonly req: { readonly complete: boolean };
  once(event: "finish", handler: () => void): unknown;
}

/**
 * The answer that is still owed for an earlier, whole request of the connection. The error must not
 * be answered in its place: the client would take a write that is carried out for one that was
 * refused.
 */
function pendingAnswer(socket: ClientError[1]): PendingAnswer | null {
  // Node.js has no public way to ask; its own handler of these errors looks at the same field.
  const { _httpMessage: message } = socket as { _httpMessage?: PendingAnswer | null };
  if (message === undefined || message === null) return null;
  return message.headersSent || message.req.complete ? message : null;
}

function problemOf(code: string): Problem {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return {
        code: "headers_too_large",
        detail: "The request line and the headers together are larger than the server takes.",
      };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return {
        code: "request_timeout",
        detail: "The request did not come in completely within the time the server waits.",
      };
    default:
      return { code: "malformed_request", detail: "What came in is not a request of HTTP/1.1." };
  }
}

function responseText(context: HttpContext, problem: Problem): string {
  const { status, title } = PROBLEMS[problem.code];
  const body = problemBody(problem);
  const headers = [
    "Content-Type",
    PROBLEM_MEDIA_TYPE,
    "Content-Length",
    String(Buffer.byteLength(body)),
    ...commonHeaders(context),
    "Connection",
    "close",
  ];
  const lines = [`HTTP/1.1 ${status} ${title}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
