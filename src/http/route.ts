// What a route is: how it is reached, what it does, and everything the documentation says about it.
// One declaration serves Fastify, the 405 answers, the OpenAPI document and the page made from
// that, so none of them can know of a route that the others do not.

import type { TSchema } from "typebox";

import type { Exchange } from "./exchange.ts";
import type { ProblemCode } from "./problems.ts";
import type { QueryParameters } from "./query.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Route {
  readonly method: Method;
  /** As Fastify writes it: /api/v1/printers/:id */
  readonly path: string;
  readonly operation: Operation;
  readonly handle: (exchange: Exchange) => void | Promise<void>;
}

export const TAGS = {
  Printers: "The machines.",
  Filaments: "The spools.",
  "Print jobs": "What is printed, on which printer, from which spool.",
  Events: "Everything that happened, in order.",
  Cluster: "Where the cluster stands.",
  Health: "For load balancers, Kubernetes and Prometheus.",
  Documentation: "What you are reading.",
} as const;

export interface Operation {
  /** Unique; client generators make method names of it. */
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  /** What :id is the id of. */
  readonly idOf?: string;
  readonly query?: QueryParameters;
  readonly headers?: readonly RequestHeader[];
  readonly body?: BodyDoc;
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  readonly problems: readonly ProblemCode[];
}

interface BodyDoc {
  readonly form: { readonly name: string; readonly schema: TSchema };
  readonly required: boolean;
  readonly mediaTypes: readonly string[];
}

interface AnswerDoc {
  readonly description: string;
  /** Media type to what stands in it; absent: no body. */
  readonly content?: Readonly<Record<string, TSchema>>;
  readonly headers?: readonly AnswerHeader[];
}

export const REQUEST_HEADERS = {
  "If-Match":
    'Carries the request out only if the object\'s version is one of these entity tags, such as "12". Otherwise: 412.',
  "If-None-Match": "Answers 304 without a body if the object still has one of these entity tags.",
  "Idempotency-Key":
    "1 to 255 visible ASCII characters, chosen by the client. The same key with the same request gives the first answer again, on any node, instead of doing it twice. The last 262,144 answers under keys are remembered.",
  "Last-Event-ID": "The id of the last event received: the stream goes on after it. Beats `after`.",
} as const;

type RequestHeader = keyof typeof REQUEST_HEADERS;

export const ANSWER_HEADERS = {
  "Raft3D-Index": "The log index that the answering node had applied.",
  "Raft3D-Leader": "The id of the leader that the answering node knows of, or none.",
  "Raft3D-Served-By": "The id of the answering node.",
  "Raft3D-Last-Contact-Ms":
    "Only with consistency=stale: milliseconds since the node last knew itself in touch with a leader. Absent if it has not been since it was started: the answer may then be of any age.",
  "Raft3D-Events-Through":
    "Log index up to which the page is complete: `after` of the next page may be this.",
  ETag: "The object's version.",
  Location: "The path of the new object.",
  Link: 'The next page (rel="next"), if there is one.',
  "X-Total-Count": "How many objects the whole list has, filters applied.",
  "Idempotency-Replayed": "true if this is the first answer to the Idempotency-Key again.",
  "Retry-After": "Seconds after which to try again.",
  Allow: "The methods that apply to the path.",
} as const;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;

/** On every answer. */
export const COMMON_HEADERS = [
  "Raft3D-Index",
  "Raft3D-Leader",
  "Raft3D-Served-By",
] as const satisfies readonly AnswerHeader[];

/** What any request can meet. */
export const ANY_PROBLEMS = ["invalid_query", "internal_error"] as const satisfies ProblemCode[];

/** What the state of the cluster can do to a read and to a write. */
const CLUSTER_PROBLEMS = [
  ...ANY_PROBLEMS,
  "overloaded",
  "no_leader",
  "cluster_forming",
  "shutting_down",
] as const satisfies ProblemCode[];

export const READ_PROBLEMS = [...CLUSTER_PROBLEMS, "not_current"] as const satisfies ProblemCode[];

export const WRITE_PROBLEMS = [
  ...CLUSTER_PROBLEMS,
  "invalid_header",
  "idempotency_key_reused",
  "outcome_unknown",
] as const satisfies ProblemCode[];

/** Of an object that exists already. */
export const CHANGE_PROBLEMS = [
  ...WRITE_PROBLEMS,
  "not_found",
  "version_mismatch",
] as const satisfies ProblemCode[];

export const BODY_PROBLEMS = [
  "malformed_json",
  "invalid_utf8",
  "invalid_fields",
  "body_too_large",
  "unsupported_media_type",
] as const satisfies ProblemCode[];
