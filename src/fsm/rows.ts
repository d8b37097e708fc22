// The only place where rows are built, written as text and hashed.
//
// Every row of a kind has its fields in the same order, because its text is saved: two nodes must
// write the same bytes for equal rows. (One order also gives the engine one shape for each kind,
// and the rows are put together field by field, not by spreading, because applying a command builds
// two or three.)
//
// The hash is taken over the fields and not over the text: a fifth of the cost, and it is paid for
// every row that comes or goes. A field that was forgotten there would hide a divergence of the
// nodes; the test of this file changes every field of every kind and looks for another hash.

import type { Filament, Id, JobStatus, PrintJob, Printer, Stamped } from "./objects.ts";
import { JOB_STATUSES, MATERIALS } from "./objects.ts";
import type { ObjectKind } from "./reply.ts";
import type { Hash64 } from "./state-hash.ts";
import { Hasher } from "./state-hash.ts";

export interface RowOf {
  readonly printer: Printer;
  readonly filament: Filament;
  readonly print_job: PrintJob;
}

export function printerRow(of: Omit<Printer, keyof Stamped>, stamp: Stamped): Printer {
  return {
    id: of.id,
    company: of.company,
    model: of.model,
    created_index: stamp.created_index,
    version: stamp.version,
    created_ms: stamp.created_ms,
    updated_ms: stamp.updated_ms,
  };
}

export type Weights = Pick<
  Filament,
  "total_weight_in_grams" | "remaining_weight_in_grams" | "reserved_weight_in_grams"
>;

export function filamentRow(
  of: Pick<Filament, "id" | "type" | "color">,
  weights: Weights,
  stamp: Stamped,
): Filament {
  return {
    id: of.id,
    type: of.type,
    color: of.color,
    total_weight_in_grams: weights.total_weight_in_grams,
    remaining_weight_in_grams: weights.remaining_weight_in_grams,
    reserved_weight_in_grams: weights.reserved_weight_in_grams,
    created_index: stamp.created_index,
    version: stamp.version,
    created_ms: stamp.created_ms,
    updated_ms: stamp.updated_ms,
  };
}

export function jobRow(
  of: Omit<PrintJob, "status" | keyof Stamped>,
  status: JobStatus,
  stamp: Stamped,
): PrintJob {
  return {
    id: of.id,
    printer_id: of.printer_id,
    filament_id: of.filament_id,
    filepath: of.filepath,
    print_weight_in_grams: of.print_weight_in_grams,
    status,
    created_index: stamp.created_index,
    version: stamp.version,
    created_ms: stamp.created_ms,
    updated_ms: stamp.updated_ms,
  };
}

/** The one text of a row. JSON writes numbers and strings the same way on every machine. */
export function rowText(row: Printer | Filament | PrintJob): string {
  if ("filepath" in row) return jobText(row);
  return "company" in row ? printerText(row) : JSON.stringify(row);
}

// What JSON.stringify gives, in a third to two thirds of the time: a snapshot writes this for a million objects.

function printerText(row: Printer): string {
  return (
    `{"id":${idText(row.id)},"company":${stringText(row.company)},` +
    `"model":${stringText(row.model)},${stampText(row)}}`
  );
}

function jobText(row: PrintJob): string {
  return (
    `{"id":${idText(row.id)},"printer_id":${idText(row.printer_id)},` +
    `"filament_id":${idText(row.filament_id)},"filepath":${stringText(row.filepath)},` +
    `"print_weight_in_grams":${row.print_weight_in_grams},"status":"${row.status}",${stampText(row)}}`
  );
}

function stampText({ created_index, created_ms, updated_ms, version }: Stamped): string {
  // Times are the dear numbers: too large for the engine's small integers.
  const created = String(created_ms);
  const updated = updated_ms === created_ms ? created : String(updated_ms);
  return (
    `"created_index":${created_index},"version":${version},` +
    `"created_ms":${created},"updated_ms":${updated}`
  );
}

export function idText(id: Id): string {
  return typeof id === "number" ? String(id) : stringText(id);
}

/**
 * For patterns: no quotation mark, backslash, control character or half of a pair, so nothing that JSON
 * may escape.
 */
export const PLAIN_UNITS = "[ !#-[\\]-\\ud7ff\\ue000-\\uffff]";
const PLAIN = new RegExp(`^${PLAIN_UNITS}*$`);

/** What JSON.stringify gives for a string. */
export function stringText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

// Where the hashes of each kind begin, so that equal rows of different kinds differ.
const PRINTER: Hash64 = { high: 1, low: 1 };
const FILAMENT: Hash64 = { high: 2, low: 2 };
const PRINT_JOB: Hash64 = { high: 3, low: 3 };
const NEXT_ID: Hash64 = { high: 4, low: 4 };

export function rowHash(row: Printer | Filament | PrintJob): Hash64 {
  if ("company" in row) return printerHash(row);
  return "color" in row ? filamentHash(row) : jobHash(row);
}

function printerHash(row: Printer): Hash64 {
  const hasher = new Hasher(PRINTER);
  hashId(hasher, row.id);
  hasher.text(row.company).text(row.model);
  return hashStamp(hasher, row);
}

function filamentHash(row: Filament): Hash64 {
  const hasher = new Hasher(FILAMENT);
  hashId(hasher, row.id);
  hasher
    .integer(MATERIALS.indexOf(row.type))
    .text(row.color)
    .integer(row.total_weight_in_grams)
    .integer(row.remaining_weight_in_grams)
    .integer(row.reserved_weight_in_grams);
  return hashStamp(hasher, row);
}

function jobHash(row: PrintJob): Hash64 {
  const hasher = new Hasher(PRINT_JOB);
  hashId(hasher, row.id);
  hashId(hasher, row.printer_id);
  hashId(hasher, row.filament_id);
  hasher
    .text(row.filepath)
    .integer(row.print_weight_in_grams)
    .integer(JOB_STATUSES.indexOf(row.status));
  return hashStamp(hasher, row);
}

/**
 * `1` and `"1"` are the same object, and yet not the same state: the form is given back to clients.
 */
function hashId(hasher: Hasher, id: Id): void {
  if (typeof id === "number") hasher.integer(0).integer(id);
  else hasher.integer(1).text(id);
}

function hashStamp(hasher: Hasher, stamp: Stamped): Hash64 {
  return hasher
    .integer(stamp.created_index)
    .integer(stamp.version)
    .integer(stamp.created_ms)
    .integer(stamp.updated_ms)
    .finish();
}

/** The next automatic id of a kind as a member of the farm's hash. */
export function nextIdHash(kind: ObjectKind, next: number): Hash64 {
  return new Hasher(NEXT_ID).text(kind).integer(next).finish();
}
