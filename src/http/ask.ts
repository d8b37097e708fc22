// The parts of a request that can be wrong. Each function gives the part, or answers the problem
// and gives null (undefined where null is a good value): the handler then only has to return.

import type { Static, TObject, TProperties } from "typebox";

import { assert } from "../base/assert.ts";
import { sha256Hex } from "../base/hash.ts";
import { BODY_BYTES_MAX, ID_CHARS_MAX } from "../base/limits.ts";
import type { Command, Expected } from "../fsm/command.ts";
import type { ObjectKind } from "../fsm/reply.ts";
import type { IdempotencyKey } from "../node/api.ts";
import { idempotencyKeyFault, parseIfMatch } from "./conditions.ts";
import { codePoints } from "./describe.ts";
import type { Exchange } from "./exchange.ts";
import type { Form } from "./form.ts";
import type { JsonObject } from "./json.ts";
import { fieldProblem } from "./problems.ts";
import type { QueryParameters, Values } from "./query.ts";
import { parseQuery } from "./query.ts";
import { notFound } from "./refusals.ts";

const FINGERPRINT_DIGITS = 32;

/** The id in the path. No object has one that is longer than ids may be. */
export function askKey(exchange: Exchange, kind: ObjectKind): string | null {
  const { id } = exchange.request.params as { id: string }; // Only routes with :id in their path ask.
  if (codePoints(id) <= ID_CHARS_MAX) return id;
  exchange.problem(notFound(kind, id));
  return null;
}

/** The query's parameters; whatever is not declared here is refused. */
export function askQuery<P extends QueryParameters>(
  exchange: Exchange,
  parameters: P,
): Values<P> | null {
  // Fastify's parser makes nothing but strings and arrays of strings.
  const query = exchange.request.query as Readonly<Record<string, string | string[]>>;
  const parsed = parseQuery(parameters, query);
  if (parsed.ok) return parsed.value;
  exchange.problem(fieldProblem("invalid_query", parsed.errors));
  return null;
}

/** "none" if there is no body. */
export function askBody(exchange: Exchange): JsonObject | "none" | null {
  const { body } = exchange;
  switch (body.kind) {
    case "none":
      return "none";
    case "object":
      return body.value;
    case "refused":
      exchange.problem(body.problem);
      return null;
    case "too-large":
      exchange.problemWhileSending({
        code: "body_too_large",
        detail: `The body is larger than ${BODY_BYTES_MAX} bytes, which is the most that is taken.`,
        members: { limit_bytes: BODY_BYTES_MAX },
      });
      return null;
  }
}

/** A body that there must be, in this form. */
export function askForm<P extends TProperties>(
  exchange: Exchange,
  form: Form<P>,
): Static<TObject<P>> | null {
  const body = askBody(exchange);
  if (body === null) return null;
  if (body !== "none") return checkForm(exchange, form, body);
  const detail = `This request needs a body: ${form.about} Send a JSON object with Content-Type: application/json.`;
  exchange.problem({ code: "body_required", detail });
  return null;
}

export function checkForm<P extends TProperties>(
  exchange: Exchange,
  form: Form<P>,
  body: JsonObject,
): Static<TObject<P>> | null {
  const checked = form.check(body);
  if (checked.ok) return checked.value;
  exchange.problem(fieldProblem("invalid_fields", checked.errors));
  return null;
}

/** The versions that If-Match lets through; null: any. Undefined: the header is malformed. */
export function askIfMatch(exchange: Exchange): Expected | undefined {
  const parsed = parseIfMatch(exchange.request.headers["if-match"]);
  if (parsed.kind === "expected") return parsed.expected;
  exchange.problem(
    fieldProblem("invalid_header", [{ field: "If-Match", message: parsed.message }]),
  );
  return undefined;
}

/** Null: no key was sent. Undefined: it is malformed. */
export function askIdempotencyKey(
  exchange: Exchange,
  command: Command,
): IdempotencyKey | null | undefined {
  const key = exchange.request.headers["idempotency-key"];
  if (key === undefined) return null;
  assert(typeof key === "string", "Node.js joins repeated headers of this name");
  const fault = idempotencyKeyFault(key);
  if (fault === null) {
    // The fingerprint is of the command, not of the bytes of the request. Commands are built with
    // their fields in one order, so equal commands have equal texts; and what does not change the
    // command, like the letter case of a status, does not matter.
    return { key, fingerprint: sha256Hex(JSON.stringify(command), FINGERPRINT_DIGITS) };
  }
  exchange.problem(fieldProblem("invalid_header", [{ field: "Idempotency-Key", message: fault }]));
  return undefined;
}
