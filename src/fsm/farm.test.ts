import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { evolve } from "./evolve.ts";
import { Farm } from "./farm.ts";
import { filamentRow, jobRow, printerRow } from "./rows.ts";
import { createFilament, createJob, createPrinter, deletePrinter } from "./testing/commands.ts";
import { changeStatus, updatePrinter } from "./testing/commands.ts";
import { Script, scriptOf } from "./testing/script.ts";

function stamp(index: number) {
  return { created_index: index, version: index, created_ms: 5, updated_ms: 5 };
}

function printer(id: string | number, index: number, model = "MK4S", version = index) {
  return printerRow({ id, company: "Prusa", model }, { ...stamp(index), version });
}

describe("next ids", () => {
  test("I6: count from 1, pass what is taken in either form, and never come a second time", () => {
    const script = new Script();
    const made = (id: string | number | null) => {
      script.accept(createPrinter({ id }));
      return [...script.machine.farm.printers.values()].at(-1)?.id;
    };
    expect(made(null)).toBe(1);
    expect(made("2")).toBe("2");
    expect(made(4)).toBe(4);
    expect(made(null)).toBe(3);
    script.accept(deletePrinter("3"));
    script.accept(deletePrinter("1"));
    expect(made(null)).toBe(5);
    // Whoever names a free number explicitly may have it, also one that was used before.
    expect(made(3)).toBe(3);
    expect(made("x")).toBe("x");
    expect(made(null)).toBe(6);
    // 8 was created and deleted before its turn came: it is still a free number.
    made(8);
    script.accept(deletePrinter("8"));
    expect([made(null), made(null), made(null)]).toEqual([7, 8, 9]);
  });

  test("I6: each kind counts for itself", () => {
    const script = scriptOf(createPrinter(), createPrinter(), createFilament(), createJob());
    const { farm } = script.machine;
    expect([farm.nextId("printer"), farm.nextId("filament"), farm.nextId("print_job")]).toEqual([
      3, 2, 2,
    ]);
  });

  test("a refused creation uses up no number", () => {
    const script = scriptOf(createPrinter(), createFilament());
    script.refuse(createJob({ print_weight_in_grams: 1001 }));
    script.accept(createJob());
    expect(script.machine.farm.jobs.get("1")?.id).toBe(1);
  });

  test("can be put back above the rows, and not onto or below them", () => {
    const farm = Farm.empty();
    farm.insert("printer", printer(1, 1));
    farm.insert("printer", printer(5, 2));
    expect(() => farm.restoreNextId("printer", 1)).toThrow(AssertionError);
    expect(() => farm.restoreNextId("printer", 5)).toThrow(AssertionError);
    farm.remove("printer", "1");
    expect(() => farm.restoreNextId("printer", 1)).toThrow("cannot fall");
    farm.restoreNextId("printer", 7);
    expect(farm.nextId("printer")).toBe(7);
  });
});

describe("the digest", () => {
  test("is the same for the same rows and next ids, whatever way led there", () => {
    const straight = Farm.empty();
    straight.insert("printer", printer("a", 1, "XL", 3));
    const crooked = Farm.empty();
    crooked.insert("printer", printer("a", 1));
    crooked.insert("printer", printer("b", 2));
    crooked.replace("printer", printer("a", 1, "XL", 3));
    expect(crooked.digest()).not.toBe(straight.digest());
    crooked.remove("printer", "b");
    expect(crooked.digest()).toBe(straight.digest());
    expect(straight.digest()).toMatch(/^[0-9a-f]{16}$/);
  });

  test("covers the next ids: a farm that forgot them would choose differently", () => {
    const forgetful = Farm.empty();
    const farm = Farm.empty();
    farm.insert("printer", printer(1, 1));
    farm.remove("printer", "1");
    expect(farm.printers.size).toBe(0);
    expect(farm.digest()).not.toBe(forgetful.digest());
    forgetful.restoreNextId("printer", 2);
    expect(farm.digest()).toBe(forgetful.digest());
  });

  test("tells the same row of two kinds apart, and the same row at two places", () => {
    const one = Farm.empty();
    one.insert("printer", printer("a", 1));
    const other = Farm.empty();
    other.insert("printer", printer("a", 2));
    expect(one.digest()).not.toBe(other.digest());
  });
});

