import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import type { FarmEvent, RecordedEvent } from "./event.ts";
import { evolve } from "./evolve.ts";
import { Farm } from "./farm.ts";
import { changeStatus, createJob, OPENING } from "./testing/commands.ts";
import { scriptOf } from "./testing/script.ts";

function recorded(index: number, event: FarmEvent): RecordedEvent {
  return { index, term: 1, at: 5, event };
}

function folded(events: readonly RecordedEvent[]): Farm {
  const farm = Farm.empty();
  for (const event of events) evolve(farm, event);
  return farm;
}

/** A farm with printer 1, spool 1 of a kilogram and job 1 of 100 g; entries 1 to 3. */
function farmWithJob(): Farm {
  return scriptOf(...OPENING, createJob()).machine.farm;
}

const MOVE = {
  id: 1,
  from: "Queued",
  filament_id: 1,
  print_weight_in_grams: 100,
  deducted_weight_in_grams: 0,
} as const;

const NEW_JOB = {
  id: 2,
  printer_id: 1,
  filament_id: 1,
  filepath: "f",
  print_weight_in_grams: 100,
} as const;

describe("folding events", () => {
  test("I12: gives the farm back after a story with every kind of event", () => {
    const script = scriptOf(
      ...OPENING,
      createJob(),
      createJob(),
      changeStatus("1", "Running"),
      changeStatus("1", "Done"),
      changeStatus("2", "Canceled"),
      { kind: "update-printer", key: "1", expected: null, changes: { company: "Voron" } },
      { kind: "update-filament", key: "1", expected: null, changes: { color: "red" } },
      { kind: "delete-printer", key: "1", expected: null },
      { kind: "delete-filament", key: "1", expected: null },
    );
    expect(new Set(script.events.map((it) => it.event.type)).size).toBe(10);
    expect(folded(script.events).digest()).toBe(script.machine.farm.digest());
    // Events come back from disk and from peers as JSON.
    const parsed = JSON.parse(JSON.stringify(script.events)) as RecordedEvent[];
    expect(folded(parsed).digest()).toBe(script.machine.farm.digest());
  });

  test("advances the farm in place, and gives back the object as it is then", () => {
    const farm = farmWithJob();
    const event = recorded(9, { type: "print_job.running", data: MOVE });
    const job = evolve(farm, event);
    expect(job).toMatchObject({ id: 1, status: "Running", version: 9, updated_ms: 5 });
    expect(farm.jobs.get("1")).toEqual(job);
    const canceled = { ...MOVE, from: "Running" } as const;
    evolve(farm, recorded(10, { type: "print_job.canceled", data: canceled }));
    const gone = recorded(11, { type: "printer.deleted", data: { id: 1 } });
    expect(evolve(farm, gone)).toBeNull();
    expect(farm.printers.size).toBe(0);
  });
});

describe("an event that does not fit the farm ends the node", () => {
  const misfits: Readonly<Record<string, FarmEvent>> = {
    "a printer that is there is created again": {
      type: "printer.created",
      data: { id: "1", company: "Prusa", model: "XL" },
    },
    "a printer that is not there is updated": {
      type: "printer.updated",
      data: { id: 2, changes: {} },
    },
    "a printer that is not there is deleted": { type: "printer.deleted", data: { id: 2 } },
    "a printer is deleted under its job": { type: "printer.deleted", data: { id: 1 } },
    "a spool is deleted under its job": { type: "filament.deleted", data: { id: 1 } },
    "a spool holds more than its total": {
      type: "filament.created",
      data: {
        id: 2,
        type: "PLA",
        color: "red",
        total_weight_in_grams: 10,
        remaining_weight_in_grams: 11,
      },
    },
    "a spool of no weight is created": {
      type: "filament.created",
      data: {
        id: 2,
        type: "PLA",
        color: "red",
        total_weight_in_grams: 0,
        remaining_weight_in_grams: 0,
      },
    },
    "a spool is left less than its jobs reserve": {
      type: "filament.updated",
      data: { id: 1, changes: { remaining_weight_in_grams: 99 } },
    },
    "a spool's total falls below what remains": {
      type: "filament.updated",
      data: { id: 1, changes: { total_weight_in_grams: 999 } },
    },
    "a job is created on a printer that is not there": {
      type: "print_job.created",
      data: { ...NEW_JOB, printer_id: 9 },
    },
    "a job is created on a spool that is not there": {
      type: "print_job.created",
      data: { ...NEW_JOB, filament_id: 9 },
    },
    "a job names its printer in another form": {
      type: "print_job.created",
      data: { ...NEW_JOB, printer_id: "1" },
    },
    "a job names its spool in another form": {
      type: "print_job.created",
      data: { ...NEW_JOB, filament_id: "1" },
    },
    "a job takes more than is free": {
      type: "print_job.created",
      data: { ...NEW_JOB, print_weight_in_grams: 901 },
    },
    "a job weighs nothing": {
      type: "print_job.created",
      data: { ...NEW_JOB, print_weight_in_grams: 0 },
    },
    "a job weighs a fraction": {
      type: "print_job.created",
      data: { ...NEW_JOB, print_weight_in_grams: 0.5 },
    },
    "a job that is not there starts": { type: "print_job.running", data: { ...MOVE, id: 2 } },
    "a job starts from another status": {
      type: "print_job.running",
      data: { ...MOVE, from: "Running" },
    },
    "a job is done before it runs": {
      type: "print_job.done",
      data: { ...MOVE, deducted_weight_in_grams: 100 },
    },
    "a job has another weight": {
      type: "print_job.canceled",
      data: { ...MOVE, print_weight_in_grams: 99 },
    },
    "a job has another spool": { type: "print_job.canceled", data: { ...MOVE, filament_id: 2 } },
    "a canceled job takes grams off": {
      type: "print_job.canceled",
      data: { ...MOVE, deducted_weight_in_grams: 100 },
    },
  };

  for (const [story, event] of Object.entries(misfits)) {
    test(`I2, I4, I5, I7: ${story}`, () => {
      expect(() => evolve(farmWithJob(), recorded(9, event))).toThrow(AssertionError);
    });
  }

  test("a job that is done takes off anything but its weight", () => {
    const farm = farmWithJob();
    evolve(farm, recorded(9, { type: "print_job.running", data: MOVE }));
    const data = { ...MOVE, from: "Running" } as const;
    expect(() => evolve(farm, recorded(10, { type: "print_job.done", data }))).toThrow(
      AssertionError,
    );
    const whole = { ...data, deducted_weight_in_grams: 100 };
    evolve(farm, recorded(10, { type: "print_job.done", data: whole }));
    expect(farm.filaments.get("1")?.remaining_weight_in_grams).toBe(900);
  });

  test("an event of an entry that was applied before comes again", () => {
    const farm = farmWithJob();
    const event: FarmEvent = { type: "printer.updated", data: { id: 1, changes: { model: "x" } } };
    evolve(farm, recorded(4, event));
    expect(() => evolve(farm, recorded(4, event))).toThrow(AssertionError);
    expect(() => evolve(farm, recorded(3, event))).toThrow(AssertionError);
  });
});
