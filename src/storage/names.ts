// The names of folders and files. Numbers in names are 16 hexadecimal digits, so that the order of
// names is the order of numbers.

import { assert } from "../base/assert.ts";

export const WAL_FOLDER = "wal";
export const SNAPSHOT_FOLDER = "snapshots";
export const SNAPSHOT_SUFFIX = ".snap";
export const EVENT_FOLDER = "events";
export const NODE_FILE = "node.json";

export function hex16(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, () => `not a number for a name: ${value}`);
  return value.toString(16).padStart(16, "0");
}

/** Null unless `text` is exactly what `hex16` writes. */
function parseHex16(text: string): number | null {
  if (!/^[0-9a-f]{16}$/.test(text)) return null;
  const value = Number.parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : null;
}

/** A sequence of hex16 numbers joined by "-", with `suffix` behind them; null for any other name. */
export function parseName(name: string, suffix: string): readonly number[] | null {
  if (!name.endsWith(suffix)) return null;
  const numbers: number[] = [];
  for (const part of name.slice(0, name.length - suffix.length).split("-")) {
    const number = parseHex16(part);
    if (number === null) return null;
    numbers.push(number);
  }
  return numbers;
}
