// The rules of the print shop written a second time, the slow and obvious way: lists that are
// searched from the front, and sums that are added up anew whenever they are asked for. Nothing is
// shared with the real one but the types, so that a mistake would have to be made twice to go
// unnoticed.

import type { Command } from "../command.ts";
import type { Filament, Id, JobStatus, PrintJob, Printer } from "../objects.ts";
import type { ObjectKind, Rejection, Reply } from "../reply.ts";

interface Thing {
  readonly kind: ObjectKind;
  readonly born: { readonly index: number; readonly at: number };
  changed: { index: number; at: number };
  gone: boolean;
  // The fields of the API by name; which there are depends on the kind.
  readonly fields: Record<string, unknown>;
}

export class NaiveFarm {
  /** Everything that ever was, oldest first. */
  readonly #things: Thing[] = [];
  /** Numbers that will not be chosen again, as "kind number". */
  readonly #spent = new Set<string>();

  apply(command: Command, index: number, at: number): Reply {
    const now = { index, at };
    switch (command.kind) {
      case "create-printer": {
        const { kind: _, id, ...fields } = command;
        return this.#create("printer", id, fields, now);
      }
      case "create-filament": {
        const { kind: _, id, ...fields } = command;
        return this.#create("filament", id, fields, now);
      }
      case "create-job":
        return this.#createJob(command, now);
      case "update-printer":
        return this.#update("printer", command, now);
      case "update-filament":
        return this.#update("filament", command, now);
      case "delete-printer":
        return this.#delete("printer", command);
      case "delete-filament":
        return this.#delete("filament", command);
      case "change-job-status":
        return this.#move(command, now);
    }
  }

  rows(kind: ObjectKind): (Printer | Filament | PrintJob)[] {
    return this.#things.filter((it) => it.kind === kind && !it.gone).map((it) => this.#row(it));
  }

