// Colours, for those who can see them and have not refused them.

import type { Terminal } from "../env/node/terminal.ts";

const CODES = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const satisfies Readonly<Record<string, number>>;

export type Style = keyof typeof CODES;

export function paint(terminal: Terminal, style: Style, text: string): string {
  return terminal.hasColor ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}
