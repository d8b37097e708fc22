// The lines of jobs in a snapshot, read by one pattern: a large farm has a million of them, and a start
// waits for all.
//
// A line is taken only if it is to the letter what this version writes of the job it names, and every
// field is of its shape. Of any other line nothing is said here: snapshot-lines.ts, which is slower, reads
// it again and knows what is wrong with it, if anything is. A test holds the two together.

import type { Id, JobStatus, PrintJob } from "./objects.ts";
import { JOB_STATUSES } from "./objects.ts";
import { jobRow, PLAIN_UNITS } from "./rows.ts";
import { isCount, isMoment, isPositive } from "./shape.ts";

/** One that is not empty, and of which nothing is escaped. */
const TEXT = `"(${PLAIN_UNITS}+)"`;
/** Decimal digits without a needless zero: no more than 2^53 has. */
const NUMBER = "(0|[1-9][0-9]{0,15})";
const ID = `(?:${TEXT}|${NUMBER})`;

const LINE = new RegExp(
  `\\{"print_job":\\{"id":${ID},"printer_id":${ID},"filament_id":${ID},"filepath":${TEXT},` +
    `"print_weight_in_grams":${NUMBER},"status":"(${JOB_STATUSES.join("|")})",` +
    `"created_index":${NUMBER},"version":${NUMBER},` +
    `"created_ms":${NUMBER},"updated_ms":${NUMBER}\\}\\}\\n`,
  "y",
);

/** Reads the lines of a text one after the other. */
export class JobLines {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the line behind the last one that was taken begins. */
  get at(): number {
    return this.#at;
  }

  /** The job of the line that begins at `at`; null if it is not taken. */
  read(at: number): PrintJob | null {
    LINE.lastIndex = at;
    const found = LINE.exec(this.#text);
    if (found === null) return null;
    this.#at = LINE.lastIndex;
    const id = idOf(found[1], found[2]);
    const printer_id = idOf(found[3], found[4]);
    const filament_id = idOf(found[5], found[6]);
    const print_weight_in_grams = Number(found[8]);
    const stamp = {
      created_index: Number(found[10]),
      version: Number(found[11]),
      created_ms: Number(found[12]),
      updated_ms: Number(found[13]),
    };
    const isGood =
      isIdNumber(id) &&
      isIdNumber(printer_id) &&
      isIdNumber(filament_id) &&
      isPositive(print_weight_in_grams) &&
      isPositive(stamp.created_index) &&
      isPositive(stamp.version) &&
      isMoment(stamp.created_ms) &&
      isMoment(stamp.updated_ms);
    if (!isGood) return null;
    const filepath = found[7] ?? ""; // a piece of the text, for a table that copies it
    const status = found[9] as JobStatus; // the pattern takes no other
    return jobRow({ id, printer_id, filament_id, filepath, print_weight_in_grams }, status, stamp);
  }
}

function idOf(text: string | undefined, number: string | undefined): Id {
  return text === undefined ? Number(number) : ownText(text);
}

function isIdNumber(id: Id): boolean {
  return typeof id === "string" || isCount(id);
}

/** A copy of a piece of the text, which would keep the whole of it in memory where an id is kept. */
function ownText(plain: string): string {
  return JSON.parse(`"${plain}"`) as string; // nothing in it is escaped
}
