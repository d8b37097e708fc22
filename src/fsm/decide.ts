// What a command comes to: an event, or a refusal with its reason. Every rule of the print shop is
// here, behind the log, and nowhere else; the numbered rules are in SPEC.md.
//
// `decide` reads the farm and changes nothing. It reads no clock and draws no chance: two nodes
// with equal farms decide alike. A client's mistake is a value, never an exception.
//
// The order of the checks is part of the interface, because only the first failure is reported:
// not_found, then version_mismatch, then the rest in the order of the code below.

import type {
  ChangeJobStatus,
  Command,
  CreateFilament,
  CreateJob,
  CreatePrinter,
  DeleteFilament,
  DeletePrinter,
  Expected,
  UpdateFilament,
  UpdatePrinter,
} from "./command.ts";
import { unreachable } from "../base/assert.ts";
import type { FarmEvent } from "./event.ts";
import type { Farm } from "./farm.ts";
import type { Filament, Id, Stamped } from "./objects.ts";
import { idKey } from "./objects.ts";
import type { ObjectKind, Rejection } from "./reply.ts";
import type { Table, TableRow } from "./table.ts";
import { allowed, NEXT } from "./transitions.ts";

export type Decision =
  | { readonly kind: "accepted"; readonly event: FarmEvent }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

export function decide(farm: Farm, command: Command): Decision {
  switch (command.kind) {
    case "create-printer":
      return createPrinter(farm, command);
    case "update-printer":
      return updatePrinter(farm, command);
    case "delete-printer":
      return deletePrinter(farm, command);
    case "create-filament":
      return createFilament(farm, command);
    case "update-filament":
      return updateFilament(farm, command);
    case "delete-filament":
      return deleteFilament(farm, command);
    case "create-job":
      return createJob(farm, command);
    case "change-job-status":
      return changeJobStatus(farm, command);
    default:
      return unreachable(command);
  }
}

function createPrinter(farm: Farm, command: CreatePrinter): Decision {
  const taken = duplicate("printer", farm.printers, command.id);
  if (taken !== null) return rejected(taken);
  const id = command.id ?? farm.nextId("printer");
  const { company, model } = command;
  return accepted({ type: "printer.created", data: { id, company, model } });
}

function updatePrinter(farm: Farm, command: UpdatePrinter): Decision {
  const printer = farm.printers.get(command.key);
  if (printer === undefined) return notFound("printer", command.key);
  if (!isExpected(printer, command.expected)) return versionMismatch(printer);
  const { company, model } = command.changes;
  const changes = {
    ...(company === undefined ? {} : { company }),
    ...(model === undefined ? {} : { model }),
  };
  return accepted({ type: "printer.updated", data: { id: printer.id, changes } });
}

function deletePrinter(farm: Farm, command: DeletePrinter): Decision {
  const printer = farm.printers.get(command.key);
  if (printer === undefined) return notFound("printer", command.key);
  if (!isExpected(printer, command.expected)) return versionMismatch(printer);
  const jobs = farm.activeJobs("printer", command.key);
  if (jobs > 0) return rejected({ code: "in_use", kind: "printer", id: printer.id, jobs });
  return accepted({ type: "printer.deleted", data: { id: printer.id } });
}

function createFilament(farm: Farm, command: CreateFilament): Decision {
  const taken = duplicate("filament", farm.filaments, command.id);
  if (taken !== null) return rejected(taken);
  const id = command.id ?? farm.nextId("filament");
  const { type, color, total_weight_in_grams, remaining_weight_in_grams } = command;
  return accepted({
    type: "filament.created",
    data: { id, type, color, total_weight_in_grams, remaining_weight_in_grams },
  });
}

function updateFilament(farm: Farm, command: UpdateFilament): Decision {
  const filament = farm.filaments.get(command.key);
  if (filament === undefined) return notFound("filament", command.key);
  if (!isExpected(filament, command.expected)) return versionMismatch(filament);
  const { type, color, total_weight_in_grams, remaining_weight_in_grams } = command.changes;
  const total = total_weight_in_grams ?? filament.total_weight_in_grams;
  const remaining = remaining_weight_in_grams ?? filament.remaining_weight_in_grams;
  const reserved = filament.reserved_weight_in_grams;
  if (remaining > total || reserved > remaining) {
    return rejected({ code: "weight_conflict", total, remaining, reserved });
  }
  const changes = {
    ...(type === undefined ? {} : { type }),
    ...(color === undefined ? {} : { color }),
    ...(total_weight_in_grams === undefined ? {} : { total_weight_in_grams }),
    ...(remaining_weight_in_grams === undefined ? {} : { remaining_weight_in_grams }),
  };
  return accepted({ type: "filament.updated", data: { id: filament.id, changes } });
}

