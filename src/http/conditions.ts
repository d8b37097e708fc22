// The headers that make a request conditional or repeatable: entity tags and the Idempotency-Key.

import { IDEMPOTENCY_KEY_CHARS_MAX, IF_MATCH_TAGS_MAX } from "../base/limits.ts";
import type { Expected } from "../fsm/command.ts";
import { integer } from "./query.ts";

export function entityTag(version: number): string {
  return `"${version}"`;
}

/** One entity tag and the comma after it, if there is one (RFC 9110 §8.8.3). */
const TAG = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)/y;

interface Tag {
  readonly weak: boolean;
  readonly text: string;
}

/** The tags of a list; null if it is malformed or holds none. */
function parseTags(header: string): readonly Tag[] | null {
  const tags: Tag[] = [];
  TAG.lastIndex = 0;
  for (;;) {
    const match = TAG.exec(header);
    if (match === null) return null;
    // A list may have empty elements (RFC 9110 §5.6.1).
    if (match[2] !== undefined) tags.push({ weak: match[1] !== undefined, text: match[2] });
    if (match[3] === "") break;
  }
  return tags.length === 0 ? null : tags;
}

export type IfMatch =
  /** The versions the object may have; null: any. */
  | { readonly kind: "expected"; readonly expected: Expected }
  | { readonly kind: "malformed"; readonly message: string };

const ANY: IfMatch = { kind: "expected", expected: null };

/**
 * Entity tags are compared strongly: a weak one, or one that Raft3D never made, matches no version.
 */
export function parseIfMatch(header: string | undefined): IfMatch {
  if (header === undefined || header.trim() === "*") return ANY;
  const tags = parseTags(header);
  if (tags === null) {
    return {
      kind: "malformed",
      message: 'must be entity tags like "12", separated by commas, or *',
    };
  }
  if (tags.length > IF_MATCH_TAGS_MAX) {
    return { kind: "malformed", message: `may hold at most ${IF_MATCH_TAGS_MAX} entity tags` };
  }
  const expected: number[] = [];
  for (const { weak, text } of tags) {
    const version = weak ? null : integer(text, 0, Number.MAX_SAFE_INTEGER);
    if (version !== null) expected.push(version);
  }
  return { kind: "expected", expected };
}

/**
 * Whether the client has this version already. Compared weakly, as RFC 9110 asks of If-None-Match,
 * and a malformed header is no condition at all: the whole object is always a right answer to a
 * GET.
 */
export function isKnown(ifNoneMatch: string | undefined, version: number): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return parseTags(ifNoneMatch)?.some((tag) => tag.text === String(version)) ?? false;
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** The rule that a key breaks; null if it is a good one. */
export function idempotencyKeyFault(key: string): string | null {
  if (key.length <= IDEMPOTENCY_KEY_CHARS_MAX && VISIBLE_ASCII.test(key)) return null;
  return `must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters without spaces`;
}
