import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "./command.ts";
import { decide } from "./decide.ts";
import {
  aCommand,
  changeStatus,
  createFilament,
  createJob,
  createPrinter,
  deleteFilament,
  deletePrinter,
  OPENING,
  updateFilament,
  updatePrinter,
} from "./testing/commands.ts";
import type { Script } from "./testing/script.ts";
import { scriptOf, snapshotText } from "./testing/script.ts";

/** A printer and a spool of one kilogram; entries 1 and 2. */
function shop(...commands: readonly Command[]): Script {
  return scriptOf(...OPENING, ...commands);
}

function spool(script: Script, key = "1") {
  const row = script.machine.farm.filaments.get(key);
  return row === undefined
    ? null
    : [
        row.total_weight_in_grams,
        row.remaining_weight_in_grams,
        row.reserved_weight_in_grams,
        row.version,
      ];
}

describe("creating", () => {
  test("stamps an object with the entry that made it and the proposer's clock", () => {
    const script = shop();
    expect(script.machine.farm.printers.get("1")).toEqual({
      id: 1,
      company: "Prusa",
      model: "MK4S",
      created_index: 1,
      version: 1,
      created_ms: 1_700_000_000_001,
      updated_ms: 1_700_000_000_001,
    });
  });

  test("refuses an id that is taken in either form, and names its holder as it was created", () => {
    const script = shop(createPrinter({ id: "2" }), createFilament({ id: 7 }));
    const refusals = [
      script.refuse(createPrinter({ id: 2 })),
      script.refuse(createFilament({ id: "7" })),
      script.refuse(createPrinter({ id: "1" })),
    ];
    expect(refusals).toEqual([
      { code: "duplicate_id", kind: "printer", id: "2" },
      { code: "duplicate_id", kind: "filament", id: 7 },
      { code: "duplicate_id", kind: "printer", id: 1 },
    ]);
  });

  test("the same id is free again once its object was deleted, and is a new object", () => {
    const script = shop(deletePrinter("1"), createPrinter({ id: "1", model: "XL" }));
    expect(script.machine.farm.printers.get("1")).toMatchObject({ id: "1", created_index: 4 });
  });

  test("01 and 1 are two ids, because an id is compared as text", () => {
    const script = shop(createPrinter({ id: "01" }));
    expect(script.machine.farm.printers.size).toBe(2);
  });
});

describe("creating a job", () => {
  test("reserves its weight on the spool, and leaves the printer's version alone", () => {
    const script = shop(createJob({ print_weight_in_grams: 300 }));
    expect(spool(script)).toEqual([1000, 1000, 300, 3]);
    expect(script.machine.farm.printers.get("1")?.version).toBe(1);
    expect(script.machine.farm.jobs.get("1")).toMatchObject({
      id: 1,
      status: "Queued",
      version: 3,
    });
  });

  test("names every unknown reference at once, before it looks at anything else", () => {
    const script = shop(createJob({ id: "taken" }));
    const over = { id: "taken", print_weight_in_grams: 5000 };
    expect(script.refuse(createJob({ ...over, printer_id: 9, filament_id: "no" }))).toEqual({
      code: "unknown_reference",
      fields: [
        { field: "printer_id", id: 9 },
        { field: "filament_id", id: "no" },
      ],
    });
    expect(script.refuse(createJob({ ...over, filament_id: 9 }))).toEqual({
      code: "unknown_reference",
      fields: [{ field: "filament_id", id: 9 }],
    });
    expect(script.refuse(createJob({ ...over, printer_id: 9 }))).toEqual({
      code: "unknown_reference",
      fields: [{ field: "printer_id", id: 9 }],
    });
  });

  test("looks at the id before the weight", () => {
    const script = shop(createJob({ id: "taken" }));
    const refusal = script.refuse(createJob({ id: "taken", print_weight_in_grams: 5000 }));
    expect(refusal).toEqual({ code: "duplicate_id", kind: "print_job", id: "taken" });
  });

  test("may take the last gram that is not reserved, and not one more", () => {
    const script = shop(createJob({ print_weight_in_grams: 600 }));
    expect(script.refuse(createJob({ print_weight_in_grams: 401 }))).toEqual({
      code: "not_enough_filament",
      filament_id: 1,
      remaining: 1000,
      reserved: 600,
      asked: 401,
    });
    script.accept(createJob({ print_weight_in_grams: 400 }));
    expect(spool(script)).toEqual([1000, 1000, 1000, 5]);
    expect(script.refuse(createJob({ print_weight_in_grams: 1 })).code).toBe("not_enough_filament");
  });

  test("counts exactly up to the largest integer, where a sum would have been rounded", () => {
    const total = Number.MAX_SAFE_INTEGER;
    const script = shop(createFilament({ id: "big", total_weight_in_grams: total }));
    const on = { filament_id: "big" };
    script.accept(createJob({ ...on, print_weight_in_grams: total - 1 }));
    expect(script.refuse(createJob({ ...on, print_weight_in_grams: total })).code).toBe(
      "not_enough_filament",
    );
    expect(script.refuse(createJob({ ...on, print_weight_in_grams: 2 })).code).toBe(
      "not_enough_filament",
    );
    script.accept(createJob({ ...on, print_weight_in_grams: 1 }));
    expect(spool(script, "big")).toEqual([total, total, total, 7]);
  });

  test("stores its references in the form in which their objects were created", () => {
    const script = shop(createPrinter({ id: "9" }), createFilament({ id: 8 }));
    script.accept(createJob({ printer_id: 9, filament_id: "8" }));
    expect(script.machine.farm.jobs.get("1")).toMatchObject({ printer_id: "9", filament_id: 8 });
  });

  test("is possible again once another job gave its grams back", () => {
    const script = shop(createJob({ print_weight_in_grams: 900 }));
    expect(script.refuse(createJob({ print_weight_in_grams: 200 })).code).toBe(
      "not_enough_filament",
    );
    script.accept(changeStatus("1", "Canceled"));
    script.accept(createJob({ print_weight_in_grams: 200 }));
    expect(spool(script)).toEqual([1000, 1000, 200, 6]);
  });
});

