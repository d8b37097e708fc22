// Reads a file of events from some place to its end, line by line, and stops at the first line that
// cannot be believed.

import { must } from "../../base/assert.ts";
import {
  EVENT_CHUNK_BYTES,
  EVENT_LINES_PER_STEP,
  EVENT_LINE_BYTES_MAX,
} from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import { type EventLine, decodeLine } from "./line.ts";

const LINE_END = 0x0a;

/** Lines as they stand in a file. */
export interface RawLine {
  readonly offset: number;
  /** Without the line's end. */
  readonly bytes: Uint8Array;
}

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  #rest: Uint8Array = new Uint8Array(0);
  #offset: number;

  constructor(offset = 0) {
    this.#offset = offset;
  }

  /** Where the bytes that are not yet a whole line begin. */
  get offset(): number {
    return this.#offset;
  }

  get restBytes(): number {
    return this.#rest.length;
  }

  push(bytes: Uint8Array): readonly RawLine[] {
    const joined = new Uint8Array(this.#rest.length + bytes.length);
    joined.set(this.#rest);
    joined.set(bytes, this.#rest.length);
    const lines: RawLine[] = [];
    let from = 0;
    for (let end = joined.indexOf(LINE_END); end >= 0; end = joined.indexOf(LINE_END, from)) {
      lines.push({ offset: this.#offset + from, bytes: joined.subarray(from, end) });
      from = end + 1;
    }
    this.#rest = joined.subarray(from);
    this.#offset += from;
    return lines;
  }
}

/** Where reading for an index may begin: the line at `offset` is the first with an index of at least it. */
export interface Step {
  readonly index: number;
  readonly offset: number;
}

export interface Damage {
  readonly offset: number;
  readonly what: string;
  /** The last line alone, without its end: whoever writes the file may be about to write the rest. */
  readonly isTail: boolean;
}

/** What a file turned out to hold. */
export interface FileScan {
  /** The file holds every event from its first index up to here. */
  readonly through: number;
  /** Events among the lines that were believed. */
  readonly lines: number;
  /** Bytes of the lines that were believed. */
  readonly bytes: number;
  readonly steps: readonly Step[];
  /** Whether the last line is a marker for `through`. */
  readonly isMarked: boolean;
  readonly damage: Damage | null;
}

/** Follows the lines of one file and holds them to the file's rules. */
export class LineChecker {
  readonly #last: number;
  #through: number;
  #previous: number;
  #lines = 0;
  #isMarked = false;

  /** The file begins with index `first` and may hold events up to `last`. */
  constructor(first: number, last: number) {
    this.#through = first - 1;
    this.#previous = first - 1;
    this.#last = last;
  }

  get through(): number {
    return this.#through;
  }

  get lines(): number {
    return this.#lines;
  }

  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** An event, null for a good marker, or what is wrong. */
  take(bytes: Uint8Array): EventLine | null | string {
    const decoded = decodeLine(bytes);
    if (decoded.kind === "bad") return decoded.what;
    if (decoded.kind === "marker") {
      const { through, lines } = decoded;
      if (lines !== this.#lines) return `${this.#lines} events stand here instead of ${lines}`;
      if (through < this.#through || through > this.#last) return "a marker is out of its range";
      this.#through = through;
      this.#isMarked = true;
      return null;
    }
    const { index, line } = decoded;
    if (index <= this.#previous || index > this.#last) return `event ${index} is out of order`;
    // An event behind a marker that covers it would have been forgotten by the marker.
    if (index <= this.#through) return `event ${index} stands behind a marker for it`;
    this.#previous = index;
    this.#through = index;
    this.#lines += 1;
    this.#isMarked = false;
    return { index, line };
  }
}

/** Reads and checks all of a file that may hold events from `first` to `last`. */
export async function scanFile(
  disk: Disk,
  path: string,
  first: number,
  last: number,
): Promise<FileScan> {
  const file = await disk.open(path, "read");
  try {
    return await scanLines(file, new LineChecker(first, last));
  } finally {
    await file.close();
  }
}

async function scanLines(file: DiskFile, checker: LineChecker): Promise<FileScan> {
  const steps: Step[] = [];
  let bytes = 0;
  const result = (damage: Damage | null): FileScan => {
    const { through, lines, isMarked } = checker;
    return { through, lines, bytes, steps, isMarked, damage };
  };
  for await (const raw of linesOf(file, 0)) {
    if ("what" in raw) return result(raw);
    const event = checker.take(raw.bytes);
    if (typeof event === "string")
      return result({ offset: raw.offset, what: event, isTail: false });
    if (event !== null && (checker.lines - 1) % EVENT_LINES_PER_STEP === 0) {
      steps.push({ index: event.index, offset: raw.offset });
    }
    bytes = raw.offset + raw.bytes.length + 1;
  }
  return result(null);
}

/**
 * The lines of a file from byte `from` up to byte `to`; ends with what is wrong if that is not the end
 * of a line.
 */
export async function* linesOf(
  file: DiskFile,
  from: number,
  to = Number.POSITIVE_INFINITY,
): AsyncGenerator<RawLine | Damage> {
  const splitter = new LineSplitter(from);
  for (let at = from; at < to;) {
    const wanted = Math.min(EVENT_CHUNK_BYTES, to - at);
    const bytes = await file.read(at, wanted);
    at += bytes.length;
    yield* splitter.push(bytes);
    if (splitter.restBytes > EVENT_LINE_BYTES_MAX) {
      yield { offset: splitter.offset, what: "a line is too long", isTail: false };
      return;
    }
    if (bytes.length < wanted) break;
  }
  if (splitter.restBytes > 0) {
    yield { offset: splitter.offset, what: "the line has no end", isTail: true };
  }
}

/** Where to begin reading for events from `index` on. */
export function stepFor(steps: readonly Step[], index: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (must(steps[middle], "step").index <= index) low = middle + 1;
    else high = middle;
  }
  return steps[low - 1]?.offset ?? 0;
}
