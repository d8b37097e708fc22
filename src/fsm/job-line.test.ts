import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JobLines } from "./job-line.ts";
import type { PrintJob } from "./objects.ts";
import { JOB_STATUSES } from "./objects.ts";
import { jobRow, rowText } from "./rows.ts";
import { arbitraryJob } from "./testing/arbitrary-job.ts";
import { lineOf, parseJob, parseLine, SnapshotContentError } from "./snapshot-lines.ts";

/** What the loader does with a line that is not taken here: the job, or null where it refuses. */
function slowly(line: string): PrintJob | null {
  try {
    const { section, content } = parseLine(line);
    if (section !== "print_job") return null;
    const job = parseJob(content);
    return line === lineOf(section, JSON.stringify(job)) ? job : null;
  } catch (thrown) {
    if (thrown instanceof SnapshotContentError) return null;
    throw thrown;
  }
}

function quickly(line: string): PrintJob | null {
  const lines = new JobLines(`before\n${line}\nbehind\n`);
  const job = lines.read("before\n".length);
  if (job !== null) expect(lines.at).toBe(`before\n${line}\n`.length);
  return job;
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ minLength: 1 }) },
  fc.string({ unit: "binary", minLength: 1 }),
  fc.constantFrom("", "0", "00", "1", '"', "\\", "\\u0041", "ä", "𝔎", "\u2028", "\u007f"),
);
const number = fc.oneof(
  fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0, 1, 2 ** 53 - 1, 8_640_000_000_000_000, 8_640_000_000_000_001),
);
const job = arbitraryJob(text, number);

function lineOfJob(of: PrintJob): string {
  return lineOf("print_job", rowText(jobRow(of, of.status, of)));
}

/** What a damaged or foreign file could have in the place of a letter. */
const PIECES = ['"', "\\", "{", "}", ",", ":", "0", "00", "9", "-", ".", "1e3", " ", "x", "é"];
const pieces = fc.constantFrom("", ...PIECES);

const GOOD =
  '{"print_job":{"id":7,"printer_id":1,"filament_id":"spool","filepath":"a.gcode",' +
  '"print_weight_in_grams":300,"status":"Queued","created_index":4,"version":9,' +
  '"created_ms":1700000000000,"updated_ms":1700000000500}}';

describe("the line of a job", () => {
  test("is read as the slower way reads it, or left to that", () => {
    expect(quickly(GOOD)).toEqual(slowly(GOOD));
    let taken = 0;
    fc.assert(
      fc.property(job, (of) => {
        const line = lineOfJob(of);
        const read = quickly(line);
        if (read === null) return;
        taken += 1;
        expect(read).toEqual(slowly(line));
        expect(Object.keys(read)).toEqual(Object.keys(of));
      }),
      { seed: 31, numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  test("is taken whenever nothing in it is escaped", () => {
    for (const status of JOB_STATUSES) {
      const line = GOOD.replace("Queued", status).replace("a.gcode", "Gehäuse ∅ 3.gcode");
      expect(quickly(line)).toMatchObject({ status, filepath: "Gehäuse ∅ 3.gcode" });
    }
  });

  test("is not taken where a number is beyond 2^53 − 1, which no number holds exactly", () => {
    const numbers = [...GOOD.replace('"spool"', "5").matchAll(/:(\d+)/g)];
    expect(numbers).toHaveLength(8);
    for (const { 0: found } of numbers) {
      const line = GOOD.replace('"spool"', "5").replace(found, ":9007199254740992");
      expect(quickly(line), line).toBeNull();
    }
  });

  test("is not taken if the slower way would refuse it: any piece at any place", () => {
    for (let at = 0; at <= GOOD.length; at += 1) {
      for (const piece of ["", ...PIECES]) {
        for (const cut of [0, 1, 2]) {
          const line = GOOD.slice(0, at) + piece + GOOD.slice(at + cut);
          const read = quickly(line);
          if (read !== null) expect(read, line).toEqual(slowly(line));
        }
      }
    }
  });

  test("is not taken if the slower way would refuse it: arbitrary damage of arbitrary jobs", () => {
    const place = fc.nat({ max: 400 });
    fc.assert(
      fc.property(job, place, place, pieces, (of, from, to, piece) => {
        const line = lineOfJob(of);
        const damaged = line.slice(0, from) + piece + line.slice(Math.max(from, to));
        const read = quickly(damaged);
        if (read !== null) expect(read).toEqual(slowly(damaged));
      }),
      { seed: 37, numRuns: 5000 },
    );
  });
});
