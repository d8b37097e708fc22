// The lines of jobs in a snapshot, read letter by letter: a large farm has a million of them, and a start
// waits for all.
//
// A line is taken only if it is to the letter what this version writes of the job it names, and every
// field is of its shape. Of any other line nothing is said here: snapshot-lines.ts, which is slower, reads
// it again and knows what is wrong with it, if anything is. A test holds the two together.

import type { Id, PrintJob } from "./objects.ts";
import { JOB_STATUSES } from "./objects.ts";
import { isPlainText, jobRow } from "./rows.ts";
import { isMoment } from "./shape.ts";

const QUOTE = 0x22;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

const STATUSES = JOB_STATUSES.map((status) => ({ status, text: `"${status}"` }));

/** Reads the lines of a text one after the other. */
export class JobLines {
  readonly #text: string;
  #at = 0;
  #isGood = true;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the line behind the last one read begins. */
  get at(): number {
    return this.#at;
  }

  /** The job of the line that begins at `at`; null if it is not taken. */
  read(at: number): PrintJob | null {
    this.#at = at;
    this.#isGood = true;
    const id = this.#id('{"print_job":{"id":');
    const printer_id = this.#id(',"printer_id":');
    const filament_id = this.#id(',"filament_id":');
    const filepath = this.#string(',"filepath":');
    const print_weight_in_grams = this.#positive(',"print_weight_in_grams":');
    const status = this.#status(',"status":');
    const created_index = this.#positive(',"created_index":');
    const version = this.#positive(',"version":');
    const created_ms = this.#moment(',"created_ms":');
    const updated_ms = this.#moment(',"updated_ms":');
    this.#expect("}}\n");
    if (!this.#isGood) return null;
    const stamp = { created_index, version, created_ms, updated_ms };
    const of = { id, printer_id, filament_id, filepath, print_weight_in_grams };
    return jobRow(of, status, stamp);
  }

  #expect(text: string): void {
    if (this.#isGood && this.#text.startsWith(text, this.#at)) this.#at += text.length;
    else this.#isGood = false;
  }

  #id(name: string): Id {
    this.#expect(name);
    return this.#text.charCodeAt(this.#at) === QUOTE ? this.#string("") : this.#count("");
  }

  /** One that is not empty, and of which nothing is escaped. */
  #string(name: string): string {
    this.#expect(name);
    const end = this.#text.indexOf('"', this.#at + 1);
    this.#isGood &&= this.#text.charCodeAt(this.#at) === QUOTE && end > this.#at + 1;
    if (!this.#isGood) return "";
    const quoted = this.#text.slice(this.#at, end + 1);
    this.#at = end + 1;
    if (isPlainText(quoted.slice(1, -1))) return JSON.parse(quoted) as string; // a slice would keep the whole block
    this.#isGood = false;
    return "";
  }

  /** Decimal digits without a needless zero, up to 2^53 − 1. */
  #count(name: string): number {
    this.#expect(name);
    const from = this.#at;
    let value = 0;
    for (; value <= Number.MAX_SAFE_INTEGER; this.#at += 1) {
      const digit = this.#text.charCodeAt(this.#at);
      if (!(digit >= DIGIT_0 && digit <= DIGIT_9)) break;
      value = value * 10 + (digit - DIGIT_0);
    }
    const digits = this.#at - from;
    const isCanonical = digits === 1 || (digits > 1 && this.#text.charCodeAt(from) !== DIGIT_0);
    this.#isGood &&= isCanonical && value <= Number.MAX_SAFE_INTEGER;
    return value;
  }

  #positive(name: string): number {
    const value = this.#count(name);
    this.#isGood &&= value > 0;
    return value;
  }

  #moment(name: string): number {
    const value = this.#count(name);
    this.#isGood &&= isMoment(value);
    return value;
  }

  #status(name: string): PrintJob["status"] {
    this.#expect(name);
    for (const { status, text } of STATUSES) {
      if (!this.#text.startsWith(text, this.#at)) continue;
      this.#at += text.length;
      return status;
    }
    this.#isGood = false;
    return "Queued";
  }
}
