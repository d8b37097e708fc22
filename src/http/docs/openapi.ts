// The OpenAPI 3.1 document, made from the routes and from nothing else. Schemas of JSON Schema
// 2020-12 are what OpenAPI 3.1 uses, and TypeBox's are that, so nothing is translated: named ones
// become components and are referred to, the rest stands where it is used.

import type { TSchema } from "typebox";

import { assert } from "../../base/assert.ts";
import type { ProblemCode } from "../problems.ts";
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from "../problems.ts";
import type { AnswerHeader, Operation, Route } from "../route.ts";
import { ANSWER_HEADERS, COMMON_HEADERS, REQUEST_HEADERS, TAGS } from "../route.ts";
import { COMPONENTS, problem } from "../schemas.ts";

export interface OpenApi {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  /** Path, then method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, SchemaObject>>;
    readonly headers: Readonly<Record<string, HeaderObject>>;
  };
}

export interface OperationObject {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly ParameterObject[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Content;
  };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

interface ParameterObject {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: SchemaObject;
}

interface ResponseObject {
  readonly description: string;
  readonly headers: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Content;
}

export type Content = Readonly<Record<string, { readonly schema: SchemaObject }>>;

interface HeaderObject {
  readonly description: string;
  readonly schema: { readonly type: "string" };
}

/** JSON Schema 2020-12; `$ref` where it is a component. */
export type SchemaObject = Readonly<Record<string, unknown>>;

const DESCRIPTION = [
  "Printers, filament spools and print jobs, kept on several machines by the Raft protocol.",
  "Every node answers every request.",
  "A write is answered when it is committed and applied at the answering node; a read is linearizable unless `consistency=stale` is asked for.",
  "HEAD works wherever GET does.",
  `Every answer, errors too, carries ${COMMON_HEADERS.map((name) => `\`${name}\``).join(", ")}.`,
  "Errors are `application/problem+json` (RFC 9457) with a stable `code`; /docs/errors explains each.",
  "Besides the codes listed with an operation, any request can meet `unknown_route` (404), `method_not_allowed` (405), `malformed_request` (400), `request_timeout` (408) and `headers_too_large` (431).",
].join(" ");

export function openApi(routes: readonly Route[]): OpenApi {
  const renderer = new SchemaRenderer(namedSchemas(routes));
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationObject(route.operation, renderer);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Raft3D", version: "1", description: DESCRIPTION },
    // Relative: the document is served by every node, and each is a server of its own.
    servers: [{ url: "/" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: renderer.components(),
      headers: Object.fromEntries(
        Object.entries(ANSWER_HEADERS).map(([name, description]) => [
          name,
          { description, schema: { type: "string" } },
        ]),
      ),
    },
  };
}

/**
 * Schemas are told apart by identity: the one object that a route and COMPONENTS share is the
 * component.
 */
function namedSchemas(routes: readonly Route[]): ReadonlyMap<TSchema, string> {
  const names = new Map(Object.entries(COMPONENTS).map(([name, schema]) => [schema, name]));
  for (const { operation } of routes) {
    if (operation.body !== undefined)
      names.set(operation.body.form.schema, operation.body.form.name);
  }
  assert(new Set(names.values()).size === names.size, "two schemas have the same name");
  return names;
}

/** Schemas as JSON: components by reference, and without what only messages need. */
class SchemaRenderer {
  readonly #names: ReadonlyMap<object, string>;

  constructor(names: ReadonlyMap<TSchema, string>) {
    this.#names = names;
  }

  components(): Readonly<Record<string, SchemaObject>> {
    return Object.fromEntries(
      [...this.#names]
        .map(([schema, name]) => [name, this.#fields(schema)] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  render(schema: TSchema): SchemaObject {
    const name = this.#names.get(schema);
    return name === undefined ? this.#fields(schema) : { $ref: `#/components/schemas/${name}` };
  }

  #fields(schema: object): SchemaObject {
    const fields = Object.entries(schema).filter(([key]) => key !== "mustBe" && key !== "about");
    return Object.fromEntries(fields.map(([key, value]) => [key, this.#value(value)]));
  }

  #value(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#value(item));
    if (value === null || typeof value !== "object") return value;
    return this.render(value);
  }
}

function operationObject(operation: Operation, renderer: SchemaRenderer): OperationObject {
  const { body, description, id, summary, tag } = operation;
  const content = (mediaTypes: readonly string[], schema: TSchema): Content =>
    Object.fromEntries(mediaTypes.map((type) => [type, { schema: renderer.render(schema) }]));
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    parameters: parameterObjects(operation, renderer),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required,
            content: content(body.mediaTypes, body.form.schema),
          },
        }),
    responses: { ...answerObjects(operation, renderer), ...problemObjects(operation, renderer) },
  };
}

function parameterObjects(operation: Operation, renderer: SchemaRenderer): ParameterObject[] {
  const parameters: ParameterObject[] = [];
  const { headers = [], idOf, query = {} } = operation;
  if (idOf !== undefined) {
    const description = `The ${idOf}'s id, percent-encoded.`;
    const schema = { type: "string", minLength: 1 };
    parameters.push({ name: "id", in: "path", required: true, description, schema });
  }
  for (const [name, { description, schema }] of Object.entries(query)) {
    const rendered = renderer.render(schema);
    parameters.push({ name, in: "query", required: false, description, schema: rendered });
  }
  for (const name of headers) {
    const description = REQUEST_HEADERS[name];
    const schema = { type: "string" };
    parameters.push({ name, in: "header", required: false, description, schema });
  }
  return parameters;
}

/**
 * The good answers; the headers that every answer has stand with them, and for problems in the
 * text.
 */
function answerObjects(
  operation: Operation,
  renderer: SchemaRenderer,
): Record<string, ResponseObject> {
  const responses: Record<string, ResponseObject> = {};
  for (const [status, answer] of Object.entries(operation.answers)) {
    const content = Object.entries(answer.content ?? {}).map(
      ([type, schema]) => [type, { schema: renderer.render(schema) }] as const,
    );
    responses[status] = {
      description: answer.description,
      headers: headerRefs([...COMMON_HEADERS, ...(answer.headers ?? [])]),
      ...(content.length === 0 ? {} : { content: Object.fromEntries(content) }),
    };
  }
  return responses;
}

/**
 * One response for each status: OpenAPI knows no second, so its codes stand together in the text.
 */
function problemObjects(
  operation: Operation,
  renderer: SchemaRenderer,
): Record<string, ResponseObject> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of operation.problems) {
    const { status } = PROBLEMS[code];
    assert(!(status in operation.answers), () => `${operation.id} answers ${status} in two ways`);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const schema = renderer.render(problem);
  const responses: Record<string, ResponseObject> = {};
  for (const [status, codes] of byStatus) {
    const hasRetry = status === 429 || status === 503;
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(" "),
      headers: headerRefs([...COMMON_HEADERS, ...(hasRetry ? (["Retry-After"] as const) : [])]),
      content: { [PROBLEM_MEDIA_TYPE]: { schema } },
    };
  }
  return responses;
}

function headerRefs(names: readonly AnswerHeader[]): ResponseObject["headers"] {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
