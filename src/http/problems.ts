// Everything that can go wrong for a client, as one table: the stable code, its HTTP status,
// whether trying again is safe, and what to tell people. The OpenAPI document, docs/errors.md and
// the page at /docs/errors are made from this table or held against it by a test; a code that is
// not here cannot be answered.
//
// A problem says what was wrong, what the rule is and what to do. It never carries a stack trace, a
// path of the server or an internal name: details are built here and in refusals.ts from what the
// client sent and what the farm holds, and from nothing else.

/**
 * no: the same request will be refused again. safe: nothing was done, try again later.
 * outcome-unknown: it may have been done; try again under the same Idempotency-Key.
 */
export type RetryClass = "no" | "safe" | "outcome-unknown";

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: RetryClass;
  /** When it is answered and what to do about it, for the documentation. */
  readonly help: string;
}

export const PROBLEMS = {
  body_required: {
    status: 400,
    title: "A body is needed",
    retry: "no",
    help: "The request needs a JSON object as its body and came without one. Send one, with `Content-Type: application/json`.",
  },
  malformed_json: {
    status: 400,
    title: "The body is not well-formed JSON",
    retry: "no",
    help: "The body breaks the grammar of JSON, is nested too deeply, or is not an object. `line` and `column` say where, if that is known.",
  },
  invalid_utf8: {
    status: 400,
    title: "The body is not UTF-8",
    retry: "no",
    help: "JSON is sent as UTF-8. Usually the text was written in another encoding, or cut in the middle of a character.",
  },
  invalid_fields: {
    status: 400,
    title: "Fields of the body are wrong",
    retry: "no",
    help: "`errors` names every field that is missing, unknown, of the wrong type or out of range, each with what it must be.",
  },
  unknown_reference: {
    status: 400,
    title: "A field names an object that does not exist",
    retry: "no",
    help: "`errors` names each of `printer_id` and `filament_id` for which there is no object. Create it first, or correct the id.",
  },
  invalid_query: {
    status: 400,
    title: "Query parameters are wrong",
    retry: "no",
    help: "`errors` names every query parameter that is unknown, repeated where it may stand once, or has an impossible value.",
  },
  invalid_header: {
    status: 400,
    title: "A header is wrong",
    retry: "no",
    help: "`errors` names the header (`If-Match`, `Idempotency-Key` or `Last-Event-ID`) and what it must look like.",
  },
  malformed_request: {
    status: 400,
    title: "The request is not valid HTTP",
    retry: "no",
    help: "The request line, a header or the framing of the body breaks the rules of HTTP, or the path holds a broken percent-escape.",
  },
  not_found: {
    status: 404,
    title: "There is no such object",
    retry: "no",
    help: "No object has the id in the path. It was never created, or it has been deleted.",
  },
  unknown_route: {
    status: 404,
    title: "There is nothing at this path",
    retry: "no",
    help: "The path is not one of the API's. `/docs` lists them.",
  },
  method_not_allowed: {
    status: 405,
    title: "The method is not allowed here",
    retry: "no",
    help: "The path exists, the method does not apply to it. The `Allow` header and `allowed` list those that do.",
  },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time",
    retry: "safe",
    help: "The connection was opened but the whole request did not arrive within the limit. Nothing was done.",
  },
  duplicate_id: {
    status: 409,
    title: "The id is taken",
    retry: "no",
    help: 'Ids are unique within their kind, and `1` and `"1"` are the same id. Choose another, or leave `id` out and the cluster assigns one.',
  },
  transition_not_allowed: {
    status: 409,
    title: "The job cannot change to this status",
    retry: "no",
    help: "A job goes from Queued to Running to Done, and from Queued or Running to Canceled. `from`, `to` and `allowed` say what was asked and what is possible.",
  },
  not_enough_filament: {
    status: 409,
    title: "Not enough filament",
    retry: "no",
    help: "The job weighs more than the spool has left after the jobs already Queued or Running on it. `remaining`, `reserved`, `available` and `asked` are grams.",
  },
  in_use: {
    status: 409,
    title: "The object is in use",
    retry: "no",
    help: "A printer or filament with Queued or Running jobs cannot be deleted. Finish or cancel them first; `jobs` counts them.",
  },
  weight_conflict: {
    status: 409,
    title: "The spool's weights would contradict each other",
    retry: "no",
    help: "After the change the spool would hold more than its total, or less than its jobs have reserved. `total`, `remaining` and `reserved` are grams, as they would have been.",
  },
  events_gone: {
    status: 410,
    title: "These events are no longer kept",
    retry: "no",
    help: "The event log has been cut off before `oldest_index`. Read the objects anew, then follow the events from the answer's `Raft3D-Index`.",
  },
  version_mismatch: {
    status: 412,
    title: "The object has changed",
    retry: "no",
    help: "No entity tag in `If-Match` is the object's current `version`. Read the object again, then decide anew.",
  },
  body_too_large: {
    status: 413,
    title: "The body is too large",
    retry: "no",
    help: "A body may have `limit_bytes` bytes. Nothing of it was kept, and the connection is closed.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The body is not JSON",
    retry: "no",
    help: "Send `Content-Type: application/json` (for PATCH also `application/merge-patch+json`) in UTF-8 without a `Content-Encoding`.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The Idempotency-Key belongs to another request",
    retry: "no",
    help: "A key stands for one request. Use the key again only to repeat that request, and a new one for a new request.",
  },
  overloaded: {
    status: 429,
    title: "This node has too much to do",
    retry: "safe",
    help: "Too many requests are in flight. Nothing was proposed; try again after `Retry-After` seconds, with fewer requests at a time.",
  },
  headers_too_large: {
    status: 431,
    title: "The headers are too large",
    retry: "no",
    help: "The request line and headers together exceed the limit.",
  },
  internal_error: {
    status: 500,
    title: "Something is broken in the server",
    retry: "outcome-unknown",
    help: "A bug. The node's log has the cause. If the request was a write, it may have been carried out: repeat it only under the same Idempotency-Key.",
  },
  no_leader: {
    status: 503,
    title: "There is no leader at the moment",
    retry: "safe",
    help: "The cluster is electing a leader, or this node is cut off from the majority. Nothing was proposed. Try again, or another node; reads work with `?consistency=stale`.",
  },
  not_current: {
    status: 503,
    title: "This node is behind",
    retry: "safe",
    help: "The node knows a leader, and has not caught up with it in time, or had no word from it that it still leads. Try again, or ask another node; reads work with `?consistency=stale`.",
  },
  cluster_forming: {
    status: 503,
    title: "The cluster is still forming",
    retry: "safe",
    help: "The node has started but does not belong to a cluster that has a quorum yet. Nothing was proposed; try again.",
  },
  shutting_down: {
    status: 503,
    title: "This node is shutting down",
    retry: "safe",
    help: "The node no longer takes requests. Nothing was proposed; ask another node.",
  },
  events_missing: {
    status: 503,
    title: "This node does not have these events yet",
    retry: "safe",
    help: "The node caught up by a snapshot and is still fetching this part of the event log. Try again, or ask another node.",
  },
  outcome_unknown: {
    status: 504,
    title: "The outcome is not known",
    retry: "outcome-unknown",
    help: "The command was proposed, and it is not known whether it was or will be carried out. Repeat the request under the same `Idempotency-Key`: it is carried out once. Without a key, read the object before you repeat.",
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

/** One wrong field, query parameter or header. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface Problem {
  readonly code: ProblemCode;
  readonly detail: string;
  /** Further members of the body: `errors`, `from`, `remaining`, … */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Headers that belong to the answer: `Allow`, … */
  readonly headers?: Readonly<Record<string, string>>;
}

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** Seconds after which a client should try again where that is safe. */
export const RETRY_AFTER_SECONDS = 1; // About an election.

/** The body of the answer (RFC 9457). `type` is a relative reference: any node serves the page. */
export function problemBody(problem: Problem): string {
  const { status, title } = PROBLEMS[problem.code];
  const { code, detail } = problem;
  return JSON.stringify({
    type: `/docs/errors#${code}`,
    title,
    status,
    detail,
    code,
    ...problem.members,
  });
}

/** Mistakes that the detail spells out; all of them stand in `errors`. */
const DETAIL_ERRORS_MAX = 3;

/**
 * Wrong fields, parameters or headers, all at once: the detail gives the first of them as a
 * sentence.
 */
export function fieldProblem(
  code: "invalid_fields" | "invalid_query" | "invalid_header" | "unknown_reference",
  errors: readonly FieldError[],
): Problem {
  const told = errors
    .slice(0, DETAIL_ERRORS_MAX)
    .map((error) => `${error.field} ${error.message}`.trimStart());
  const more = errors.length - told.length;
  if (more > 0) told.push(`and ${more} more, see errors`);
  return { code, detail: `${told.join("; ")}.`, members: { errors } };
}
