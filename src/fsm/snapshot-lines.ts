// The lines of a saved machine: how each section is written, and what a line must be to be
// believed.
//
// A line is a JSON object with one field, named like its section, and a line end. The text is
// canonical: each content has one text only, which the reader checks by writing again what it has
// read. So two machines are equal if their snapshots are equal byte by byte, and loading and saving
// changes nothing.

import { assert } from "../base/assert.ts";
import { isNodeId } from "../base/brand.ts";
import { SESSION_WINDOW_MAX, SNAPSHOT_BLOCK_BYTES_MAX } from "../base/limits.ts";
import type { Answer } from "./answers.ts";
import type { NextIds } from "./farm.ts";
import type { FarmObject, Filament, PrintJob, Printer, Stamped } from "./objects.ts";
import type { Rejection, RejectionCode, Reply } from "./reply.ts";
import { filamentRow, jobRow, printerRow } from "./rows.ts";
import type { Run, SessionRecord } from "./sessions.ts";
import type { Check, JsonObject, Shape, ShapeOf } from "./shape.ts";
import {
  isCount,
  isId,
  isListOf,
  isMaterial,
  isMoment,
  isObject,
  isOneOf,
  isPositive,
  isStatus,
  isString,
  isText,
  mismatch,
} from "./shape.ts";
import { parseHashHex } from "./state-hash.ts";

export const SNAPSHOT_FORMAT = "raft3d-machine";
export const SNAPSHOT_VERSION = 1;

// The longest line there can be: a session of which every other number was applied. Everything that
// comes from a client is shorter than a request's body.
assert(
  (SESSION_WINDOW_MAX / 2) * `[${SESSION_WINDOW_MAX},${SESSION_WINDOW_MAX}],`.length <
    SNAPSHOT_BLOCK_BYTES_MAX / 2,
  "the line of a session must fit a block",
);

/** In the order in which they are written. */
export const SECTIONS = [
  "header",
  "counters",
  "session",
  "answer",
  "printer",
  "filament",
  "print_job",
  "footer",
] as const;
export type Section = (typeof SECTIONS)[number];

export interface Header {
  readonly format: typeof SNAPSHOT_FORMAT;
  readonly version: typeof SNAPSHOT_VERSION;
  readonly index: number;
  readonly term: number;
}

export interface Counters extends NextIds {
  readonly answers_max: number;
}

export interface Footer {
  readonly sessions: number;
  readonly answers: number;
  readonly printers: number;
  readonly filaments: number;
  readonly print_jobs: number;
  readonly chain: string;
  readonly farm: string;
}

/** The line of a section whose content has this JSON text. */
export function lineOf(section: Section, text: string): string {
  return `{"${section}":${text}}`;
}

/**
 * A snapshot whose content cannot be what a machine of this version wrote. `version` is that of the
 * snapshot if it is of a format that is not known, and null if the content itself is wrong: then an
 * older snapshot, or that of a peer, may still be good.
 */
export class SnapshotContentError extends Error {
  override readonly name = "SnapshotContentError";
  readonly version: number | null;

  constructor(message: string, version: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.version = version;
  }
}

const isHash: Check = (value) => isString(value) && parseHashHex(value) !== null;
const isNode: Check = (value) => typeof value === "number" && isNodeId(value);
const isRun: Check = (value) => Array.isArray(value) && value.length === 2 && value.every(isCount);
const isKind = isOneOf(["printer", "filament", "print_job"]);

const STAMP: ShapeOf<Stamped> = {
  created_index: isPositive,
  version: isPositive,
  created_ms: isMoment,
  updated_ms: isMoment,
};

const HEADER: ShapeOf<Header> = {
  format: (value) => value === SNAPSHOT_FORMAT,
  version: (value) => value === SNAPSHOT_VERSION,
  index: isCount,
  term: isCount,
};

const COUNTERS: ShapeOf<Counters> = {
  printer: isPositive,
  filament: isPositive,
  print_job: isPositive,
  answers_max: isPositive,
};

const SESSION: ShapeOf<SessionRecord> = {
  node: isNode,
  start: isCount,
  low: isPositive,
  applied: isListOf(isRun),
};

const ANSWER: ShapeOf<Answer> = {
  id: isText,
  created_index: isPositive,
  fingerprint: isText,
  reply: isObject,
};

const PRINTER: ShapeOf<Printer> = { id: isId, company: isText, model: isText, ...STAMP };

const FILAMENT: ShapeOf<Filament> = {
  id: isId,
  type: isMaterial,
  color: isText,
  total_weight_in_grams: isPositive,
  remaining_weight_in_grams: isCount,
  reserved_weight_in_grams: isCount,
  ...STAMP,
};

const PRINT_JOB: ShapeOf<PrintJob> = {
  id: isId,
  printer_id: isId,
  filament_id: isId,
  filepath: isText,
  print_weight_in_grams: isPositive,
  status: isStatus,
  ...STAMP,
};

