// The figures of `npm run every-byte`, as text.

import { VERDICTS, type Tally, type Verdict } from "./every-byte.ts";

const FINDINGS_MAX = 50;

/** A row for each kind of file of each folder, then how often each refusal was said. */
export function tableText(tally: Tally): string {
  const head = ["folder", "file", "bytes", "cases", ...VERDICTS];
  const rows = tally.counts.map(({ bytes, fileKind, folder, verdicts }) => {
    const counts = VERDICTS.map((verdict: Verdict) => verdicts[verdict] ?? 0);
    const cases = counts.reduce((sum, count) => sum + count, 0);
    return [folder, fileKind, bytes === 0 ? "" : bytes, cases, ...counts].map(String);
  });
  const refusals = tally
    .texts("refused")
    .map(([text, count]) => `${count}`.padStart(8) + `  ${text}`);
  return [markdown([head, ...rows]), "", "Refusals:", ...refusals, ""].join("\n");
}

function markdown(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

export function findingsText(tally: Tally): string {
  const shown = tally.findings.slice(0, FINDINGS_MAX).map((finding) => `NOT ALLOWED  ${finding}`);
  const more = tally.findings.length - shown.length;
  return [...shown, ...(more > 0 ? [`… and ${more} more`] : [])].join("\n");
}