describe("changing the status of a job", () => {
  test("I5: Done takes the weight off the spool once, in the same entry", () => {
    const script = shop(createJob({ print_weight_in_grams: 300 }), changeStatus("1", "Running"));
    expect(spool(script)).toEqual([1000, 1000, 300, 3]);
    const index = script.accept(changeStatus("1", "Done"));
    expect(spool(script)).toEqual([1000, 700, 0, index]);
    expect(script.refuse(changeStatus("1", "Done")).code).toBe("transition_not_allowed");
    expect(spool(script)).toEqual([1000, 700, 0, index]);
    expect(script.events.at(-1)).toEqual({
      index,
      term: 1,
      at: 1_700_000_000_000 + index,
      event: {
        type: "print_job.done",
        data: {
          id: 1,
          from: "Running",
          filament_id: 1,
          print_weight_in_grams: 300,
          deducted_weight_in_grams: 300,
        },
      },
    });
  });

  test("Canceled gives the grams back and takes nothing, from either status", () => {
    const script = shop(createJob(), createJob(), changeStatus("2", "Running"));
    script.accept(changeStatus("1", "Canceled"));
    expect(spool(script)).toEqual([1000, 1000, 100, 6]);
    script.accept(changeStatus("2", "Canceled"));
    expect(spool(script)).toEqual([1000, 1000, 0, 7]);
  });

  test("looks for the job, then at its version, then at the table", () => {
    const script = shop(createJob(), changeStatus("1", "Canceled"));
    expect(script.refuse(changeStatus("2", "Done", [1]))).toEqual({
      code: "not_found",
      kind: "print_job",
      key: "2",
    });
    expect(script.refuse(changeStatus("1", "Done", [3]))).toEqual({
      code: "version_mismatch",
      version: 4,
    });
    expect(script.refuse(changeStatus("1", "Done", [3, 4])).code).toBe("transition_not_allowed");
  });

  test("is carried out for any of the expected versions, and for none of an empty list", () => {
    const script = shop(createJob());
    expect(script.refuse(changeStatus("1", "Running", [])).code).toBe("version_mismatch");
    script.accept(changeStatus("1", "Running", [9, 3]));
  });
});

describe("updating", () => {
  test("a printer changes what was named and keeps the rest, its place included", () => {
    const script = shop(createPrinter({ id: "b" }), updatePrinter("1", { model: "XL" }));
    expect([...script.machine.farm.printers.values()].map((it) => it.id)).toEqual([1, "b"]);
    expect(script.machine.farm.printers.get("1")).toEqual({
      id: 1,
      company: "Prusa",
      model: "XL",
      created_index: 1,
      version: 4,
      created_ms: 1_700_000_000_001,
      updated_ms: 1_700_000_000_004,
    });
  });

  test("a spool whose total alone is raised has no more left than before", () => {
    const script = shop(updateFilament("1", { total_weight_in_grams: 2000 }));
    expect(spool(script)).toEqual([2000, 1000, 0, 3]);
  });

  test("a spool is refused weights that its jobs or its other weight do not allow", () => {
    const script = shop(createJob({ print_weight_in_grams: 300 }));
    const conflict = (changes: Parameters<typeof updateFilament>[1]) =>
      script.refuse(updateFilament("1", changes));
    const code = "weight_conflict";
    const reserved = 300;
    expect(conflict({ remaining_weight_in_grams: 299 })).toEqual({
      code,
      total: 1000,
      remaining: 299,
      reserved,
    });
    expect(conflict({ total_weight_in_grams: 999 })).toEqual({
      code,
      total: 999,
      remaining: 1000,
      reserved,
    });
    expect(conflict({ total_weight_in_grams: 500, remaining_weight_in_grams: 501 })).toEqual({
      code,
      total: 500,
      remaining: 501,
      reserved,
    });
    script.accept(
      updateFilament("1", { total_weight_in_grams: 300, remaining_weight_in_grams: 300 }),
    );
    expect(spool(script)).toEqual([300, 300, 300, 7]);
  });

  test("an event holds the changes that were asked for and no others", () => {
    const script = shop(updateFilament("1", { color: "red" }), updatePrinter("1", {}));
    expect(script.events.slice(-2).map((it) => it.event)).toEqual([
      { type: "filament.updated", data: { id: 1, changes: { color: "red" } } },
      { type: "printer.updated", data: { id: 1, changes: {} } },
    ]);
  });

  test("looks for the object, then at its version, then at the weights", () => {
    const script = shop();
    const changes = { remaining_weight_in_grams: 2000 };
    expect(script.refuse(updateFilament("2", changes, [9])).code).toBe("not_found");
    expect(script.refuse(updateFilament("1", changes, [9])).code).toBe("version_mismatch");
    expect(script.refuse(updateFilament("1", changes, [2])).code).toBe("weight_conflict");
    expect(script.refuse(updatePrinter("2", { model: "x" }, [9])).code).toBe("not_found");
    expect(script.refuse(updatePrinter("1", { model: "x" }, [9])).code).toBe("version_mismatch");
    script.accept(updatePrinter("1", { model: "x" }, [1]));
  });
});