const FOOTER: ShapeOf<Footer> = {
  sessions: isCount,
  answers: isCount,
  printers: isCount,
  filaments: isCount,
  print_jobs: isCount,
  chain: isHash,
  farm: isHash,
};

const REFERENCE: Shape = { field: isOneOf(["printer_id", "filament_id"]), id: isId };

/** Every field of every refusal, since refusals are remembered as answers. */
const REJECTIONS: {
  readonly [C in RejectionCode]: ShapeOf<Extract<Rejection, { code: C }>>;
} = {
  not_found: { code: isText, kind: isKind, key: isString },
  unknown_reference: {
    code: isText,
    fields: isListOf((field) => mismatch(field, REFERENCE) === null),
  },
  duplicate_id: { code: isText, kind: isKind, id: isId },
  transition_not_allowed: {
    code: isText,
    from: isStatus,
    to: isStatus,
    allowed: isListOf(isStatus),
  },
  not_enough_filament: {
    code: isText,
    filament_id: isId,
    remaining: isCount,
    reserved: isCount,
    asked: isPositive,
  },
  in_use: { code: isText, kind: isOneOf(["printer", "filament"]), id: isId, jobs: isPositive },
  weight_conflict: { code: isText, total: isPositive, remaining: isCount, reserved: isCount },
  version_mismatch: { code: isText, version: isPositive },
  idempotency_key_reused: { code: isText },
};

/** A line taken apart: its section and the content, of which nothing is known yet. */
export function parseLine(line: string): { readonly section: Section; readonly content: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (thrown) {
    throw new SnapshotContentError("a line is not JSON", null, { cause: thrown });
  }
  const [name, ...others] = isObject(parsed) ? Object.keys(parsed) : [];
  const section = SECTIONS.find((known) => known === name);
  if (section === undefined || others.length > 0 || !isObject(parsed)) {
    throw new SnapshotContentError("a line is of no known section");
  }
  return { section, content: parsed[section] };
}

export function parseHeader(content: unknown): Header {
  if (isObject(content) && content["format"] === SNAPSHOT_FORMAT && isCount(content["version"])) {
    const { version } = content;
    if (version !== SNAPSHOT_VERSION) {
      throw new SnapshotContentError(
        `the snapshot is of format ${version}, and this node knows format ${SNAPSHOT_VERSION} ` +
          "only: upgrade it to the version that wrote the snapshot",
        version,
      );
    }
  }
  return checked<Header>("header", content, HEADER);
}

export function parseCounters(content: unknown): Counters {
  return checked<Counters>("counters", content, COUNTERS);
}

export function parseSession(content: unknown): SessionRecord {
  const { node, start, low, applied } = checked<SessionRecord>("session", content, SESSION);
  return { node, start, low, applied: applied.map(([first, last]): Run => [first, last]) };
}

export function parsePrinter(content: unknown): Printer {
  const row = checked<Printer>("printer", content, PRINTER);
  return printerRow(row, row);
}

export function parseFilament(content: unknown): Filament {
  const row = checked<Filament>("filament", content, FILAMENT);
  return filamentRow(row, row, row);
}

export function parseJob(content: unknown): PrintJob {
  const row = checked<PrintJob>("print_job", content, PRINT_JOB);
  return jobRow(row, row.status, row);
}

export function parseFooter(content: unknown): Footer {
  return checked<Footer>("footer", content, FOOTER);
}

export function parseAnswer(content: unknown): Answer {
  const { id, created_index, fingerprint, reply } = checked<Answer>("answer", content, ANSWER);
  return { id, created_index, fingerprint, reply: parseReply(reply) };
}

function parseReply(content: unknown): Reply {
  if (isObject(content) && content["ok"] === true) {
    return { ok: true, object: parseObject(content["object"]) };
  }
  if (isObject(content) && content["ok"] === false) {
    return { ok: false, rejection: parseRejection(content["rejection"]) };
  }
  throw new SnapshotContentError("an answer is neither a reply nor a refusal");
}

/** The object of a reply. Its kind is not written, because each kind has a field of its own. */
function parseObject(content: unknown): FarmObject | null {
  if (content === null) return null;
  if (isObject(content) && Object.hasOwn(content, "company")) return parsePrinter(content);
  if (isObject(content) && Object.hasOwn(content, "color")) return parseFilament(content);
  return parseJob(content);
}

function parseRejection(content: unknown): Rejection {
  const code = isObject(content) ? content["code"] : undefined;
  if (!isString(code) || !isRejectionCode(code)) {
    throw new SnapshotContentError("an answer is a refusal of an unknown code");
  }
  return checked<Rejection>(`refusal ${code}`, content, REJECTIONS[code]);
}

function isRejectionCode(code: string): code is RejectionCode {
  return Object.hasOwn(REJECTIONS, code);
}

/** The content as a T; `shape` must be the shape of T, which is what makes the cast true. */
function checked<T>(what: string, content: unknown, shape: Shape): T {
  const wrong = mismatch(content, shape);
  if (wrong !== null) throw new SnapshotContentError(`a ${what} line ${wrong}`);
  return content as JsonObject as T;
}
