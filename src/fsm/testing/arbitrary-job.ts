// Print jobs whose texts and numbers are arbitrary, for tests of how they are written and read.

import fc from "fast-check";
import type { PrintJob } from "../objects.ts";
import { JOB_STATUSES } from "../objects.ts";

export function arbitraryJob(
  text: fc.Arbitrary<string>,
  number: fc.Arbitrary<number>,
): fc.Arbitrary<PrintJob> {
  const id = fc.oneof(text, number);
  return fc.record({
    id,
    printer_id: id,
    filament_id: id,
    filepath: text,
    print_weight_in_grams: number,
    status: fc.constantFrom(...JOB_STATUSES),
    created_index: number,
    version: number,
    created_ms: number,
    updated_ms: number,
  });
}
