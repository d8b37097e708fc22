import { describe, expect, test } from "vitest";
import { JOB_STATUSES } from "./objects.ts";
import type { JobStatus } from "./objects.ts";
import { changeStatus, createFilament, createJob, createPrinter } from "./testing/commands.ts";
import { scriptOf } from "./testing/script.ts";
import { allowed, isActive, NEXT, STATUS_AFTER } from "./transitions.ts";

/** The contract in words of its own: everything else is forbidden. */
const ALLOWED = ["Queued→Running", "Queued→Canceled", "Running→Done", "Running→Canceled"];

/** How a job gets to a status. */
const PATHS: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  Queued: [],
  Running: ["Running"],
  Done: ["Running", "Done"],
  Canceled: ["Canceled"],
};

describe("the transition table", () => {
  for (const from of JOB_STATUSES) {
    for (const to of JOB_STATUSES) {
      const isAllowed = ALLOWED.includes(`${from}→${to}`);
      test(`I4: a job that is ${from} ${isAllowed ? "may" : "may not"} become ${to}`, () => {
        const script = scriptOf(createPrinter(), createFilament(), createJob());
        for (const status of PATHS[from]) script.accept(changeStatus("1", status));
        const job = script.machine.farm.jobs.get("1");
        expect(job?.status).toBe(from);
        const reply = script.reply(changeStatus("1", to));
        if (isAllowed) {
          expect(reply).toMatchObject({ ok: true, object: { status: to } });
        } else {
          const targets = ALLOWED.filter((it) => it.startsWith(`${from}→`));
          const rejection = {
            code: "transition_not_allowed",
            from,
            to,
            allowed: targets.map((it) => it.split("→")[1]),
          };
          expect(reply).toEqual({ ok: false, rejection });
          expect(script.machine.farm.jobs.get("1")).toEqual(job);
        }
      });
    }
  }

  test("an event leads to the status under which it stands in the table", () => {
    for (const from of JOB_STATUSES) {
      for (const to of JOB_STATUSES) {
        const event = NEXT[from][to];
        if (event !== null) expect(STATUS_AFTER[event]).toBe(to);
      }
    }
  });

  test("a job is active as long as there is anything it may become", () => {
    for (const status of JOB_STATUSES) {
      expect(isActive(status)).toBe(allowed(status).length > 0);
    }
  });
});
