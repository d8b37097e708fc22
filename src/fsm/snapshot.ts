// The whole machine as text, and back. NDJSON, one section after the other:
//
//     {"header":{format, version, index, term}}
//     {"counters":{next ids, bound of the answers}}
//     {"session":…}      by node id
//     {"answer":…}       oldest first
//     {"printer":…}      by creation; so are filaments and print jobs
//     {"filament":…}
//     {"print_job":…}
//     {"footer":{counts, chain, farm}}
//
// Saving is lazy: each block is made when it is asked for, from a view that no later entry changes,
// so that a machine of a million objects is saved between other work and never exists as one text. And
// it comes in parts that say what they are made of, so that who has the bytes of one need not make them again.
//
// Loading believes nothing: shapes, order, counts and canonical text are checked, the farm's hash
// is computed anew, and the reservations are added up. What it cannot check is whether sessions and
// answers are those of this index; the chain shows that at the first entry they treat differently.
// Damage on the disk or on the way is not looked for here: the storage has its own checksums.

import { AssertionError } from "../base/assert.ts";
import { decodeUtf8 } from "../base/bytes.ts";
import { type Answer, Answers } from "./answers.ts";
import { Farm } from "./farm.ts";
import { JobLines } from "./job-line.ts";
import { BlockMemory, lineBlocks } from "./line-blocks.ts";
import type { MachineView } from "./machine.ts";
import { Machine } from "./machine.ts";
import type { FarmObject, PrintJob, Stamped } from "./objects.ts";
import { idKey } from "./objects.ts";
import { rowText } from "./rows.ts";
import { Sessions } from "./sessions.ts";
import type { Counters, Footer, Header, Section } from "./snapshot-lines.ts";
import {
  lineOf,
  parseAnswer,
  parseCounters,
  parseFilament,
  parseFooter,
  parseHeader,
  parseJob,
  parseLine,
  parsePrinter,
  parseSession,
  SECTIONS,
  SNAPSHOT_FORMAT,
  SNAPSHOT_VERSION,
  SnapshotContentError,
} from "./snapshot-lines.ts";
import { parseHashHex } from "./state-hash.ts";
import type { TablePart, TablePicture } from "./table.ts";
import { isActive } from "./transitions.ts";

/** Blocks that follow each other in a snapshot. */
export interface MachinePart {
  /** Parts of one object, of whatever views of the machine, have the same bytes; null: nothing is known. */
  readonly of: object | null;
  /** To be called at most once, before the next part is asked for. A block holds until the next one is. */
  readonly blocks: () => Generator<Uint8Array, undefined>;
}

/**
 * The machine in blocks of whole lines, each of at most `blockBytes` bytes; a line that is longer
 * than that is a block of its own. A block holds until the next one is asked for.
 */
export function* snapshotBlocks(
  view: MachineView,
  blockBytes: number,
): Generator<Uint8Array, undefined> {
  for (const part of snapshotParts(view, blockBytes)) yield* part.blocks();
}

/** The same in parts, of which those that are not wanted need not be made. */
export function* snapshotParts(
  view: MachineView,
  blockBytes: number,
): Generator<MachinePart, undefined> {
  const memory = new BlockMemory(blockBytes);
  const part = (of: object | null, lines: Iterable<string>): MachinePart => ({
    of,
    blocks: () => lineBlocks(lines, memory),
  });
  // What belongs to no object gathers, so that a small machine is one part.
  let loose: Iterable<string>[] = [head(view)];
  for (const { of, rows, section } of tables(view)) {
    const lines = linesOf(section, rows);
    if (of === null) {
      loose.push(lines);
      continue;
    }
    if (loose.length > 0) yield part(null, chained(loose));
    loose = [];
    yield part(of, lines);
  }
  loose.push([lineOf("footer", JSON.stringify(footerOf(view)))]);
  yield part(null, chained(loose));
}

function* chained(parts: readonly Iterable<string>[]): Generator<string, undefined> {
  for (const lines of parts) yield* lines;
}

type Row = Answer | FarmObject;
type RowPart = TablePart<Row> & { readonly section: Section };

function* tables({ answers, farm }: MachineView): Generator<RowPart, undefined> {
  const sections: readonly (readonly [Section, TablePicture<Row>])[] = [
    ["answer", answers],
    ["printer", farm.printers],
    ["filament", farm.filaments],
    ["print_job", farm.jobs],
  ];
  for (const [section, table] of sections) {
    for (const { of, rows } of table.parts()) yield { section, of, rows };
  }
}