function deleteFilament(farm: Farm, command: DeleteFilament): Decision {
  const filament = farm.filaments.get(command.key);
  if (filament === undefined) return notFound("filament", command.key);
  if (!isExpected(filament, command.expected)) return versionMismatch(filament);
  const jobs = farm.activeJobs("filament", command.key);
  if (jobs > 0) return rejected({ code: "in_use", kind: "filament", id: filament.id, jobs });
  return accepted({ type: "filament.deleted", data: { id: filament.id } });
}

function createJob(farm: Farm, command: CreateJob): Decision {
  const printer = farm.printers.get(idKey(command.printer_id));
  const filament = farm.filaments.get(idKey(command.filament_id));
  if (printer === undefined || filament === undefined) {
    const fields: { field: "printer_id" | "filament_id"; id: Id }[] = [];
    if (printer === undefined) fields.push({ field: "printer_id", id: command.printer_id });
    if (filament === undefined) fields.push({ field: "filament_id", id: command.filament_id });
    return rejected({ code: "unknown_reference", fields });
  }
  const taken = duplicate("print_job", farm.jobs, command.id);
  if (taken !== null) return rejected(taken);
  const asked = command.print_weight_in_grams;
  if (asked > unreserved(filament)) return notEnough(filament, asked);
  return accepted({
    type: "print_job.created",
    data: {
      id: command.id ?? farm.nextId("print_job"),
      // In the form in which the printer and the filament were created, whatever form was asked in.
      printer_id: printer.id,
      filament_id: filament.id,
      filepath: command.filepath,
      print_weight_in_grams: asked,
    },
  });
}

function changeJobStatus(farm: Farm, command: ChangeJobStatus): Decision {
  const job = farm.jobs.get(command.key);
  if (job === undefined) return notFound("print_job", command.key);
  if (!isExpected(job, command.expected)) return versionMismatch(job);
  const from = job.status;
  const type = NEXT[from][command.to];
  if (type === null) {
    const rejection = { code: "transition_not_allowed", from, to: command.to } as const;
    return rejected({ ...rejection, allowed: allowed(from) });
  }
  const { id, filament_id, print_weight_in_grams } = job;
  const deducted_weight_in_grams = type === "print_job.done" ? print_weight_in_grams : 0;
  return accepted({
    type,
    data: { id, from, filament_id, print_weight_in_grams, deducted_weight_in_grams },
  });
}

/**
 * Grams that no job has claimed. A difference of what is at hand: unlike a sum it cannot overflow.
 */
function unreserved(filament: Filament): number {
  return filament.remaining_weight_in_grams - filament.reserved_weight_in_grams;
}

function isExpected(row: Stamped, expected: Expected): boolean {
  return expected === null || expected.includes(row.version);
}

/**
 * The refusal if this id is taken: it names the object that has it, in the form it was created in.
 */
function duplicate<T extends TableRow>(
  kind: ObjectKind,
  table: Table<T>,
  id: Id | null,
): Rejection | null {
  const holder = id === null ? undefined : table.get(idKey(id));
  return holder === undefined ? null : { code: "duplicate_id", kind, id: holder.id };
}

function notFound(kind: ObjectKind, key: string): Decision {
  return rejected({ code: "not_found", kind, key });
}

function versionMismatch(row: Stamped): Decision {
  return rejected({ code: "version_mismatch", version: row.version });
}

function notEnough(filament: Filament, asked: number): Decision {
  return rejected({
    code: "not_enough_filament",
    filament_id: filament.id,
    remaining: filament.remaining_weight_in_grams,
    reserved: filament.reserved_weight_in_grams,
    asked,
  });
}

function accepted(event: FarmEvent): Decision {
  return { kind: "accepted", event };
}

function rejected(rejection: Rejection): Decision {
  return { kind: "rejected", rejection };
}
