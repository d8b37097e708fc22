// From a checked body to a command: ids put into one form, defaults filled in, words normalised.
// The fields of a command always stand in the same order, because its text is the fingerprint under
// which an Idempotency-Key is remembered.

import type { Static } from "typebox";

import { assert, must } from "../base/assert.ts";
import type {
  ChangeJobStatus,
  CreateFilament,
  CreateJob,
  CreatePrinter,
  Expected,
  UpdateFilament,
  UpdatePrinter,
} from "../fsm/command.ts";
import type { Id, JobStatus, Material } from "../fsm/objects.ts";
import { MATERIALS } from "../fsm/objects.ts";
import type {
  filamentChanges,
  newFilament,
  newPrinter,
  newPrintJob,
  printerChanges,
} from "./forms.ts";

/** What a form has checked. */
type Of<F extends { readonly schema: object }> = Static<F["schema"]>;

/** Absent and "" ask the cluster for an id. */
function chosenId(id: Id | undefined): Id | null {
  return id === undefined || id === "" ? null : plain(id);
}

/** JSON knows -0, nobody means it. */
function plain<T extends string | number>(value: T): T {
  return value === 0 ? (0 as T) : value; // 0 and -0 are equal, so T is a number here.
}

function material(word: string): Material {
  const upper = word.toUpperCase();
  return must(
    MATERIALS.find((known) => known === upper),
    "a material that the form has let through",
  );
}

export function createPrinter(body: Of<typeof newPrinter>): CreatePrinter {
  const { company, model } = body;
  return { kind: "create-printer", id: chosenId(body.id), company, model };
}

export function updatePrinter(
  key: string,
  expected: Expected,
  body: Of<typeof printerChanges>,
): UpdatePrinter {
  const { company, model } = body;
  // A field that is absent must be absent in the command, too: it stays as it is.
  const changes = {
    ...(company === undefined ? {} : { company }),
    ...(model === undefined ? {} : { model }),
  };
  return { kind: "update-printer", key, expected, changes };
}

export function createFilament(body: Of<typeof newFilament>): CreateFilament {
  const { color, total_weight_in_grams } = body;
  // Filled in here and not behind the log: a command says all that it does, whoever reads it later.
  const remaining = body.remaining_weight_in_grams ?? total_weight_in_grams;
  return {
    kind: "create-filament",
    id: chosenId(body.id),
    type: material(body.type),
    color,
    total_weight_in_grams,
    remaining_weight_in_grams: plain(remaining),
  };
}

export function updateFilament(
  key: string,
  expected: Expected,
  body: Of<typeof filamentChanges>,
): UpdateFilament {
  const { type, color, total_weight_in_grams, remaining_weight_in_grams: remaining } = body;
  const changes = {
    ...(type === undefined ? {} : { type: material(type) }),
    ...(color === undefined ? {} : { color }),
    ...(total_weight_in_grams === undefined ? {} : { total_weight_in_grams }),
    ...(remaining === undefined ? {} : { remaining_weight_in_grams: plain(remaining) }),
  };
  return { kind: "update-filament", key, expected, changes };
}

export function createJob(body: Of<typeof newPrintJob>): CreateJob {
  const { filepath, print_weight_in_grams } = body;
  const printer_id = plain(body.printer_id);
  const filament_id = plain(body.filament_id);
  // "" asks for an id where one is made, and would name nothing where one is used.
  assert(printer_id !== "" && filament_id !== "", "a reference without an id passed the form");
  return {
    kind: "create-job",
    id: chosenId(body.id),
    printer_id,
    filament_id,
    filepath,
    print_weight_in_grams,
  };
}

export function changeJobStatus(key: string, expected: Expected, to: JobStatus): ChangeJobStatus {
  return { kind: "change-job-status", key, expected, to };
}