function* linesOf(section: Section, rows: Iterable<Row>): Generator<string, undefined> {
  for (const row of rows) {
    yield lineOf(section, "fingerprint" in row ? JSON.stringify(row) : rowText(row));
  }
}

function* head({
  answersMax,
  farm,
  index,
  sessions,
  term,
}: MachineView): Generator<string, undefined> {
  const header: Header = { format: SNAPSHOT_FORMAT, version: SNAPSHOT_VERSION, index, term };
  const { printer, filament, print_job } = farm.nextIds;
  const counters: Counters = { printer, filament, print_job, answers_max: answersMax };
  yield lineOf("header", JSON.stringify(header));
  yield lineOf("counters", JSON.stringify(counters));
  for (const session of sessions) yield lineOf("session", JSON.stringify(session));
}

function footerOf({ answers, farm, hashes, sessions }: MachineView): Footer {
  return {
    sessions: sessions.length,
    answers: answers.size,
    printers: farm.printers.size,
    filaments: farm.filaments.size,
    print_jobs: farm.jobs.size,
    chain: hashes.chain,
    farm: hashes.farm,
  };
}

/** Sections of which there are any number of lines; of the others there is exactly one. */
const REPEATED: readonly Section[] = ["session", "answer", "printer", "filament", "print_job"];

/** Puts a machine together from the blocks of a snapshot, in their order. */
export class MachineLoader {
  readonly #farm = Farm.empty();
  readonly #sessions = new Sessions();
  #sessionCount = 0;
  #answers: Answers | null = null;
  #header: Header | null = null;
  #counters: Counters | null = null;
  #footer: Footer | null = null;
  /** Place in SECTIONS of the last line read; −1 before the first. */
  #sectionAt = -1;
  #line = 0;
  /** Key of a filament to the grams that the active jobs read so far reserve on it. */
  readonly #reserved = new Map<string, number>();

