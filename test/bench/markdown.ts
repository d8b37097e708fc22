// What benchmarks print: tables in Markdown that are read as they are, their cells padded, the first column text and
// the others numbers.

export function markdownTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = titles.map((title, at) =>
    Math.max(title.length, ...rows.map((cells) => cells[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = widths.map((width, at) =>
      at === 0 ? (cells[at] ?? "").padEnd(width) : (cells[at] ?? "").padStart(width),
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rules = widths.map((width, at) => (at === 0 ? "-".repeat(width) : rule(width)));
  return [line(titles), `| ${rules.join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** 1234.5 as 1,235. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function rule(width: number): string {
  return `${"-".repeat(width - 1)}:`;
}
