// Commands for tests: with defaults, and drawn at random.
//
// The random ones meet each other on purpose: few ids, in both forms, and weights that a spool can
// hold a handful of. Half of all commands would otherwise name what does not exist.

import fc from "fast-check";
import type {
  ChangeJobStatus,
  Command,
  CreateFilament,
  CreateJob,
  CreatePrinter,
  Expected,
  UpdateFilament,
  UpdatePrinter,
} from "../command.ts";
import type { JobStatus } from "../objects.ts";
import { JOB_STATUSES, MATERIALS } from "../objects.ts";

export function createPrinter(over: Partial<CreatePrinter> = {}): CreatePrinter {
  return { kind: "create-printer", id: null, company: "Prusa", model: "MK4S", ...over };
}

export function createFilament(over: Partial<CreateFilament> = {}): CreateFilament {
  const total = over.total_weight_in_grams ?? 1000;
  return {
    kind: "create-filament",
    id: null,
    type: "PLA",
    color: "black",
    total_weight_in_grams: total,
    remaining_weight_in_grams: total,
    ...over,
  };
}

export function createJob(over: Partial<CreateJob> = {}): CreateJob {
  return {
    kind: "create-job",
    id: null,
    printer_id: 1,
    filament_id: 1,
    filepath: "bracket.gcode",
    print_weight_in_grams: 100,
    ...over,
  };
}

export function updatePrinter(
  key: string,
  changes: UpdatePrinter["changes"],
  expected: Expected = null,
): UpdatePrinter {
  return { kind: "update-printer", key, expected, changes };
}

export function updateFilament(
  key: string,
  changes: UpdateFilament["changes"],
  expected: Expected = null,
): UpdateFilament {
  return { kind: "update-filament", key, expected, changes };
}

export function deletePrinter(key: string, expected: Expected = null): Command {
  return { kind: "delete-printer", key, expected };
}

export function deleteFilament(key: string, expected: Expected = null): Command {
  return { kind: "delete-filament", key, expected };
}

export function changeStatus(
  key: string,
  to: JobStatus,
  expected: Expected = null,
): ChangeJobStatus {
  return { kind: "change-job-status", key, expected, to };
}

const anId = fc.constantFrom<string | number>(1, 2, 3, 4, "1", "2", "3", "a", "ü/ö", "01");
const anIdOrNone = fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, anId);
const aKey = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }).map(String) },
  fc.constantFrom("a", "ü/ö", "01", "none"),
);
const anExpectation: fc.Arbitrary<Expected> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 12 }),
);
const aText = fc.constantFrom("Prusa", "Bambu Lab", "𝔎", "\ud800", '"', "\u2028");
const aTotal = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 400 }) },
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const aWeight = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 120 }) },
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const aMaterial = fc.constantFrom(...MATERIALS);

const aNewFilament = fc
  .record({ id: anIdOrNone, type: aMaterial, total: aTotal, used: fc.integer({ max: 50, min: 0 }) })
  .map(({ id, type, total, used }) =>
    createFilament({
      id,
      type,
      total_weight_in_grams: total,
      remaining_weight_in_grams: Math.max(0, total - used),
    }),
  );

const printerChanges = fc.record({ company: aText, model: aText }, { requiredKeys: [] });
const filamentChanges = fc.record(
  {
    type: aMaterial,
    color: aText,
    total_weight_in_grams: aTotal,
    remaining_weight_in_grams: fc.integer({ min: 0, max: 400 }),
  },
  { requiredKeys: [] },
);

/** Any command, often one that can be carried out. */
export const aCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ id: anIdOrNone, company: aText }).map((over) => createPrinter(over)),
  },
  { weight: 3, arbitrary: aNewFilament },
  {
    weight: 12,
    arbitrary: fc
      .record({
        id: anIdOrNone,
        printer_id: anId,
        filament_id: anId,
        print_weight_in_grams: aWeight,
      })
      .map((over) => createJob(over)),
  },
  {
    weight: 14,
    arbitrary: fc
      .tuple(aKey, fc.constantFrom(...JOB_STATUSES), anExpectation)
      .map(([key, to, expected]) => changeStatus(key, to, expected)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(aKey, printerChanges, anExpectation)
      .map(([key, changes, expected]) => updatePrinter(key, changes, expected)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(aKey, filamentChanges, anExpectation)
      .map(([key, changes, expected]) => updateFilament(key, changes, expected)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(aKey, anExpectation).map(([key, of]) => deletePrinter(key, of)),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(aKey, anExpectation).map(([key, of]) => deleteFilament(key, of)),
  },
);

/** A printer and a spool, so that the jobs of a random run have something to begin with. */
export const OPENING: readonly Command[] = [createPrinter(), createFilament()];
