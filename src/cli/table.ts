// Tables of text. Columns are as wide as their content; where the screen is too narrow for that,
// the widest columns of texts are cut short, and numbers never are.

import type { Terminal } from "../env/node/terminal.ts";
import { type Style, paint } from "./style.ts";
import { printable, shorten, textWidth } from "./text.ts";

export interface Column {
  readonly title: string;
  /** Numbers: to the right, and never cut. */
  readonly isNumber?: boolean;
}

export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = 2;
/** A text is not cut below this, however narrow the screen. */
const WIDTH_MIN = 6;

/** Lines, each with its end. The texts may come from anybody. */
export function renderTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): string {
  const texts = rows.map((row) => columns.map((_, at) => cellText(row[at] ?? "")));
  const widths = fit(terminal.columns, columns, texts);
  const line = (cells: readonly string[], style: (at: number) => Style | null): string => {
    const padded = columns.map((column, at) => {
      const text = shorten(cells[at] ?? "", widths[at] ?? 0);
      const blank = " ".repeat(Math.max(0, (widths[at] ?? 0) - textWidth(text)));
      const wanted = style(at);
      const painted = wanted === null ? text : paint(terminal, wanted, text);
      if (column.isNumber === true) return blank + painted;
      // Blanks at the end of a line only make it wrap on a narrow screen.
      return at === columns.length - 1 ? painted : painted + blank;
    });
    return `${padded.join(" ".repeat(GAP))}\n`;
  };
  const titles = columns.map((column) => column.title);
  const head = line(titles, () => "dim");
  const body = rows.map((row, at) => line(texts[at] ?? [], (column) => cellStyle(row[column])));
  return head + body.join("");
}

function cellText(cell: Cell): string {
  return printable(typeof cell === "string" ? cell : cell.text);
}

function cellStyle(cell: Cell | undefined): Style | null {
  return cell === undefined || typeof cell === "string" ? null : cell.style;
}

function fit(
  available: number,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): readonly number[] {
  const widths = columns.map((column, at) =>
    rows.reduce((most, row) => Math.max(most, textWidth(row[at] ?? "")), textWidth(column.title)),
  );
  // One column at a time off the widest: columns of like width shrink alike, short ones stay whole.
  let excess = sum(widths) + GAP * (columns.length - 1) - available;
  while (excess > 0) {
    const widest = widestText(columns, widths);
    if (widest === null) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

function widestText(columns: readonly Column[], widths: readonly number[]): number | null {
  let widest: number | null = null;
  for (const [at, column] of columns.entries()) {
    const width = widths[at] ?? 0;
    const least = Math.max(WIDTH_MIN, textWidth(column.title));
    if (column.isNumber === true || width <= least) continue;
    if (widest === null || width > (widths[widest] ?? 0)) widest = at;
  }
  return widest;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
