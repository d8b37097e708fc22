// What the three kinds of objects have in common: a collection with a list, and objects that are
// read, created, changed and deleted one by one. Each kind declares its differences in its own
// file.
//
// Handlers ask for the parts of a request in one order: path, query, headers, body. Whatever is
// wrong is answered before the next is looked at and before anything is proposed; only the body
// names all its mistakes at once. No handler looks at the farm before a write: what may be done is
// decided behind the log, where no other request can come in between.

import type { Static, TObject, TProperties, TSchema } from "typebox";
import { Type } from "typebox";

import type { Command, Expected } from "../../fsm/command.ts";
import type { FarmReader } from "../../node/api.ts";
import type { FarmObject } from "../../fsm/objects.ts";
import type { ObjectKind } from "../../fsm/reply.ts";
import type { Table } from "../../fsm/table.ts";
import { askForm, askIfMatch, askKey, askQuery } from "../ask.ts";
import { JSON_MEDIA_TYPE } from "../exchange.ts";
import type { Form } from "../form.ts";
import { sendList } from "../list.ts";
import * as query from "../query.ts";
import { sendOne, settle } from "../read.ts";
import type { AnswerHeader, Operation, Route } from "../route.ts";
import { BODY_PROBLEMS, CHANGE_PROBLEMS, READ_PROBLEMS, WRITE_PROBLEMS } from "../route.ts";
import { write } from "../write.ts";

export interface Collection<T extends FarmObject> {
  readonly kind: ObjectKind;
  readonly path: string;
  /** "printer", "printers": for the documentation. */
  readonly noun: string;
  readonly nouns: string;
  /** "Printer", "Printers": for operation ids. */
  readonly name: string;
  readonly names: string;
  readonly tag: Operation["tag"];
  readonly schema: TSchema;
  readonly table: (farm: FarmReader) => Table<T>;
}

export const JSON_BODY = [JSON_MEDIA_TYPE];
const PATCH_BODY = [JSON_MEDIA_TYPE, "application/merge-patch+json"];

const READ_ONE = { consistency: query.consistency };
export const PAGING = {
  limit: query.limit,
  cursor: query.cursor,
  consistency: query.consistency,
};

export function answer(
  description: string,
  schema: TSchema,
  headers: readonly AnswerHeader[],
): Operation["answers"][number] {
  return { description, content: { [JSON_MEDIA_TYPE]: schema }, headers };
}

export function listOperation<T extends FarmObject>(collection: Collection<T>): Operation {
  const { names, nouns, schema, tag } = collection;
  const headers: readonly AnswerHeader[] = ["X-Total-Count", "Link", "Raft3D-Last-Contact-Ms"];
  return {
    id: `list${names}`,
    tag,
    summary: `List the ${nouns}`,
    description:
      "In the order of their creation. Without limit the whole list, else pages: follow the Link header. A page neither repeats nor skips an object, whatever is added or deleted meanwhile.",
    query: PAGING,
    answers: { 200: answer(`The ${nouns}.`, Type.Array(schema), headers) },
    problems: READ_PROBLEMS,
  };
}

/** A list without filters. */
export function listRoute<T extends FarmObject>(collection: Collection<T>): Route {
  return {
    method: "GET",
    path: collection.path,
    operation: listOperation(collection),
    handle: async (exchange) => {
      const asked = askQuery(exchange, PAGING);
      if (asked === null || !(await settle(exchange, asked.consistency))) return;
      // The farm is asked for anew after every wait: a snapshot puts another one in its place.
      const table = collection.table(exchange.context.node.farm);
      const { cursor: after = 0, limit = null } = asked;
      await sendList(exchange, { table, filter: null, after, limit });
    },
  };
}

