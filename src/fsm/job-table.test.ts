import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { AssertionError, must } from "../base/assert.ts";
import { CHUNK_JOBS, JobTable } from "./job-table.ts";
import type { Id, PrintJob } from "./objects.ts";
import { JOB_STATUSES } from "./objects.ts";
import { jobRow } from "./rows.ts";
import { arbitraryJob } from "./testing/arbitrary-job.ts";
import { aStep, TablePair } from "./testing/table-pair.ts";

function job(id: Id, created_index: number): PrintJob {
  return jobRow(
    { id, printer_id: 1, filament_id: "pla", filepath: `${id}.gcode`, print_weight_in_grams: 5 },
    "Queued",
    { created_index, version: created_index, created_ms: 1000, updated_ms: 1000 },
  );
}

function moved(row: PrintJob, version: number): PrintJob {
  const status = JOB_STATUSES[(JOB_STATUSES.indexOf(row.status) + 1) % JOB_STATUSES.length];
  return { ...row, status: status ?? "Done", version, updated_ms: row.updated_ms + 1 };
}

/** A table of jobs 1 to `count`, created at 10, 20, 30 and so on. */
function tableOf(count: number): JobTable {
  const table = new JobTable();
  for (let n = 1; n <= count; n += 1) table.insert(job(n, n * 10));
  return table;
}

describe("the table of jobs", () => {
  test("gives every job back as it was put in, field by field and in their order", () => {
    const text = fc.oneof(
      fc.string({ minLength: 1, maxLength: 20 }),
      fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
      fc.constantFrom("1", "0", "part \ud800 of a pair", "größe.gcode", "日本.gcode"),
    );
    const number = fc.oneof(fc.nat(), fc.maxSafeNat());
    fc.assert(
      fc.property(
        fc.array(arbitraryJob(text, number), { minLength: 1, maxLength: 20 }),
        (drawn) => {
          const table = new JobTable();
          const jobs: PrintJob[] = [];
          for (const [at, one] of drawn.entries()) {
            const row = { ...one, created_index: at };
            if (table.has(String(row.id))) continue;
            table.insert(row);
            jobs.push(row);
          }
          expect(JSON.stringify([...table.values()])).toBe(JSON.stringify(jobs));
          for (const row of jobs) expect(table.get(String(row.id))).toEqual(row);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });

  test("refuses a key that is taken in either form, and an index that is not the newest", () => {
    const table = tableOf(2);
    expect(() => table.insert(job("1", 30))).toThrow(AssertionError);
    expect(() => table.insert(job(3, 20))).toThrow(AssertionError);
    expect(() => table.insert(job(3, 5))).toThrow(AssertionError);
    table.insert(job(3, 21));
    expect([...table.values()].map((it) => it.id)).toEqual([1, 2, 3]);
  });

  test("refuses to replace a job that is not there, and to change what one was created with", () => {
    const table = tableOf(2);
    const one = job(1, 10);
    const others: readonly PrintJob[] = [
      job(3, 30),
      job(3, 5),
      job(1, 20),
      job("1", 10),
      { ...one, printer_id: "1" },
      { ...one, filament_id: "petg" },
      { ...one, filepath: "2.gcode" },
      { ...one, print_weight_in_grams: 6 },
      { ...one, created_ms: 1001 },
    ];
    for (const other of others) expect(() => table.replace(other)).toThrow(AssertionError);
    expect([...table.values()]).toEqual([one, job(2, 20)]);
    expect(table.replace(moved(one, 30))).toEqual(one);
    expect(table.get("1")).toEqual(moved(one, 30));
  });

  test("a row that was given out does not change when the job does", () => {
    const table = tableOf(1);
    const before = table.get("1");
    table.replace(moved(job(1, 10), 30));
    expect(before).toEqual(job(1, 10));
  });

  test("an iterator of the table itself breaks loudly once the table is written", () => {
    const table = tableOf(3);
    const started = table.values();
    const before = table.after(0);
    started.next();
    table.replace(moved(job(3, 30), 40));
    expect(() => started.next()).toThrow("take a view");
    expect(() => before.next()).toThrow("take a view");
    const inserted = table.values();
    table.insert(job(4, 50));
    expect(() => inserted.next()).toThrow("take a view");
  });

  test("I17: a view shows the jobs of its moment, while its last chunk goes on being filled", () => {
    const table = tableOf(CHUNK_JOBS + 1);
    const view = table.view();
    const reading = view.values();
    reading.next();
    table.replace(moved(job(1, 10), 20_000));
    table.replace(moved(job(CHUNK_JOBS + 1, (CHUNK_JOBS + 1) * 10), 20_001));
    for (let n = 2; n <= CHUNK_JOBS; n += 1) table.insert(job(`late ${n}`, 20_000 + n));
    const all = Array.from({ length: CHUNK_JOBS + 1 }, (_, n) => job(n + 1, (n + 1) * 10));
    expect([...reading]).toEqual(all.slice(1));
    expect([...view.values()]).toEqual(all);
    expect(view.size).toBe(all.length);
    expect(view.after(CHUNK_JOBS * 10).next().value).toEqual(all.at(-1));
    expect(table.size).toBe(2 * CHUNK_JOBS);
    expect(table.get("1")?.status).toBe("Running");
  });

  test("I17: any writes leave the same jobs, and every view held across them its own", () => {
    let repeated = 0;
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 40, size: "max" }), (steps) => {
        const pair = new TablePair<PrintJob>({
          table: new JobTable(),
          make: job,
          change: (old) => moved(old, old.version + 1),
          remove: null,
          isSame: isDeepStrictEqual,
        });
        for (const step of steps) pair.run(step);
        pair.compare();
        repeated += pair.repeated;
      }),
      { seed: 1024, numRuns: 60 },
    );
    expect(repeated).toBeGreaterThan(20);
  });

  test("a part of its pictures is of the same object until one of its jobs changes", () => {
    const table = tableOf(2 * CHUNK_JOBS + 5);
    const objects = (): readonly (object | null)[] =>
      Array.from(table.view().parts(), (it) => it.of);
    const [a, b, last] = objects();
    expect(last).toBeNull(); // jobs are still added to it
    table.replace(moved(must(table.get("3"), "job 3"), 1_000_000));
    for (let n = 0; n < CHUNK_JOBS; n += 1) table.insert(job(`late ${n}`, 1_000_001 + n));
    const [a2, b2, c2, last2] = objects();
    expect(a2 !== a && b2 === b && c2 !== null && last2 === null).toBe(true);
    expect(objects()[2]).toBe(c2);
  });
});
