// Objects as clients see them, as JSON. A row of the state already has the API's field names; what is added
// here is made for people and programs outside: dates, and the weight that is still free.
//
// Put together by hand, as the rows of a snapshot are (rows.ts): what JSON.stringify gives, in half the time, and
// every answer about an object is one of these.

import { rfc3339 } from "../base/time.ts";
import type { FarmObject, Filament, Printer, PrintJob, Stamped } from "../fsm/objects.ts";
import { idText, stringText } from "../fsm/rows.ts";

function presentPrinter(row: Printer): string {
  return (
    `{"id":${idText(row.id)},"company":${stringText(row.company)},` +
    `"model":${stringText(row.model)},${stamps(row)}}`
  );
}

function presentFilament(row: Filament): string {
  const remaining = row.remaining_weight_in_grams;
  const reserved = row.reserved_weight_in_grams;
  return (
    `{"id":${idText(row.id)},"type":"${row.type}","color":${stringText(row.color)},` +
    `"total_weight_in_grams":${row.total_weight_in_grams},"remaining_weight_in_grams":${remaining},` +
    `"reserved_weight_in_grams":${reserved},"available_weight_in_grams":${remaining - reserved},` +
    `${stamps(row)}}`
  );
}

function presentJob(row: PrintJob): string {
  return (
    `{"id":${idText(row.id)},"printer_id":${idText(row.printer_id)},` +
    `"filament_id":${idText(row.filament_id)},"filepath":${stringText(row.filepath)},` +
    `"print_weight_in_grams":${row.print_weight_in_grams},"status":"${row.status}",${stamps(row)}}`
  );
}

function stamps({ created_ms, updated_ms, version }: Stamped): string {
  const created = rfc3339(created_ms);
  const updated = updated_ms === created_ms ? created : rfc3339(updated_ms);
  return `"created_at":"${created}","updated_at":"${updated}","version":${version}`;
}

/** The JSON text of an object. */
export function present(row: FarmObject): string {
  if ("company" in row) return presentPrinter(row);
  if ("color" in row) return presentFilament(row);
  return presentJob(row);
}
