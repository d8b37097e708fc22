// Reads the body of a request: at most BODY_BYTES_MAX bytes, as strict UTF-8, as one JSON object.
//
// What is wrong with a body is a value, not an exception, and it is judged after the bytes have
// been taken off the wire, so that the connection can be used again. The exception is a body over
// the limit: nothing of it is kept and reading stops there; exchange.ts answers it and closes the
// connection.

import type { FastifyRequest } from "fastify";

import { decodeUtf8 } from "../base/bytes.ts";
import { BODY_BYTES_MAX } from "../base/limits.ts";
import { describe, quote } from "./describe.ts";
import type { JsonObject } from "./json.ts";
import { parseBody } from "./json.ts";
import type { FieldError, Problem } from "./problems.ts";
import { fieldProblem } from "./problems.ts";

export type Body =
  | { readonly kind: "none" }
  | { readonly kind: "object"; readonly value: JsonObject }
  | { readonly kind: "refused"; readonly problem: Problem }
  /** Not read to its end; the answer has to see to the rest. */
  | { readonly kind: "too-large" };

export const NO_BODY: Body = { kind: "none" };
const TOO_LARGE: Body = { kind: "too-large" };

/**
 * What came in over the wire; the callback is not called if the client went away before the end.
 */
export function readBody(request: FastifyRequest, done: (body: Body) => void): void {
  const { raw, headers } = request;
  if (Number(headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
    done(TOO_LARGE);
    return;
  }
  let first: Buffer | null = null;
  let rest: Buffer[] | null = null;
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      // The length that the client announced was checked above; this one is chunked and announced
      // none.
      raw.off("data", onData);
      raw.off("end", onEnd);
      done(TOO_LARGE);
    } else if (first === null) {
      first = chunk;
    } else {
      rest ??= [];
      rest.push(chunk);
    }
  };
  const onEnd = (): void => {
    if (first === null) done(NO_BODY);
    else done(judge(request, rest === null ? first : Buffer.concat([first, ...rest], bytes)));
  };
  raw.on("data", onData);
  raw.on("end", onEnd);
  // Without a listener, a connection that breaks off in the middle of a body would be an uncaught
  // error.
  raw.on("error", ignore);
}

function ignore(): void {
  // The client is gone; there is nobody to tell.
}

/** The order is that of cause: what is not JSON at all is not told that a brace is missing. */
function judge(request: FastifyRequest, bytes: Buffer): Body {
  const fault = mediaTypeFault(request);
  if (fault !== null) return refused({ code: "unsupported_media_type", detail: fault });
  const text = toText(bytes);
  if (text === null) {
    return refused({
      code: "invalid_utf8",
      detail:
        "The body holds bytes that are not UTF-8. Send the JSON text encoded as UTF-8, whole characters only.",
    });
  }
  const parsed = parseBody(text);
  switch (parsed.kind) {
    case "object":
      return parsed;
    case "malformed": {
      const { reason, line, column } = parsed;
      return refused({
        code: "malformed_json",
        detail: `The body is not well-formed JSON: ${reason} (line ${line}, column ${column}).`,
        members: { line, column },
      });
    }
    case "not-object":
      return refused({
        code: "malformed_json",
        detail: `The body must be a JSON object, not ${describe(parsed.value)}.`,
      });
    case "duplicate-fields":
      return refused(fieldProblem("invalid_fields", parsed.fields.map(repeated)));
  }
}

function refused(problem: Problem): Body {
  return { kind: "refused", problem };
}

function repeated(field: string): FieldError {
  return { field, message: "stands more than once, and it is not clear which is meant" };
}

/** Null if the bytes are not UTF-8. */
function toText(bytes: Buffer): string | null {
  // Buffer's decoder is several times faster than the strict one, and marks what it cannot decode
  // with U+FFFD. Only where one of those stands, which may also be a real one, is the strict
  // decoder asked.
  let text = bytes.toString("utf8");
  if (text.includes("\ufffd")) {
    try {
      text = decodeUtf8(bytes);
    } catch {
      return null;
    }
  }
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

const MERGE_PATCH = "application/merge-patch+json";

/** What is wrong with the headers that say what the body is; null if nothing. */
function mediaTypeFault(request: FastifyRequest): string | null {
  const type = request.headers["content-type"];
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return `The body must be sent without a Content-Encoding; ${quote(encoding)} is not taken.`;
  }
  if (type === "application/json") return null;
  if (type === undefined) {
    return "The body comes without a Content-Type. Send Content-Type: application/json.";
  }
  const [name = "", ...parameters] = type.split(";").map((part) => part.trim().toLowerCase());
  // Merge patch is how a PATCH with a JSON object is to be read (RFC 7396), and how it is read
  // here: a field that is named is replaced. Its null, which removes a field, is refused by name,
  // since no object can be without one of its fields.
  const isJson =
    name === "application/json" || (name === MERGE_PATCH && request.method === "PATCH");
  if (!isJson) {
    return `The body must be JSON (Content-Type: application/json), and says it is ${quote(type)}.`;
  }
  if (parameters.every((part) => part === "" || /^charset="?utf-?8"?$/.test(part))) return null;
  return `JSON is UTF-8 and has no other parameters; the Content-Type is ${quote(type)}.`;
}