/** GET of one object, conditional on its version. */
export function readRoute<T extends FarmObject>(collection: Collection<T>): Route {
  const { kind, name, noun, path, schema, table, tag } = collection;
  return {
    method: "GET",
    path: `${path}/:id`,
    operation: {
      id: `get${name}`,
      tag,
      summary: `Get one ${noun}`,
      idOf: noun,
      query: READ_ONE,
      headers: ["If-None-Match"],
      answers: {
        200: answer(`The ${noun}.`, schema, ["ETag", "Raft3D-Last-Contact-Ms"]),
        304: { description: "It has not changed.", headers: ["ETag", "Raft3D-Last-Contact-Ms"] },
      },
      problems: [...READ_PROBLEMS, "not_found"],
    },
    handle: async (exchange) => {
      const key = askKey(exchange, kind);
      if (key === null) return;
      const asked = askQuery(exchange, READ_ONE);
      if (asked === null || !(await settle(exchange, asked.consistency))) return;
      sendOne(exchange, kind, table(exchange.context.node.farm), key);
    },
  };
}

/** POST: the only way an object comes to be. `problems` are those that only this kind can meet. */
export function createRoute<T extends FarmObject, P extends TProperties>(
  collection: Collection<T>,
  form: Form<P>,
  problems: Operation["problems"],
  toCommand: (body: Static<TObject<P>>) => Command,
): Route {
  const { name, noun, path, schema, tag } = collection;
  return {
    method: "POST",
    path,
    operation: {
      id: `create${name}`,
      tag,
      summary: `Add a ${noun}`,
      headers: ["Idempotency-Key"],
      body: { form, required: true, mediaTypes: JSON_BODY },
      answers: {
        201: answer(`The new ${noun}.`, schema, ["Location", "ETag", "Idempotency-Replayed"]),
      },
      problems: [...WRITE_PROBLEMS, ...BODY_PROBLEMS, "body_required", "duplicate_id", ...problems],
    },
    handle: (exchange) => {
      if (askQuery(exchange, {}) === null) return;
      const body = askForm(exchange, form);
      if (body === null) return;
      return write(exchange, path, toCommand(body));
    },
  };
}

/**
 * PATCH, in the sense of merge patch: there is no PUT, because no client can write a whole object.
 */
export function updateRoute<T extends FarmObject, P extends TProperties>(
  collection: Collection<T>,
  form: Form<P>,
  problems: Operation["problems"],
  toCommand: (key: string, expected: Expected, body: Static<TObject<P>>) => Command,
): Route {
  const { kind, name, noun, path, schema, tag } = collection;
  return {
    method: "PATCH",
    path: `${path}/:id`,
    operation: {
      id: `update${name}`,
      tag,
      summary: `Change a ${noun}`,
      description: "Fields that are not in the body stay as they are.",
      idOf: noun,
      headers: ["If-Match", "Idempotency-Key"],
      body: { form, required: true, mediaTypes: PATCH_BODY },
      answers: { 200: answer(`The changed ${noun}.`, schema, ["ETag", "Idempotency-Replayed"]) },
      problems: [...CHANGE_PROBLEMS, ...BODY_PROBLEMS, "body_required", ...problems],
    },
    handle: (exchange) => {
      const key = askKey(exchange, kind);
      if (key === null || askQuery(exchange, {}) === null) return;
      const expected = askIfMatch(exchange);
      if (expected === undefined) return;
      const body = askForm(exchange, form);
      if (body === null) return;
      return write(exchange, path, toCommand(key, expected, body));
    },
  };
}

/**
 * DELETE of what is not there is a 404 also when it was deleted a moment ago: replays need a key.
 */
export function deleteRoute<T extends FarmObject>(
  collection: Collection<T>,
  toCommand: (key: string, expected: Expected) => Command,
): Route {
  const { kind, name, noun, path, tag } = collection;
  return {
    method: "DELETE",
    path: `${path}/:id`,
    operation: {
      id: `delete${name}`,
      tag,
      summary: `Delete a ${noun}`,
      description: `A ${noun} with Queued or Running print jobs is not deleted. A body is ignored.`,
      idOf: noun,
      headers: ["If-Match", "Idempotency-Key"],
      answers: { 204: { description: "It is deleted.", headers: ["Idempotency-Replayed"] } },
      problems: [...CHANGE_PROBLEMS, "in_use"],
    },
    handle: (exchange) => {
      const key = askKey(exchange, kind);
      if (key === null || askQuery(exchange, {}) === null) return;
      const expected = askIfMatch(exchange);
      if (expected === undefined) return;
      return write(exchange, path, toCommand(key, expected));
    },
  };
}
