// Values that a client sent, as messages show them: short, in one line, never the whole of them.

/** Characters of a client's text that a message repeats. */
const SHOWN_CHARS_MAX = 60;

/** A text in quotes, shortened, with control characters escaped. */
export function quote(text: string): string {
  const shown = text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}…`;
  return JSON.stringify(shown);
}

/** What a JSON value is, to end the sentence "it must be …, not …". */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return describeText(value);
  if (typeof value === "boolean") return String(value);
  // Past 2^53 the parsed number is not the one that was written.
  if (typeof value === "number") {
    return Math.abs(value) > Number.MAX_SAFE_INTEGER ? "a number past 2^53" : String(value);
  }
  if (typeof value === "symbol") return value.description ?? "that";
  return Array.isArray(value) ? "an array" : "an object";
}

function describeText(text: string): string {
  if (text === "") return "an empty string";
  if (hasLoneSurrogate(text)) return "a string with half of a surrogate pair in it";
  if (text.length > SHOWN_CHARS_MAX) return `a string of ${codePoints(text)} characters`;
  return `the string ${quote(text)}`;
}

export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/**
 * Half of a surrogate pair is not a character: UTF-8 cannot hold it, so it could not be kept as
 * given.
 */
export function hasLoneSurrogate(text: string): boolean {
  return !text.isWellFormed();
}
