// Every write goes the same way: its command is proposed, and what became of it is answered. The
// answer depends on nothing but the reply, so that a replay of an Idempotency-Key, on whatever node
// and after whatever time, has the same status, body, ETag and Location as the first.

import { unreachable } from "../base/assert.ts";
import type { Command } from "../fsm/command.ts";
import type { FarmObject, Id } from "../fsm/objects.ts";
import { askIdempotencyKey } from "./ask.ts";
import { entityTag } from "./conditions.ts";
import type { Exchange } from "./exchange.ts";
import { JSON_MEDIA_TYPE } from "./exchange.ts";
import { present } from "./present.ts";
import { OUTCOME_UNKNOWN, refusalProblem, unavailableWrite } from "./refusals.ts";

/** `collection`: the path under which the objects of this kind lie. */
export async function write(
  exchange: Exchange,
  collection: string,
  command: Command,
): Promise<void> {
  const key = askIdempotencyKey(exchange, command);
  if (key === undefined) return;
  // The client may go away meanwhile. The command is carried out all the same: it cannot be called
  // back.
  const result = await exchange.context.node.submit(command, key);
  switch (result.kind) {
    case "replied":
      if (result.replayed) exchange.header("Idempotency-Replayed", "true");
      if (!result.reply.ok) exchange.problem(refusalProblem(result.reply.rejection));
      else if (result.reply.object === null) exchange.sendEmpty(204);
      else sendObject(exchange, collection, command, result.reply.object);
      return;
    case "unavailable":
      exchange.problem(unavailableWrite(result.reason));
      return;
    case "outcome-unknown":
      exchange.problem(OUTCOME_UNKNOWN);
      return;
    default:
      unreachable(result);
  }
}

function sendObject(
  exchange: Exchange,
  collection: string,
  command: Command,
  object: FarmObject,
): void {
  exchange.header("ETag", entityTag(object.version));
  const isNew = "id" in command;
  if (isNew) exchange.header("Location", objectPath(collection, object.id));
  exchange.send(isNew ? 201 : 200, JSON_MEDIA_TYPE, present(object));
}

/** Ids may hold any character, "/" and "%" among them. */
function objectPath(collection: string, id: Id): string {
  return `${collection}/${encodeURIComponent(id)}`;
}
