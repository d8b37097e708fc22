// Commands as bytes of the Raft log: JSON in UTF-8, the fields of an envelope in a fixed order.
//
// The shape is checked on both sides. Decoding checks it because an entry may come from another
// version of this program, and a node must stop rather than guess. Encoding asserts the same,
// because what is once in the log is met by every node: a wrong command must end the one that would
// propose it, not the whole cluster when it applies it.

import { assert } from "../base/assert.ts";
import { isNodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { SESSION_WINDOW_MAX } from "../base/limits.ts";
import type { Command, Envelope } from "./command.ts";
import { COMMAND_VERSION } from "./command.ts";
import type { Check, ShapeOf } from "./shape.ts";
import {
  isCount,
  isId,
  isListOf,
  isMaterial,
  isMoment,
  isNullOr,
  isObject,
  isPositive,
  isStatus,
  isString,
  isText,
  mismatch,
  someOf,
} from "./shape.ts";

export type DecodedEnvelope =
  | { readonly kind: "envelope"; readonly envelope: Envelope }
  /** A format that a later version introduced. */
  | { readonly kind: "unknown-version"; readonly version: number }
  | { readonly kind: "malformed"; readonly reason: string };

const idOrNull = isNullOr(isId);
const textOrNull = isNullOr(isText);
const expected = isNullOr(isListOf(isCount));

const FILAMENT_FIELDS = {
  type: isMaterial,
  color: isText,
  total_weight_in_grams: isPositive,
  remaining_weight_in_grams: isCount,
} as const;

/** Every field of every command. */
const COMMANDS: { readonly [K in Command["kind"]]: ShapeOf<Extract<Command, { kind: K }>> } = {
  "create-printer": { kind: isText, id: idOrNull, company: isText, model: isText },
  "update-printer": {
    kind: isText,
    key: isString,
    expected,
    changes: someOf({ company: isText, model: isText }),
  },
  "delete-printer": { kind: isText, key: isString, expected },
  "create-filament": { kind: isText, id: idOrNull, ...FILAMENT_FIELDS },
  "update-filament": { kind: isText, key: isString, expected, changes: someOf(FILAMENT_FIELDS) },
  "delete-filament": { kind: isText, key: isString, expected },
  "create-job": {
    kind: isText,
    id: idOrNull,
    printer_id: isId,
    filament_id: isId,
    filepath: isText,
    print_weight_in_grams: isPositive,
  },
  "change-job-status": { kind: isText, key: isString, expected, to: isStatus },
};

const isNode: Check = (value) => typeof value === "number" && isNodeId(value);

const ENVELOPE: ShapeOf<Envelope> = {
  v: (value) => value === COMMAND_VERSION,
  node: isNode,
  start: isCount,
  seq: isPositive,
  low: isPositive,
  at: isMoment,
  key: textOrNull,
  fingerprint: textOrNull,
  command: isObject,
};

/** The bytes of an envelope; throws if its shape is wrong, which is the proposer's bug. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { v, node, start, seq, low, at, key, fingerprint, command } = envelope;
  const ordered: Envelope = { v, node, start, seq, low, at, key, fingerprint, command };
  const wrong = whyNotEnvelope(ordered);
  assert(wrong === null, () => `a command that must not be proposed: ${wrong}`);
  return encodeUtf8(JSON.stringify(ordered));
}

export function decodeEnvelope(bytes: Uint8Array): DecodedEnvelope {
  let parsed: unknown;
  try {
    parsed = JSON.parse(decodeUtf8(bytes));
  } catch {
    return { kind: "malformed", reason: "it is not JSON in UTF-8" };
  }
  // The version comes first: nothing else is known about the fields of another one.
  if (isObject(parsed) && isCount(parsed["v"]) && parsed["v"] !== COMMAND_VERSION) {
    return { kind: "unknown-version", version: parsed["v"] };
  }
  const reason = whyNotEnvelope(parsed);
  if (reason !== null) return { kind: "malformed", reason };
  // The line above has looked at every field.
  return { kind: "envelope", envelope: parsed as Envelope };
}

/** Null for an envelope that decide and evolve can rely on. */
function whyNotEnvelope(value: unknown): string | null {
  const wrong = mismatch(value, ENVELOPE);
  if (wrong !== null) return `the envelope ${wrong}`;
  // `mismatch` has checked all fields but the command's own.
  const { seq, low, key, fingerprint, command } = value as Envelope;
  if (seq < low) return "the envelope has a number below its own low";
  if (seq >= low + SESSION_WINDOW_MAX) return "the envelope has a number beyond its window";
  if ((key === null) !== (fingerprint === null)) return "the envelope has half a key";
  return whyNotCommand(command);
}

/** What is wrong with a command's shape; null if it may be proposed. */
export function whyNotCommand(command: Command): string | null {
  const kind: string = command.kind;
  if (!isCommandKind(kind)) return "the command is of an unknown kind";
  const wrong = mismatch(command, COMMANDS[kind]);
  if (wrong !== null) return `the command ${kind} ${wrong}`;
  if (command.kind === "create-filament") {
    const { remaining_weight_in_grams, total_weight_in_grams } = command;
    if (remaining_weight_in_grams > total_weight_in_grams) return "the spool exceeds its total";
  }
  return null;
}

function isCommandKind(kind: string): kind is Command["kind"] {
  return Object.hasOwn(COMMANDS, kind);
}
