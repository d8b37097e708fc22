// Objects as clients see them. A row of the state already has the API's field names; what is added
// here is made for people and programs outside: dates, and the weight that is still free.

import { rfc3339 } from "../base/time.ts";
import type { FarmObject, Filament, Printer, PrintJob, Stamped } from "../fsm/objects.ts";

function presentPrinter(row: Printer) {
  return { id: row.id, company: row.company, model: row.model, ...stamps(row) };
}

function presentFilament(row: Filament) {
  const remaining = row.remaining_weight_in_grams;
  const reserved = row.reserved_weight_in_grams;
  return {
    id: row.id,
    type: row.type,
    color: row.color,
    total_weight_in_grams: row.total_weight_in_grams,
    remaining_weight_in_grams: remaining,
    reserved_weight_in_grams: reserved,
    available_weight_in_grams: remaining - reserved,
    ...stamps(row),
  };
}

function presentJob(row: PrintJob) {
  return {
    id: row.id,
    printer_id: row.printer_id,
    filament_id: row.filament_id,
    filepath: row.filepath,
    print_weight_in_grams: row.print_weight_in_grams,
    status: row.status,
    ...stamps(row),
  };
}

function stamps(row: Stamped) {
  const { created_ms, updated_ms, version } = row;
  const created_at = rfc3339(created_ms);
  const updated_at = updated_ms === created_ms ? created_at : rfc3339(updated_ms);
  return { created_at, updated_at, version };
}

export function present(row: FarmObject) {
  if ("company" in row) return presentPrinter(row);
  if ("color" in row) return presentFilament(row);
  return presentJob(row);
}