describe("the counts of active jobs", () => {
  test("follow a job from its creation to its end", () => {
    const script = scriptOf(createPrinter(), createFilament({ id: "spool" }));
    const { farm } = script.machine;
    const counts = () => [farm.activeJobs("printer", "1"), farm.activeJobs("filament", "spool")];
    expect(counts()).toEqual([0, 0]);
    script.accept(createJob({ filament_id: "spool" }));
    script.accept(createJob({ filament_id: "spool" }));
    expect(counts()).toEqual([2, 2]);
    script.accept(changeStatus("1", "Running"));
    expect(counts()).toEqual([2, 2]);
    script.accept(changeStatus("1", "Done"));
    script.accept(changeStatus("2", "Canceled"));
    expect(counts()).toEqual([0, 0]);
  });

  test("count a job by the status of its row, also where a row is replaced by another", () => {
    const farm = Farm.empty();
    const job = jobRow(
      { id: 1, printer_id: 1, filament_id: 1, filepath: "f", print_weight_in_grams: 5 },
      "Done",
      stamp(3),
    );
    farm.insert("print_job", job);
    expect(farm.activeJobs("printer", "1")).toBe(0);
    const revived = jobRow(job, "Queued", { ...stamp(3), version: 4 });
    farm.replace("print_job", revived);
    expect(farm.activeJobs("printer", "1")).toBe(1);
    farm.replace("print_job", jobRow(job, "Canceled", { ...stamp(3), version: 5 }));
    expect(farm.activeJobs("printer", "1")).toBe(0);
  });
});

describe("a farm", () => {
  test("refuses to replace a row by one that no later entry has written", () => {
    const farm = Farm.empty();
    farm.insert("printer", printer("a", 1));
    farm.replace("printer", printer("a", 1, "XL", 3));
    expect(() => farm.replace("printer", printer("a", 1, "Mini", 3))).toThrow(AssertionError);
    expect(() => farm.replace("printer", printer("a", 1, "Mini", 2))).toThrow(AssertionError);
  });

  test("I17: a view keeps rows, next ids and digest while the farm goes on", () => {
    const script = scriptOf(createPrinter(), createFilament(), createJob());
    const { farm } = script.machine;
    const view = farm.view();
    const digest = farm.digest();
    script.accept(updatePrinter("1", { model: "XL" }));
    script.accept(createPrinter());
    script.accept(changeStatus("1", "Canceled"));
    expect(view.digest).toBe(digest);
    expect(view.nextIds).toEqual({ printer: 2, filament: 2, print_job: 2 });
    expect([...view.printers.values()].map((it) => it.model)).toEqual(["MK4S"]);
    expect([...view.filaments.values()].map((it) => it.reserved_weight_in_grams)).toEqual([100]);
    expect([...view.jobs.values()].map((it) => it.status)).toEqual(["Queued"]);
    expect(farm.digest()).not.toBe(digest);
    const again = Farm.empty();
    for (const event of script.events) evolve(again, event);
    expect(again.digest()).toBe(farm.digest());
  });

  test("a spool inserted by hand counts in the digest with all its weights", () => {
    const digests = [1, 2].map((reserved) => {
      const farm = Farm.empty();
      const of = { id: 1, type: "PLA", color: "red" } as const;
      const weights = {
        total_weight_in_grams: 9,
        remaining_weight_in_grams: 9,
        reserved_weight_in_grams: reserved,
      };
      farm.insert("filament", filamentRow(of, weights, stamp(1)));
      return farm.digest();
    });
    expect(digests[0]).not.toBe(digests[1]);
  });
});