  /** Takes the next block: whole lines. Its memory may be used again afterwards. */
  push(block: Uint8Array): void {
    this.#located(() => {
      const text = textOf(block);
      if (!text.endsWith("\n"))
        throw new SnapshotContentError("a block does not end with its line");
      const jobs = new JobLines(text);
      for (let at = 0; at < text.length;) {
        this.#line += 1;
        const job = jobs.read(at);
        if (job === null) {
          const end = text.indexOf("\n", at);
          this.#read(text.slice(at, end));
          at = end + 1;
        } else {
          this.#enter("print_job");
          this.#takeJob(job);
          at = jobs.at;
        }
      }
    });
  }

  /** The machine, once all blocks were pushed. The loader must not be used afterwards. */
  finish(): Machine {
    return this.#located(() => this.#finish());
  }

  #read(line: string): void {
    const { section, content } = parseLine(line);
    this.#enter(section);
    const read = this.#take(section, content);
    if (line !== lineOf(section, JSON.stringify(read))) {
      throw new SnapshotContentError("the text is not as this version writes it");
    }
  }

  /** Holds the order of the sections; that those of one line are there at all, `finish` looks for. */
  #enter(section: Section): void {
    const at = SECTIONS.indexOf(section);
    const isRepeated = at === this.#sectionAt && REPEATED.includes(section);
    const isInOrder = at > this.#sectionAt || isRepeated;
    if (!isInOrder) throw new SnapshotContentError(`a ${section} line is out of place`);
    this.#sectionAt = at;
  }

  /** Takes a line's content into the machine and gives back what was understood of it. */
  #take(section: Section, content: unknown): unknown {
    switch (section) {
      case "header":
        return (this.#header = parseHeader(content));
      case "counters":
        this.#counters = parseCounters(content);
        this.#answers = new Answers(this.#counters.answers_max);
        return this.#counters;
      case "session": {
        const session = parseSession(content);
        this.#sessions.restore(session);
        this.#sessionCount += 1;
        return session;
      }
      case "answer":
        return this.#takeAnswer(content);
      case "printer": {
        const row = this.#stamped(parsePrinter(content));
        this.#farm.restore("printer", row);
        return row;
      }
      case "filament": {
        const row = this.#stamped(parseFilament(content));
        this.#farm.restore("filament", row);
        return row;
      }
      case "print_job":
        return this.#takeJob(parseJob(content));
      case "footer":
        return (this.#footer = parseFooter(content));
    }
  }

  /** The row, if it was created and last changed by entries that this snapshot covers. */
  #stamped<T extends Stamped>(row: T): T {
    const index = this.#header?.index ?? 0;
    if (row.created_index <= row.version && row.version <= index) return row;
    throw new SnapshotContentError(`version ${row.version} does not fit index ${index}`);
  }

  #takeJob(job: PrintJob): PrintJob {
    this.#stamped(job);
    this.#checkReferences(job);
    this.#farm.restore("print_job", job);
    return job;
  }

  #takeAnswer(content: unknown): unknown {
    const answer = parseAnswer(content);
    // A full table would let the oldest go, and the counts would come out right all the same.
    if (this.#answers === null || this.#answers.size === this.#answers.max) {
      throw new SnapshotContentError("there are more answers than there may be");
    }
    this.#answers.remember(answer);
    return answer;
  }

  /** A job that is over may name what was deleted since; one that is not holds both in place. */
  #checkReferences(job: PrintJob): void {
    if (!isActive(job.status)) return;
    const key = idKey(job.filament_id);
    const printer = this.#farm.printers.get(idKey(job.printer_id));
    if (printer?.id !== job.printer_id || this.#farm.filaments.get(key)?.id !== job.filament_id) {
      throw new SnapshotContentError(
        `job ${job.id} is active on a printer or filament that is not there`,
      );
    }
    this.#reserved.set(key, (this.#reserved.get(key) ?? 0) + job.print_weight_in_grams);
  }

  #finish(): Machine {
    const header = this.#header;
    const counters = this.#counters;
    const answers = this.#answers;
    const footer = this.#footer;
    if (header === null || counters === null || answers === null || footer === null) {
      throw new SnapshotContentError("there is no header, no counters or no footer");
    }
    for (const kind of ["printer", "filament", "print_job"] as const) {
      this.#farm.restoreNextId(kind, counters[kind]);
    }
    this.#checkCounts(footer, answers);
    this.#checkWeights();
    const farm = this.#farm.digest();
    if (farm !== footer.farm)
      throw new SnapshotContentError(`the objects hash to ${farm}, not ${footer.farm}`);
    const chain = parseHashHex(footer.chain);
    if (chain === null) throw new SnapshotContentError("the chain is not a hash");
    return new Machine({
      farm: this.#farm,
      sessions: this.#sessions,
      answers,
      appliedIndex: header.index,
      appliedTerm: header.term,
      chain,
    });
  }

  #checkCounts(footer: Footer, answers: Answers): void {
    const counted = {
      sessions: this.#sessionCount,
      answers: answers.size,
      printers: this.#farm.printers.size,
      filaments: this.#farm.filaments.size,
      print_jobs: this.#farm.jobs.size,
    };
    for (const name of ["sessions", "answers", "printers", "filaments", "print_jobs"] as const) {
      if (counted[name] === footer[name]) continue;
      throw new SnapshotContentError(
        `${counted[name]} ${name} were read, and ${footer[name]} were written`,
      );
    }
  }

  #checkWeights(): void {
    for (const row of this.#farm.filaments.values()) {
      const { reserved_weight_in_grams: reserved, remaining_weight_in_grams: remaining } = row;
      const sum = this.#reserved.get(idKey(row.id)) ?? 0;
      if (reserved === sum && sum <= remaining && remaining <= row.total_weight_in_grams) continue;
      throw new SnapshotContentError(
        `the weights of filament ${row.id} do not agree with its jobs`,
      );
    }
  }

  /**
   * Says in which line it is that something is wrong. The assertions of the parts (a key is there
   * once, indexes grow, next ids are free) hold for what a machine does; here their argument is a
   * file, so a failed one is the file's fault, too, and not a bug.
   */
  #located<T>(run: () => T): T {
    try {
      return run();
    } catch (thrown) {
      const isContent = thrown instanceof SnapshotContentError;
      if (!isContent && !(thrown instanceof AssertionError)) throw thrown;
      const message = `content of the snapshot, line ${this.#line}: ${thrown.message}`;
      const version = isContent ? thrown.version : null;
      throw new SnapshotContentError(message, version, { cause: thrown });
    }
  }
}

function textOf(block: Uint8Array): string {
  try {
    return decodeUtf8(block);
  } catch (thrown) {
    throw new SnapshotContentError("a block is not UTF-8", null, { cause: thrown });
  }
}
