import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderTable } from "./table.ts";
import { fakeTerminal } from "./testing/fakes.ts";
import { textWidth } from "./text.ts";

const COLUMNS = [{ title: "ID" }, { title: "WEIGHT g", isNumber: true }, { title: "FILE" }];

describe("a table", () => {
  test("aligns texts to the left and numbers to the right, by their width on the screen", () => {
    const rows = [
      ["1", "80", "a.gcode"],
      ["打印", "1000000", "b"],
    ];
    expect(renderTable(fakeTerminal(), COLUMNS, rows)).toBe(
      ["ID    WEIGHT g  FILE", "1           80  a.gcode", "打印   1000000  b", ""].join("\n"),
    );
  });

  test("on a narrow screen cuts the widest text and keeps every number", () => {
    const rows = [["printer-with-a-long-id", "9007199254740991", "very/long/path/to/benchy.gcode"]];
    const lines = renderTable(fakeTerminal({ columns: 40 }), COLUMNS, rows).split("\n");
    expect(lines[1]).toBe("printer-w…  9007199254740991  very/long…");
  });

  test("never passes the screen's width as long as its numbers and titles fit", () => {
    const row = fc.tuple(fc.string({ unit: "grapheme" }), fc.nat(9_999_999), fc.string());
    fc.assert(
      fc.property(fc.array(row), fc.integer({ min: 40, max: 90 }), (rows, columns) => {
        const cells = rows.map(([id, weight, file]) => [id, String(weight), file]);
        const table = renderTable(fakeTerminal({ columns }), COLUMNS, cells);
        expect(table.split("\n")).toHaveLength(rows.length + 2);
        for (const line of table.split("\n")) {
          expect(textWidth(line)).toBeLessThanOrEqual(columns);
        }
      }),
      { seed: 5 },
    );
  });

  test("is coloured only where colours can be seen, and is as wide with them as without", () => {
    const rows = [[{ text: "1", style: "green" } as const, "2", "x"]];
    const plain = renderTable(fakeTerminal(), COLUMNS, rows);
    const coloured = renderTable(fakeTerminal({ hasColor: true }), COLUMNS, rows);
    expect(plain).not.toContain("\u001b");
    expect(coloured).toContain("\u001b[32m1\u001b[0m");
    // eslint-disable-next-line no-control-regex
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(plain);
  });
});
