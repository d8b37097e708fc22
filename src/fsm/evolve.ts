// What an event does to the farm. Folding the events from the beginning gives the farm: no command
// and no decision is needed for it, which is what `raft3d events replay` rests on.
//
// The farm is advanced in place. A fold in the textbook returns a new state; here that would mean to
// copy tables of a million rows for each event. Nobody can tell the difference who follows the rule of
// table.ts: rows are never changed, only replaced, and whoever wants to keep a picture takes a view,
// which copies on write.
//
// An event has been decided, so it is never refused here. What it relies on is asserted: an event
// that does not fit the farm means that the log, the farm or this code is wrong, and a node that
// went on would spread it.

import { assert, must, unreachable } from "../base/assert.ts";
import type { FarmEvent, RecordedEvent } from "./event.ts";
import type { Farm } from "./farm.ts";
import type { Filament, FarmObject, PrintJob, Stamped } from "./objects.ts";
import { idKey } from "./objects.ts";
import type { Weights } from "./rows.ts";
import { filamentRow, jobRow, printerRow } from "./rows.ts";
import type { TransitionEvent } from "./transitions.ts";
import { NEXT, STATUS_AFTER } from "./transitions.ts";

/** Gives back the object that the event was about, as the farm has it now; null if it is gone. */
export function evolve(farm: Farm, recorded: RecordedEvent): FarmObject | null {
  const { event } = recorded;
  switch (event.type) {
    case "printer.created":
      return farm.insert("printer", printerRow(event.data, newStamp(recorded)));
    case "printer.updated": {
      const old = must(farm.printers.get(idKey(event.data.id)), "printer to update");
      const changed = { ...old, ...event.data.changes };
      return farm.replace("printer", printerRow(changed, nextStamp(old, recorded)));
    }
    case "printer.deleted": {
      const key = idKey(event.data.id);
      assert(farm.activeJobs("printer", key) === 0, () => `printer ${key} deleted under its jobs`);
      farm.remove("printer", key);
      return null;
    }
    case "filament.created": {
      const weights = { ...event.data, reserved_weight_in_grams: 0 };
      const row = filamentRow(event.data, weights, newStamp(recorded));
      assertWeights(row);
      return farm.insert("filament", row);
    }
    case "filament.updated": {
      const old = must(farm.filaments.get(idKey(event.data.id)), "filament to update");
      const changed = { ...old, ...event.data.changes };
      const row = filamentRow(changed, changed, nextStamp(old, recorded));
      assertWeights(row);
      return farm.replace("filament", row);
    }
    case "filament.deleted": {
      const key = idKey(event.data.id);
      assert(farm.activeJobs("filament", key) === 0, () => `spool ${key} deleted under its jobs`);
      farm.remove("filament", key);
      return null;
    }
    case "print_job.created":
      return createJob(farm, event.data, recorded);
    case "print_job.running":
    case "print_job.done":
    case "print_job.canceled":
      return moveJob(farm, event.type, event.data, recorded);
    default:
      return unreachable(event);
  }
}

type DataOf<T extends FarmEvent["type"]> = Extract<FarmEvent, { type: T }>["data"];

function createJob(
  farm: Farm,
  data: DataOf<"print_job.created">,
  recorded: RecordedEvent,
): PrintJob {
  const weight = data.print_weight_in_grams;
  const printer = must(farm.printers.get(idKey(data.printer_id)), "printer of a new job");
  const filament = must(farm.filaments.get(idKey(data.filament_id)), "filament of a new job");
  assert(printer.id === data.printer_id, "a job names its printer as the printer was created");
  assert(filament.id === data.filament_id, "a job names its filament as the filament was created");
  assert(Number.isSafeInteger(weight) && weight > 0, () => `a job of ${weight} grams`);
  const job = farm.insert("print_job", jobRow(data, "Queued", newStamp(recorded)));
  book(farm, filament, weight, 0, recorded);
  return job;
}

function moveJob(
  farm: Farm,
  type: TransitionEvent,
  data: DataOf<TransitionEvent>,
  recorded: RecordedEvent,
): PrintJob {
  const old = must(farm.jobs.get(idKey(data.id)), "job to change");
  const weight = old.print_weight_in_grams;
  const status = STATUS_AFTER[type];
  assert(old.status === data.from, () => `job ${old.id} is ${old.status}, not ${data.from}`);
  assert(NEXT[old.status][status] === type, () => `${type} of a job that is ${old.status}`);
  assert(old.filament_id === data.filament_id, "a job keeps its filament");
  assert(weight === data.print_weight_in_grams, "a job keeps its weight");
  const deducted = type === "print_job.done" ? weight : 0;
  assert(data.deducted_weight_in_grams === deducted, "a job's weight is deducted when it is Done");
  const job = farm.replace("print_job", jobRow(old, status, nextStamp(old, recorded)));
  // A spool does not change when a print starts: the job goes on reserving what it reserved.
  if (type === "print_job.running") return job;
  const filament = must(farm.filaments.get(idKey(old.filament_id)), "filament of a job");
  book(farm, filament, -weight, deducted, recorded);
  return job;
}

/**
 * Reserves grams for a job, or gives them back where `reserved` is negative, and takes grams off.
 */
function book(
  farm: Farm,
  old: Filament,
  reserved: number,
  deducted: number,
  recorded: RecordedEvent,
): void {
  const weights: Weights = {
    total_weight_in_grams: old.total_weight_in_grams,
    remaining_weight_in_grams: old.remaining_weight_in_grams - deducted,
    reserved_weight_in_grams: old.reserved_weight_in_grams + reserved,
  };
  const row = filamentRow(old, weights, nextStamp(old, recorded));
  assertWeights(row);
  farm.replace("filament", row);
}

/** I2: 0 ≤ reserved ≤ remaining ≤ total, before anything is written. */
function assertWeights(row: Filament): void {
  const { reserved_weight_in_grams, remaining_weight_in_grams, total_weight_in_grams } = row;
  assert(Number.isSafeInteger(total_weight_in_grams), () => `total ${total_weight_in_grams}`);
  assert(total_weight_in_grams > 0, () => `filament ${row.id} weighs nothing at all`);
  assert(reserved_weight_in_grams >= 0, () => `filament ${row.id} reserves less than nothing`);
  assert(reserved_weight_in_grams <= remaining_weight_in_grams, () => `${row.id} is overbooked`);
  assert(remaining_weight_in_grams <= total_weight_in_grams, () => `${row.id} exceeds its total`);
}

function newStamp({ index, at }: RecordedEvent): Stamped {
  return { created_index: index, version: index, created_ms: at, updated_ms: at };
}

function nextStamp({ version, created_index, created_ms }: Stamped, next: RecordedEvent): Stamped {
  assert(next.index > version, () => `index ${next.index} is not after version ${version}`);
  return { created_index, version: next.index, created_ms, updated_ms: next.at };
}
