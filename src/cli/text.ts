// Text in columns: how wide it is on a terminal, where it may be broken, how it is cut short.

/**
 * Breaks at `separator` into lines of at most `width` columns; a longer word has a line of its own.
 */
export function wrap(text: string, width: number, separator = " "): readonly string[] {
  const lines: string[] = [];
  let line: string | null = null;
  for (const word of text.split(separator)) {
    if (line === null) line = word;
    else if (textWidth(line) + 1 + textWidth(word) <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== null) lines.push(line);
  return lines;
}

const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
// Two columns wide on every terminal in use: Hangul, Kana, CJK, full-width forms, and pictures.
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

/**
 * Columns that a text takes, near enough for a table: exact but for rare combinations of pictures.
 */
export function textWidth(text: string): number {
  let width = 0;
  for (const point of text) {
    if (point >= " " && point <= "~") width += 1;
    else if (!INVISIBLE.test(point)) width += WIDE.test(point) ? 2 : 1;
  }
  return width;
}

/** At most `width` columns, with an ellipsis where something was cut off. */
export function shorten(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = "";
  let used = 1; // the ellipsis
  for (const point of text) {
    used += textWidth(point);
    if (used > width) break;
    kept += point;
  }
  return `${kept}…`;
}

const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Somebody else's text on one line, unable to move the cursor, colour the screen or turn the line
 * around.
 */
export function printable(text: string): string {
  return text.replace(CONTROL, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** "1 node", "3 nodes". */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : nouns}`;
}

/** 1234567 as 1,234,567. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** --initial-cluster as a field: initialCluster. */
export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
