import { isDeepStrictEqual } from "node:util";
// The real machine against the naive one: random commands, compared after every step.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "./command.ts";
import type { FarmEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import { Farm } from "./farm.ts";
import type { FarmObject, JobStatus } from "./objects.ts";
import { idKey } from "./objects.ts";
import { aCommand, OPENING } from "./testing/commands.ts";
import { NaiveFarm } from "./testing/naive-farm.ts";
import { Script } from "./testing/script.ts";
import { isActive } from "./transitions.ts";

const RUNS = { seed: 20_261_122, numRuns: 150 } as const;
const someCommands = fc.array(aCommand, { maxLength: 80, size: "max" });

function forAnyCommands(each: (commands: readonly Command[]) => void): void {
  fc.assert(
    fc.property(someCommands, (commands) => each([...OPENING, ...commands])),
    RUNS,
  );
}

/** What each active job claims, added up for every spool. */
function claims(farm: Farm): Map<string, number> {
  const sums = new Map<string, number>();
  for (const job of farm.jobs.values()) {
    if (!isActive(job.status)) continue;
    const key = idKey(job.filament_id);
    sums.set(key, (sums.get(key) ?? 0) + job.print_weight_in_grams);
  }
  return sums;
}

describe("the farm under random commands", () => {
  test("replies and objects are those of a naive farm that adds everything up anew", () => {
    const seen = new Map<string, number>();
    forAnyCommands((commands) => {
      const script = new Script();
      const naive = new NaiveFarm();
      for (const command of commands) {
        const reply = script.reply(command);
        const index = script.machine.appliedIndex;
        expect(reply).toEqual(naive.apply(command, index, 1_700_000_000_000 + index));
        const outcome = `${command.kind} ${reply.ok ? "accepted" : reply.rejection.code}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        const { farm } = script.machine;
        expect([...farm.printers.values()]).toEqual(naive.rows("printer"));
        expect([...farm.filaments.values()]).toEqual(naive.rows("filament"));
        expect([...farm.jobs.values()]).toEqual(naive.rows("print_job"));
      }
    });
    // The comparison is worth what the commands reach: every outcome of every command, several
    // times.
    const outcomes = [...seen].filter(([, count]) => count >= 3).map(([outcome]) => outcome);
    expect(outcomes.toSorted()).toEqual([
      "change-job-status accepted",
      "change-job-status not_found",
      "change-job-status transition_not_allowed",
      "change-job-status version_mismatch",
      "create-filament accepted",
      "create-filament duplicate_id",
      "create-job accepted",
      "create-job duplicate_id",
      "create-job not_enough_filament",
      "create-job unknown_reference",
      "create-printer accepted",
      "create-printer duplicate_id",
      "delete-filament accepted",
      "delete-filament in_use",
      "delete-filament not_found",
      "delete-filament version_mismatch",
      "delete-printer accepted",
      "delete-printer in_use",
      "delete-printer not_found",
      "delete-printer version_mismatch",
      "update-filament accepted",
      "update-filament not_found",
      "update-filament version_mismatch",
      "update-filament weight_conflict",
      "update-printer accepted",
      "update-printer not_found",
      "update-printer version_mismatch",
    ]);
  });

  test("I1, I2: what a spool reserves is the sum of its active jobs, within what remains", () => {
    forAnyCommands((commands) => {
      const script = new Script();
      for (const command of commands) {
        script.propose(command);
        const sums = claims(script.machine.farm);
        for (const spool of script.machine.farm.filaments.values()) {
          expect(spool.reserved_weight_in_grams).toBe(sums.get(idKey(spool.id)) ?? 0);
          const unreserved = spool.remaining_weight_in_grams - spool.reserved_weight_in_grams;
          expect(unreserved).toBeGreaterThanOrEqual(0);
          const used = spool.total_weight_in_grams - spool.remaining_weight_in_grams;
          expect(used).toBeGreaterThanOrEqual(0);
          sums.delete(idKey(spool.id));
        }
        // Nothing is reserved on a spool that is not there.
        expect([...sums.keys()]).toEqual([]);
      }
    });
  });

  test("I3: without PATCH, a spool has lost exactly what the jobs that were Done weighed", () => {
    forAnyCommands((commands) => {
      const script = new Script();
      for (const command of commands) {
        if (command.kind !== "update-filament") script.propose(command);
      }
      const expected = new Map<string, number>();
      for (const { event } of script.events) {
        const key = idKey(event.data.id);
        if (event.type === "filament.created") {
          expected.set(key, event.data.remaining_weight_in_grams);
        } else if (event.type === "print_job.done") {
          const spool = idKey(event.data.filament_id);
          expected.set(spool, (expected.get(spool) ?? 0) - event.data.print_weight_in_grams);
        } else if (event.type === "filament.deleted") {
          expected.delete(key);
        }
      }
      const spools = [...script.machine.farm.filaments.values()];
      const remaining = spools.map((it) => [idKey(it.id), it.remaining_weight_in_grams]);
      expect(new Map(remaining as [string, number][])).toEqual(expected);
    });
  });

  test("I4, I5: a job moves along the table only, and is deducted when it is Done", () => {
    const next = { Queued: ["Running", "Canceled"], Running: ["Done", "Canceled"] };
    forAnyCommands((commands) => {
      const script = new Script();
      const status = new Map<string, JobStatus>();
      const deducted = new Set<string>();
      for (const command of commands) {
        const before = remainingOf(script.machine.farm);
        script.propose(command);
        for (const job of script.machine.farm.jobs.values()) {
          const key = idKey(job.id);
          const was = status.get(key);
          status.set(key, job.status);
          if (was === undefined) expect(job.status).toBe("Queued");
          if (was === undefined || was === job.status) continue;
          expect(was in next && next[was as keyof typeof next]).toContain(job.status);
          const spool = idKey(job.filament_id);
          const lost =
            (before.get(spool) ?? 0) - (remainingOf(script.machine.farm).get(spool) ?? 0);
          expect(lost).toBe(job.status === "Done" ? job.print_weight_in_grams : 0);
          if (job.status === "Done") expect(deducted.has(key)).toBe(false);
          if (job.status === "Done") deducted.add(key);
        }
      }
    });
  });

  test("I7: every active job has its printer and its spool, and their count of it is right", () => {
    forAnyCommands((commands) => {
      const script = new Script();
      for (const command of commands) {
        script.propose(command);
        const { farm } = script.machine;
        const active = [...farm.jobs.values()].filter((job) => isActive(job.status));
        for (const job of active) {
          expect(farm.printers.get(idKey(job.printer_id))?.id).toBe(job.printer_id);
          expect(farm.filaments.get(idKey(job.filament_id))?.id).toBe(job.filament_id);
        }
        for (const { id } of farm.printers.values()) {
          const count = active.filter((job) => job.printer_id === id).length;
          expect(farm.activeJobs("printer", idKey(id))).toBe(count);
        }
        for (const { id } of farm.filaments.values()) {
          const count = active.filter((job) => job.filament_id === id).length;
          expect(farm.activeJobs("filament", idKey(id))).toBe(count);
        }
      }
    });
  });

  test("I12: folding the events alone gives the digest of the live farm after every event", () => {
    forAnyCommands((commands) => {
      const script = new Script();
      const folded = Farm.empty();
      let events = 0;
      for (const command of commands) {
        script.propose(command);
        for (const recorded of script.events.slice(events)) evolve(folded, recorded);
        events = script.events.length;
        expect(folded.digest()).toBe(script.machine.farm.digest());
      }
      expect([...folded.jobs.values()]).toEqual([...script.machine.farm.jobs.values()]);
    });
  });

  test("I19: exactly the rows that an event is about change, and have its index as version", () => {
    forAnyCommands((commands) => {
      const script = new Script();
      for (const command of commands) {
        const before = rowsOf(script.machine.farm);
        const events = script.events.length;
        script.propose(command);
        const after = rowsOf(script.machine.farm);
        const changed = [...after.keys()].filter(
          (name) => !isDeepStrictEqual(after.get(name), before.get(name)),
        );
        expect(changed.toSorted()).toEqual(changedBy(script.events[events]?.event).toSorted());
        for (const name of changed) {
          expect(after.get(name)?.version).toBe(script.machine.appliedIndex);
        }
      }
    });
  });
});

/** The rows that are there and different after an event, as "kind key". */
function changedBy(event: FarmEvent | undefined): string[] {
  switch (event?.type) {
    case undefined:
    case "printer.deleted":
    case "filament.deleted":
      return [];
    case "printer.created":
    case "printer.updated":
      return [`printer ${event.data.id}`];
    case "filament.created":
    case "filament.updated":
      return [`filament ${event.data.id}`];
    case "print_job.running":
      return [`print_job ${event.data.id}`];
    case "print_job.created":
    case "print_job.done":
    case "print_job.canceled":
      return [`print_job ${event.data.id}`, `filament ${event.data.filament_id}`];
  }
}

function remainingOf(farm: Farm): Map<string, number> {
  const rows = [...farm.filaments.values()];
  return new Map(rows.map((row) => [idKey(row.id), row.remaining_weight_in_grams]));
}

function rowsOf(farm: Farm): Map<string, FarmObject> {
  return new Map<string, FarmObject>([
    ...[...farm.printers.values()].map((row) => [`printer ${row.id}`, row] as const),
    ...[...farm.filaments.values()].map((row) => [`filament ${row.id}`, row] as const),
    ...[...farm.jobs.values()].map((row) => [`print_job ${row.id}`, row] as const),
  ]);
}