  #find(kind: ObjectKind, id: Id): Thing | undefined {
    return this.#things.find((it) => it.kind === kind && !it.gone && same(it.fields["id"], id));
  }

  #jobsOn(field: "printer_id" | "filament_id", id: unknown): Thing[] {
    return this.#things
      .filter((it) => it.kind === "print_job" && same(it.fields[field], id))
      .filter((it) => ["Queued", "Running"].includes(String(it.fields["status"])));
  }

  /** Summed as a bigint: the naive farm must not lean on sums staying below 2^53. */
  #reserved(filamentId: unknown): number {
    const weights = this.#jobsOn("filament_id", filamentId).map(weightOf);
    return Number(weights.reduce((sum, weight) => sum + BigInt(weight), 0n));
  }

  #row(it: Thing): Printer | Filament | PrintJob {
    const stamp = {
      created_index: it.born.index,
      version: it.changed.index,
      created_ms: it.born.at,
      updated_ms: it.changed.at,
    };
    const reserved =
      it.kind === "filament" ? { reserved_weight_in_grams: this.#reserved(it.fields["id"]) } : {};
    return { ...it.fields, ...reserved, ...stamp } as Printer | Filament | PrintJob;
  }

  #create(kind: ObjectKind, id: Id | null, fields: object, now: Thing["born"]): Reply {
    const holder = id === null ? undefined : this.#find(kind, id);
    if (holder !== undefined) {
      return no({ code: "duplicate_id", kind, id: holder.fields["id"] as Id });
    }
    let chosen = 1;
    while (this.#spent.has(`${kind} ${chosen}`)) chosen += 1;
    const thing: Thing = {
      kind,
      born: now,
      changed: now,
      gone: false,
      fields: { id: id ?? chosen, ...fields },
    };
    this.#things.push(thing);
    for (let n = 1; this.#spent.has(`${kind} ${n}`) || this.#find(kind, n) !== undefined; n += 1) {
      this.#spent.add(`${kind} ${n}`);
    }
    return { ok: true, object: this.#row(thing) };
  }

  #createJob(command: Extract<Command, { kind: "create-job" }>, now: Thing["born"]): Reply {
    const printer = this.#find("printer", command.printer_id);
    const filament = this.#find("filament", command.filament_id);
    const fields = (["printer_id", "filament_id"] as const)
      .filter((field) => (field === "printer_id" ? printer : filament) === undefined)
      .map((field) => ({ field, id: command[field] }));
    if (printer === undefined || filament === undefined) {
      return no({ code: "unknown_reference", fields });
    }
    const holder = command.id === null ? undefined : this.#find("print_job", command.id);
    const asked = command.print_weight_in_grams;
    const remaining = filament.fields["remaining_weight_in_grams"] as number;
    const reserved = this.#reserved(filament.fields["id"]);
    const filament_id = filament.fields["id"] as Id;
    if (holder === undefined && BigInt(reserved) + BigInt(asked) > BigInt(remaining)) {
      return no({ code: "not_enough_filament", filament_id, remaining, reserved, asked });
    }
    const { kind: _, id, ...rest } = command;
    const printer_id = printer.fields["id"];
    const made = this.#create(
      "print_job",
      id,
      { ...rest, printer_id, filament_id, status: "Queued" },
      now,
    );
    if (made.ok) filament.changed = now;
    return made;
  }

  #update(
    kind: "printer" | "filament",
    command: Extract<Command, { changes: unknown }>,
    now: Thing["born"],
  ): Reply {
    const thing = this.#find(kind, command.key);
    if (thing === undefined) return no({ code: "not_found", kind, key: command.key });
    const wrong = versionOf(thing, command.expected);
    if (wrong !== null) return no(wrong);
    const merged: Record<string, unknown> = { ...thing.fields, ...command.changes };
    if (kind === "filament") {
      const total = merged["total_weight_in_grams"] as number;
      const remaining = merged["remaining_weight_in_grams"] as number;
      const reserved = this.#reserved(thing.fields["id"]);
      const isSound = 0 <= reserved && reserved <= remaining && remaining <= total;
      if (!isSound) return no({ code: "weight_conflict", total, remaining, reserved });
    }
    Object.assign(thing.fields, command.changes);
    thing.changed = now;
    return { ok: true, object: this.#row(thing) };
  }

  #delete(kind: "printer" | "filament", command: Extract<Command, { key: string }>): Reply {
    const thing = this.#find(kind, command.key);
    if (thing === undefined) return no({ code: "not_found", kind, key: command.key });
    const wrong = versionOf(thing, command.expected);
    if (wrong !== null) return no(wrong);
    const jobs = this.#jobsOn(`${kind}_id`, thing.fields["id"]).length;
    if (jobs > 0) return no({ code: "in_use", kind, id: thing.fields["id"] as Id, jobs });
    thing.gone = true;
    return { ok: true, object: null };
  }

  #move(command: Extract<Command, { kind: "change-job-status" }>, now: Thing["born"]): Reply {
    const job = this.#find("print_job", command.key);
    if (job === undefined) return no({ code: "not_found", kind: "print_job", key: command.key });
    const wrong = versionOf(job, command.expected);
    if (wrong !== null) return no(wrong);
    const from = job.fields["status"] as JobStatus;
    const { to } = command;
    const allowed: JobStatus[] = [];
    if (from === "Queued") allowed.push("Running");
    if (from === "Running") allowed.push("Done");
    if (from === "Queued" || from === "Running") allowed.push("Canceled");
    if (!allowed.includes(to)) return no({ code: "transition_not_allowed", from, to, allowed });
    job.fields["status"] = to;
    job.changed = now;
    if (to !== "Running") {
      const filament = this.#find("filament", job.fields["filament_id"] as Id);
      if (filament === undefined) throw new Error("an active job lost its spool");
      filament.changed = now;
      const remaining = filament.fields["remaining_weight_in_grams"] as number;
      const after = to === "Done" ? remaining - weightOf(job) : remaining;
      filament.fields["remaining_weight_in_grams"] = after;
    }
    return { ok: true, object: this.#row(job) };
  }
}

function weightOf(job: Thing): number {
  return job.fields["print_weight_in_grams"] as number;
}

function same(a: unknown, b: unknown): boolean {
  return `${a as Id}` === `${b as Id}`;
}

function no(rejection: Rejection): Reply {
  return { ok: false, rejection };
}

function versionOf(thing: Thing, expected: readonly number[] | null): Rejection | null {
  if (expected === null || expected.some((version) => version === thing.changed.index)) return null;
  return { code: "version_mismatch", version: thing.changed.index };
}
