// The farm's objects from the command line: list, get, create, update, delete, and the steps of a
// job.
//
// Objects and lists go to standard output, so that they can be piped; what was done, and what is
// not shown, goes to standard error. Rules about the objects are the server's: nothing is checked
// here that it checks, and its refusals are shown in its own words.

import { PAGE_ROWS_MAX } from "../../base/limits.ts";
import { Failure } from "../failure.ts";
import { type JsonObject, fieldText, isObject, prettyJson } from "../json.ts";
import type { Session } from "../session.ts";
import { renderTable } from "../table.ts";
import { plural, printable } from "../text.ts";
import { type Client, bodyOf } from "./client.ts";
import { type Collection, JOBS } from "./collections.ts";

export interface Output {
  readonly json: boolean;
}

type Query = Readonly<Record<string, readonly string[] | string | null>>;

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null) continue;
    for (const one of typeof value === "string" ? [value] : value) parameters.append(name, one);
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

function one(collection: Collection, id: string): string {
  return `${collection.path}/${encodeURIComponent(id)}`;
}

/** `linearizable` is the server's own default and need not be said. */
function consistencyOf(options: { readonly consistency: string }): string | null {
  return options.consistency === "linearizable" ? null : options.consistency;
}

export async function list(
  session: Session,
  client: Client,
  collection: Collection,
  options: Output & {
    readonly consistency: string;
    /** Null: all of them for a program, a page of them for people. */
    readonly limit: number | null;
    readonly filters?: Query;
  },
): Promise<void> {
  const limit = options.limit ?? (options.json ? Number.POSITIVE_INFINITY : PAGE_ROWS_MAX);
  const rows: JsonObject[] = [];
  let total = 0;
  let path: string | null = withQuery(collection.path, {
    ...options.filters,
    consistency: consistencyOf(options),
    limit: String(Math.min(limit, PAGE_ROWS_MAX)),
  });
  while (path !== null && rows.length < limit) {
    const { answer } = await client.ask({ method: "GET", path });
    const page: unknown = bodyOf(answer);
    if (!Array.isArray(page)) throw new Failure("The server's answer is not a list.");
    rows.push(...page.filter(isObject));
    // The count is of the filtered list, and may change between the pages: the last one is the
    // newest.
    total = Number(answer.headers.get("x-total-count") ?? rows.length);
    path = nextPage(answer.headers.get("link") ?? "");
  }
  const shown = rows.slice(0, limit);
  const { terminal } = session;
  if (options.json) terminal.out(prettyJson(shown));
  else if (shown.length === 0) terminal.out(`There are no ${collection.noun}s to show.\n`);
  else terminal.out(objectTable(session, collection, shown));
  if (total > shown.length) {
    const all = plural(total, collection.noun);
    terminal.err(`Shown are ${shown.length} of ${all}; --limit ${total} shows them all.\n`);
  }
}

/** The path of the next page, from `Link: <…>; rel="next"`. */
function nextPage(link: string): string | null {
  const found = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link)?.[1];
  if (found === undefined) return null;
  // Absolute or not: what is asked next goes to the same cluster.
  const { pathname, search } = new URL(found, "http://node");
  return pathname + search;
}

function objectTable(
  session: Session,
  collection: Collection,
  rows: readonly JsonObject[],
): string {
  const { columns } = collection;
  const cells = rows.map((row) => columns.map((column) => fieldText(row[column.field])));
  return renderTable(session.terminal, columns, cells);
}

export async function get(
  session: Session,
  client: Client,
  collection: Collection,
  id: string,
  options: Output & { readonly consistency: string },
): Promise<void> {
  const path = withQuery(one(collection, id), { consistency: consistencyOf(options) });
  show(session, await client.json({ method: "GET", path }), options);
}

function show(session: Session, object: unknown, options: Output): void {
  if (options.json || !isObject(object)) {
    session.terminal.out(prettyJson(object));
    return;
  }
  const names = Object.keys(object);
  const width = Math.max(...names.map((name) => name.length));
  for (const name of names) {
    session.terminal.out(`${name.padEnd(width)}  ${printable(fieldText(object[name]))}\n`);
  }
}

/** What a write carries besides its content. */
export interface WriteOptions extends Output {
  readonly idempotencyKey: string | null;
  readonly ifMatch?: string | null;
}

/** Fields that were not given are left out: null would be a value, and a wrong one. */
function present(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/**
 * As it would be written in JSON: 5 is a number, 05 and a5 are texts. They name the same object.
 */
export function idValue(text: string): string | number;
export function idValue(text: string | null): string | number | null;
export function idValue(text: string | null): string | number | null {
  if (text === null || !/^(?:0|[1-9]\d{0,15})$/.test(text)) return text;
  return Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

export async function create(
  session: Session,
  client: Client,
  collection: Collection,
  fields: JsonObject,
  options: WriteOptions,
): Promise<void> {
  const { idempotencyKey } = options;
  const body = present(fields);
  const path = collection.path;
  const object = await client.json({ method: "POST", path, body, idempotencyKey });
  if (!options.json) session.terminal.err(`Created ${named(collection, object)}.\n`);
  show(session, object, options);
}

function named(collection: Collection, object: unknown): string {
  const id = isObject(object) ? fieldText(object["id"]) : "?";
  return `${collection.noun} ${printable(id)}`;
}

/** An entity tag is written in quotes, a version on the command line is not. */
function ifMatchHeader(options: WriteOptions): { readonly headers?: Record<string, string> } {
  const { ifMatch } = options;
  if (ifMatch === null || ifMatch === undefined) return {};
  return { headers: { "if-match": /^\d+$/.test(ifMatch) ? `"${ifMatch}"` : ifMatch } };
}

export async function update(
  session: Session,
  client: Client,
  collection: Collection,
  id: string,
  fields: JsonObject,
  options: WriteOptions,
): Promise<void> {
  const { idempotencyKey } = options;
  const object = await client.json({
    method: "PATCH",
    path: one(collection, id),
    body: present(fields),
    idempotencyKey,
    ...ifMatchHeader(options),
  });
  if (!options.json) session.terminal.err(`Changed ${named(collection, object)}.\n`);
  show(session, object, options);
}

export async function remove(
  session: Session,
  client: Client,
  collection: Collection,
  id: string,
  options: WriteOptions,
): Promise<void> {
  const { idempotencyKey } = options;
  const path = one(collection, id);
  await client.ask({ method: "DELETE", path, idempotencyKey, ...ifMatchHeader(options) });
  if (!options.json) session.terminal.err(`Deleted ${collection.noun} ${printable(id)}.\n`);
}

/** The next step of a print job. */
export async function moveJob(
  session: Session,
  client: Client,
  id: string,
  status: "running" | "done" | "canceled",
  options: WriteOptions,
): Promise<void> {
  const { idempotencyKey } = options;
  const path = `${one(JOBS, id)}/status?status=${status}`;
  const object = await client.json({
    method: "POST",
    path,
    idempotencyKey,
    ...ifMatchHeader(options),
  });
  const now = isObject(object) ? fieldText(object["status"]) : status;
  if (!options.json) session.terminal.err(`Print job ${printable(id)} is ${now}.\n`);
  show(session, object, options);
}
