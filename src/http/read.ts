// Every read goes the same way: made sure that the node's state is current, unless the client does
// not ask for that, and then answered out of memory in the same turn.

import type { FarmObject } from "../fsm/objects.ts";
import type { ObjectKind } from "../fsm/reply.ts";
import type { Table } from "../fsm/table.ts";
import { entityTag, isKnown } from "./conditions.ts";
import type { Exchange } from "./exchange.ts";
import { JSON_MEDIA_TYPE } from "./exchange.ts";
import { present } from "./present.ts";
import type { Consistency } from "./query.ts";
import { notFound, unavailableRead } from "./refusals.ts";

/** True once the node's state may be read; false if it may not, and that has been answered. */
export async function settle(
  exchange: Exchange,
  consistency: Consistency | undefined,
): Promise<boolean> {
  const { node } = exchange.context;
  if (consistency === "stale") {
    // How old the answer may be: the client asked for it as it is, and can judge.
    const { lastContactMs } = node;
    if (lastContactMs !== null) exchange.header("Raft3D-Last-Contact-Ms", String(lastContactMs));
    return true;
  }
  const result = await node.barrier();
  if (result.kind === "ok") return true;
  exchange.problem(unavailableRead(result.reason));
  return false;
}

/** Answers the object of this key. To be called in the turn in which `settle` has resolved. */
export function sendOne<T extends FarmObject>(
  exchange: Exchange,
  kind: ObjectKind,
  table: Table<T>,
  key: string,
): void {
  // Nothing is awaited from here to the answer: the row, its tag and the index are of one moment.
  const row = table.get(key);
  if (row === undefined) {
    exchange.problem(notFound(kind, key));
    return;
  }
  exchange.header("ETag", entityTag(row.version));
  if (isKnown(exchange.request.headers["if-none-match"], row.version)) exchange.sendEmpty(304);
  else exchange.send(200, JSON_MEDIA_TYPE, present(row));
}
