import fc from "fast-check";
import { expect, test } from "vitest";
import type { FarmObject, Stamped } from "../fsm/objects.ts";
import { filamentRow, jobRow, printerRow } from "../fsm/rows.ts";
import { arbitraryJob } from "../fsm/testing/arbitrary-job.ts";
import { present } from "./present.ts";

/** In so many words: the fields of the API, of which those of the state that clients do not see are left out. */
function plain(row: FarmObject): string {
  const { created_index: _index, created_ms, updated_ms, version, ...fields } = row;
  const isSpool = "color" in row;
  return JSON.stringify({
    ...fields,
    ...(isSpool
      ? { available_weight_in_grams: row.remaining_weight_in_grams - row.reserved_weight_in_grams }
      : {}),
    created_at: new Date(created_ms).toISOString(),
    updated_at: new Date(updated_ms).toISOString(),
    version,
  });
}

test("an object's JSON is what JSON.stringify gives, whatever its texts and numbers are", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", minLength: 1 }),
    fc.string({ unit: fc.constantFrom('"', "\\", "\n", "\u0000", "\u007f", "\ud83d", "/") }),
  );
  const job = arbitraryJob(text, fc.nat({ max: Number.MAX_SAFE_INTEGER }));
  const moment = fc.nat({ max: 4_102_444_800_000 }); // the year 2100
  fc.assert(
    fc.property(job, moment, moment, (row, created_ms, updated_ms) => {
      const { id, filepath, print_weight_in_grams: grams, version } = row;
      const stamp: Stamped = { created_index: 3, created_ms, updated_ms, version };
      const weights = {
        total_weight_in_grams: grams,
        remaining_weight_in_grams: grams,
        reserved_weight_in_grams: Math.floor(grams / 3),
      };
      for (const each of [
        jobRow(row, row.status, stamp),
        printerRow({ id, company: filepath, model: "MK4S" }, stamp),
        printerRow(
          { id: 1, company: "Prusa", model: filepath },
          { ...stamp, updated_ms: created_ms },
        ),
        filamentRow({ id, type: "PETG", color: filepath }, weights, stamp),
      ]) {
        expect(present(each)).toBe(plain(each));
      }
    }),
    { seed: 31, numRuns: 1000 },
  );
});