describe("deleting", () => {
  test("I7: a printer or spool with active jobs stays, and says how many there are", () => {
    const script = shop(createJob(), createJob(), changeStatus("2", "Running"));
    expect(script.refuse(deletePrinter("1"))).toEqual({
      code: "in_use",
      kind: "printer",
      id: 1,
      jobs: 2,
    });
    script.accept(changeStatus("1", "Canceled"));
    expect(script.refuse(deleteFilament("1"))).toEqual({
      code: "in_use",
      kind: "filament",
      id: 1,
      jobs: 1,
    });
  });

  test("what is over keeps its references after both are gone: it is history", () => {
    const script = shop(createJob(), changeStatus("1", "Canceled"));
    expect(script.reply(deletePrinter("1"))).toEqual({ ok: true, object: null });
    expect(script.reply(deleteFilament("1"))).toEqual({ ok: true, object: null });
    expect(script.machine.farm.jobs.get("1")).toMatchObject({ printer_id: 1, filament_id: 1 });
    expect(script.machine.farm.printers.size + script.machine.farm.filaments.size).toBe(0);
  });

  test("a new spool under a used id has nothing to do with the jobs of the old one", () => {
    const script = shop(createJob(), changeStatus("1", "Canceled"), deleteFilament("1"));
    script.accept(createFilament({ id: 1, total_weight_in_grams: 50 }));
    script.accept(createJob({ print_weight_in_grams: 50 }));
    expect(spool(script)).toEqual([50, 50, 50, 7]);
    expect(script.machine.farm.activeJobs("filament", "1")).toBe(1);
  });

  test("looks for the object, then at its version, then for its jobs", () => {
    const script = shop(createJob());
    expect(script.refuse(deletePrinter("9", [9])).code).toBe("not_found");
    expect(script.refuse(deletePrinter("1", [9])).code).toBe("version_mismatch");
    expect(script.refuse(deletePrinter("1", [1])).code).toBe("in_use");
    expect(script.refuse(deleteFilament("9", [9])).code).toBe("not_found");
    expect(script.refuse(deleteFilament("1", [2]))).toEqual({
      code: "version_mismatch",
      version: 3,
    });
    expect(script.refuse(deleteFilament("1", [3])).code).toBe("in_use");
  });
});

describe("deciding", () => {
  test("I15: changes nothing, and the same question has the same answer", () => {
    fc.assert(
      fc.property(
        fc.array(aCommand, { maxLength: 40, size: "max" }),
        fc.array(aCommand, { minLength: 1, maxLength: 10 }),
        (history, questions) => {
          const script = shop();
          for (const command of history) script.propose(command);
          const { machine } = script;
          const before = snapshotText(machine);
          const first = questions.map((command) => decide(machine.farm, command));
          const again = questions.map((command) => decide(machine.farm, command));
          expect(again).toEqual(first);
          expect(snapshotText(machine)).toBe(before);
        },
      ),
      { seed: 15, numRuns: 50 },
    );
  });

  test("I16: a refusal leaves every object as it was", () => {
    fc.assert(
      fc.property(fc.array(aCommand, { maxLength: 60, size: "max" }), (commands) => {
        const script = shop();
        for (const command of commands) {
          const before = script.machine.farm.digest();
          const reply = script.reply(command);
          const after = script.machine.farm.digest();
          if (reply.ok) expect(after).not.toBe(before);
          else expect(after).toBe(before);
        }
      }),
      { seed: 16, numRuns: 100 },
    );
  });
});
