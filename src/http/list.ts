// Lists: whole or in pages, filtered or not, of ten rows or of a million.
//
// A small table is looked through in one go, without anything being copied. A large one is read
// through a view, which later writes do not change, in slices with other requests in between:
// counting first, because the total stands in a header, then the rows, each slice only when the
// client has taken the one before it. So no list holds up the node, and every list shows the farm
// at one log index, the one in its Raft3D-Index.

import { STREAM_SLICE_BYTES, STREAM_SLICE_ROWS } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import type { FarmObject } from "../fsm/objects.ts";
import type { Table, TableView } from "../fsm/table.ts";
import { encodeCursor } from "./cursor.ts";
import type { Exchange } from "./exchange.ts";
import { JSON_MEDIA_TYPE } from "./exchange.ts";
import { present } from "./present.ts";

export interface Listing<T extends FarmObject> {
  readonly table: Table<T>;
  /** Null: every row. */
  readonly filter: ((row: T) => boolean) | null;
  /** Rows created after this index; 0: from the first. */
  readonly after: number;
  /** Null: all of them. */
  readonly limit: number | null;
}

/** What is found: in pages the rows, else an iterator that still has to be run, and filtered. */
interface Found<T> {
  readonly total: number;
  readonly rows: Iterable<T>;
  /** The created_index after which the next page begins; null if there is none. */
  readonly next: number | null;
}

/** To be called in the turn in which the state was settled. */
export async function sendList<T extends FarmObject>(
  exchange: Exchange,
  listing: Listing<T>,
): Promise<void> {
  const { clock, node } = exchange.context;
  exchange.describes(node.appliedIndex);
  const isSmall = listing.table.size <= STREAM_SLICE_ROWS;
  const found = isSmall ? findNow(listing) : await findInSlices(listing, clock);
  exchange.header("X-Total-Count", String(found.total));
  if (found.next !== null) exchange.header("Link", nextLink(exchange, found.next));
  // The rows of a small table and of a page are filtered already.
  const keep = isSmall || listing.limit !== null ? null : listing.filter;
  await sendRows(exchange, pieces(found.rows, keep));
}

function findNow<T extends FarmObject>(listing: Listing<T>): Found<T> {
  const { filter, after } = listing;
  const limit = listing.limit ?? Infinity;
  const rows: T[] = [];
  let total = 0;
  for (const row of listing.table.values()) {
    if (filter !== null && !filter(row)) continue;
    total += 1;
    if (row.created_index > after && rows.length <= limit) rows.push(row);
  }
  return { total, ...cut(rows, limit) };
}

async function findInSlices<T extends FarmObject>(
  listing: Listing<T>,
  clock: Clock,
): Promise<Found<T>> {
  const { filter, after, limit } = listing;
  // The view is taken before the first await: it is the state that was settled.
  const view = listing.table.view();
  const total = filter === null ? view.size : await count(view, filter, clock);
  if (limit === null) return { total, rows: view.after(after), next: null };
  const rows: T[] = [];
  let looked = 0;
  for (const row of view.after(after)) {
    if (filter === null || filter(row)) rows.push(row);
    if (rows.length > limit) break;
    looked += 1;
    if (looked % STREAM_SLICE_ROWS === 0) await turn(clock);
  }
  return { total, ...cut(rows, limit) };
}

async function count<T extends FarmObject>(
  view: TableView<T>,
  filter: (row: T) => boolean,
  clock: Clock,
): Promise<number> {
  let total = 0;
  let looked = 0;
  for (const row of view.values()) {
    if (filter(row)) total += 1;
    looked += 1;
    if (looked % STREAM_SLICE_ROWS === 0) await turn(clock);
  }
  return total;
}

function turn(clock: Clock): Promise<void> {
  return new Promise((next) => clock.defer(next));
}

/** Whoever finds one row more than asked for knows that there is a next page. */
function cut<T extends FarmObject>(rows: readonly T[], limit: number) {
  if (rows.length <= limit) return { rows, next: null };
  const page = rows.slice(0, limit);
  return { rows: page, next: page.at(-1)?.created_index ?? null };
}

/** The list's text in pieces; the last one is returned instead of yielded. */
function* pieces<T extends FarmObject>(
  rows: Iterable<T>,
  keep: ((row: T) => boolean) | null,
): Generator<string, string> {
  let text = "[";
  let separator = "";
  let looked = 0;
  for (const row of rows) {
    if (text.length >= STREAM_SLICE_BYTES || looked === STREAM_SLICE_ROWS) {
      yield text;
      text = "";
      looked = 0;
    }
    looked += 1;
    if (keep !== null && !keep(row)) continue;
    text += separator + present(row);
    separator = ",";
  }
  return `${text}]`;
}

async function sendRows(exchange: Exchange, rows: Generator<string, string>): Promise<void> {
  let piece = rows.next();
  if (piece.done === true) {
    exchange.send(200, JSON_MEDIA_TYPE, piece.value);
    return;
  }
  // Too long for one piece, so its length is not known: from here on the answer is chunked.
  const outlet = exchange.stream(JSON_MEDIA_TYPE);
  while (piece.done !== true && !exchange.isHead) {
    if (!(await outlet.write(piece.value))) return;
    piece = rows.next();
  }
  if (!exchange.isHead) await outlet.write(piece.value);
  outlet.end();
}

/** The address of the next page: this request's with another cursor. */
function nextLink(exchange: Exchange, next: number): string {
  const [path = "", search = ""] = exchange.request.url.split("?", 2);
  const query = new URLSearchParams(search);
  query.set("cursor", encodeCursor(next));
  return `<${path}?${query.toString()}>; rel="next"`;
}
