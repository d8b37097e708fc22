import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filament, PrintJob, Printer } from "./objects.ts";
import { filamentRow, jobRow, nextIdHash, printerRow, rowHash, rowText } from "./rows.ts";
import { arbitraryJob } from "./testing/arbitrary-job.ts";
import { hashHex } from "./state-hash.ts";

const STAMP = {
  created_index: 4,
  version: 9,
  created_ms: 1_700_000_000_000,
  updated_ms: 1_700_000_000_500,
};
const PRINTER: Printer = printerRow({ id: 1, company: "Prusa", model: "MK4S" }, STAMP);
const FILAMENT: Filament = filamentRow(
  { id: "spool", type: "PETG", color: "orange" },
  { total_weight_in_grams: 1000, remaining_weight_in_grams: 800, reserved_weight_in_grams: 300 },
  STAMP,
);
const JOB: PrintJob = jobRow(
  { id: 7, printer_id: 1, filament_id: "spool", filepath: "a.gcode", print_weight_in_grams: 300 },
  "Queued",
  STAMP,
);

function digits(row: Printer | Filament | PrintJob): string {
  return hashHex(rowHash(row));
}

describe("rows", () => {
  test("their text has the fields in the order of the interface, however they came in", () => {
    expect(rowText(PRINTER)).toBe(
      '{"id":1,"company":"Prusa","model":"MK4S",' +
        '"created_index":4,"version":9,"created_ms":1700000000000,"updated_ms":1700000000500}',
    );
    expect(rowText(FILAMENT)).toBe(
      '{"id":"spool","type":"PETG","color":"orange","total_weight_in_grams":1000,' +
        '"remaining_weight_in_grams":800,"reserved_weight_in_grams":300,' +
        '"created_index":4,"version":9,"created_ms":1700000000000,"updated_ms":1700000000500}',
    );
    expect(rowText(JOB)).toBe(
      '{"id":7,"printer_id":1,"filament_id":"spool","filepath":"a.gcode",' +
        '"print_weight_in_grams":300,"status":"Queued",' +
        '"created_index":4,"version":9,"created_ms":1700000000000,"updated_ms":1700000000500}',
    );
    const shuffled = Object.fromEntries(
      Object.entries(FILAMENT).toReversed(),
    ) as unknown as Filament;
    expect(rowText(filamentRow(shuffled, shuffled, shuffled))).toBe(rowText(FILAMENT));
  });

  test("their text is what JSON.stringify gives, whatever their texts and numbers are", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.string({
        unit: fc.constantFrom('"', "\\", "\n", "\u0000", "\u007f", "\ud83d", "\ude00", "/"),
      }),
    );
    const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const job = arbitraryJob(text, count);
    const expectPlain = (row: Printer | Filament | PrintJob): void =>
      expect(rowText(row)).toBe(JSON.stringify(row));
    fc.assert(
      fc.property(job, (row) => {
        expectPlain(jobRow(row, row.status, row));
        expectPlain(printerRow({ id: row.id, company: row.filepath, model: "MK4S" }, row));
        expectPlain(printerRow({ id: 1, company: "Prusa", model: row.filepath }, row));
      }),
      { seed: 29, numRuns: 2000 },
    );
    for (let unit = 0; unit <= 0xffff; unit += 1) {
      expectPlain({ ...JOB, filepath: String.fromCharCode(unit) });
      expectPlain({ ...PRINTER, model: String.fromCharCode(unit) });
    }
  });

  test("every field of every kind counts in the hash", () => {
    for (const row of [PRINTER, FILAMENT, JOB]) {
      const seen = new Set([digits(row)]);
      const fields = Object.keys(row);
      for (const field of fields) {
        const value = row[field as keyof typeof row] as string | number;
        const other: Record<string, unknown> = { type: "ABS", status: "Done" };
        const changed = other[field] ?? (typeof value === "number" ? value + 1 : `${value}x`);
        seen.add(digits({ ...row, [field]: changed }));
      }
      expect(seen.size).toBe(fields.length + 1);
    }
  });

  test("a number beyond 32 bits counts in all its bits", () => {
    const weights = [1, 2 ** 32 + 1, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER].map((weight) =>
      digits({ ...JOB, print_weight_in_grams: weight }),
    );
    expect(new Set(weights).size).toBe(4);
  });

  test('the ids 1 and "1" name one object and are two states', () => {
    expect(digits({ ...PRINTER, id: "1" })).not.toBe(digits(PRINTER));
    expect(digits({ ...JOB, printer_id: "1" })).not.toBe(digits(JOB));
  });

  test("what moves from one text to the next is noticed", () => {
    const moved = printerRow({ id: 1, company: "PrusaM", model: "K4S" }, STAMP);
    expect(digits(moved)).not.toBe(digits(PRINTER));
  });

  test("the next ids of the three kinds are members of their own", () => {
    const hashes = (["printer", "filament", "print_job"] as const).flatMap((kind) =>
      [1, 2, 3].map((next) => hashHex(nextIdHash(kind, next))),
    );
    expect(new Set(hashes).size).toBe(9);
  });
});
