// The bodies that clients send, one form for each.

import { Type } from "typebox";

import * as field from "./fields.ts";
import { Form } from "./form.ts";
import type { FieldError } from "./problems.ts";

const KEPT = "is kept by the cluster and cannot be set";
const STAMPS = { version: KEPT, created_at: KEPT, updated_at: KEPT };
const FIXED_ID = { id: "cannot be changed: an object keeps its id" };
const DERIVED = "follows from the print jobs and cannot be set";
const SPOOL_STAMPS = {
  ...STAMPS,
  reserved_weight_in_grams: DERIVED,
  available_weight_in_grams: DERIVED,
};

function remainingWithinTotal(body: {
  readonly total_weight_in_grams?: number | undefined;
  readonly remaining_weight_in_grams?: number | undefined;
}): readonly FieldError[] {
  const { total_weight_in_grams: total, remaining_weight_in_grams: remaining } = body;
  if (total === undefined || remaining === undefined || remaining <= total) return [];
  const message = `must not exceed total_weight_in_grams (${total}), and is ${remaining}`;
  return [{ field: "remaining_weight_in_grams", message }];
}

export const newPrinter = new Form(
  "NewPrinter",
  { id: Type.Optional(field.newId), company: field.company, model: field.model },
  { noun: "printer", about: "A printer to be added.", readOnly: STAMPS },
);

export const printerChanges = new Form(
  "PrinterChanges",
  { company: Type.Optional(field.company), model: Type.Optional(field.model) },
  {
    noun: "change of a printer",
    about: "The fields of a printer to be changed; the others stay as they are.",
    readOnly: { ...STAMPS, ...FIXED_ID },
    needsOne: true,
  },
);

export const newFilament = new Form(
  "NewFilament",
  {
    id: Type.Optional(field.newId),
    type: field.material,
    color: field.color,
    total_weight_in_grams: field.totalWeight,
    remaining_weight_in_grams: Type.Optional(field.remainingWeight),
  },
  {
    noun: "filament",
    about: "A filament spool to be added. The remaining weight is the total unless it is given.",
    readOnly: SPOOL_STAMPS,
    rules: remainingWithinTotal,
  },
);

export const filamentChanges = new Form(
  "FilamentChanges",
  {
    type: Type.Optional(field.material),
    color: Type.Optional(field.color),
    total_weight_in_grams: Type.Optional(field.totalWeight),
    remaining_weight_in_grams: Type.Optional(field.remainingWeight),
  },
  {
    noun: "change of a filament",
    about: "The fields of a filament to be changed; the others stay as they are.",
    readOnly: { ...SPOOL_STAMPS, ...FIXED_ID },
    needsOne: true,
    rules: remainingWithinTotal,
  },
);

export const newPrintJob = new Form(
  "NewPrintJob",
  {
    id: Type.Optional(field.newId),
    printer_id: field.printerId,
    filament_id: field.filamentId,
    filepath: field.filepath,
    print_weight_in_grams: field.printWeight,
    status: Type.Optional(field.newJobStatus),
  },
  { noun: "print job", about: "A print job to be queued.", readOnly: STAMPS },
);

export const statusChange = new Form(
  "StatusChange",
  { status: Type.Optional(field.status) },
  {
    noun: "change of status",
    about: "The status that a print job is to have. It may stand in the query instead.",
  },
);
