// The text of a request's body, as an object of JSON values.
//
// JSON.parse alone is not enough for a service that promises to keep what it is given: of two
// fields with the same name it silently drops one, it rounds 0.99999999999999999 to 1, and what is
// wrong with a text it says in words that change with every version of V8. So the text is walked
// through once before it is parsed (json-walk.ts).

import { JsonWalk } from "./json-walk.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export type ParsedBody =
  | { readonly kind: "object"; readonly value: JsonObject }
  /** Line and column count from 1, in characters as JavaScript counts them. */
  | {
      readonly kind: "malformed";
      readonly reason: string;
      readonly line: number;
      readonly column: number;
    }
  /** Well-formed, but not an object. */
  | { readonly kind: "not-object"; readonly value: unknown }
  | { readonly kind: "duplicate-fields"; readonly fields: readonly string[] };

/**
 * Stands in the place of a number that a double cannot hold as it was written and that would turn
 * into an integer by rounding. No field accepts it.
 */
export const INEXACT: unique symbol = Symbol("a number with a fraction");

export function parseBody(text: string): ParsedBody {
  const walk = new JsonWalk(text);
  if (!walk.document()) return malformed(text, walk);
  const value: unknown = JSON.parse(text);
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return { kind: "not-object", value };
  }
  // An object made by JSON.parse a line ago, and nobody else has it: it may be written here.
  const object = value as Record<string, unknown>;
  if (walk.fields !== Object.keys(object).length) {
    return { kind: "duplicate-fields", fields: duplicates(text) };
  }
  for (const field of walk.inexact) object[field] = INEXACT;
  return { kind: "object", value: object };
}

function malformed(text: string, walk: JsonWalk): ParsedBody {
  const before = text.slice(0, walk.at);
  const line = before.split("\n").length;
  const column = walk.at - before.lastIndexOf("\n");
  return { kind: "malformed", reason: walk.fault, line, column };
}

/** The names that stand more than once in the outermost object of a well-formed text. */
function duplicates(text: string): string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  // Depth 1 is where the outermost object's names are; a name is a string before a colon.
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/gs)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && token.endsWith(":")) {
      const name = JSON.parse(token.slice(0, -1)) as string; // A string token of a parsed text.
      if (seen.has(name)) repeated.add(name);
      seen.add(name);
    }
  }
  return [...repeated];
}
