// Query parameters: each is declared once, with its schema for the documentation and its parser,
// and a route lists those it takes. Whatever is not listed is refused by name, and so is a
// parameter that stands twice where it may stand once: `?limit=1&limit=2` has no meaning that
// everybody would guess.

import type { TSchema } from "typebox";
import { Type } from "typebox";

import {
  EVENTS_PAGE_DEFAULT,
  EVENTS_PAGE_MAX,
  FILTER_VALUES_MAX,
  ID_CHARS_MAX,
  PAGE_ROWS_MAX,
} from "../base/limits.ts";
import { JOB_STATUSES } from "../fsm/objects.ts";
import type { JobStatus } from "../fsm/objects.ts";
import { decodeCursor } from "./cursor.ts";
import { codePoints, describe } from "./describe.ts";
import type { Checked } from "./form.ts";
import type { FieldError } from "./problems.ts";
import { jobStatus } from "./status.ts";

export interface Parameter<T> {
  readonly schema: TSchema;
  readonly description: string;
  /** The rule in words, to end the sentence "it must be …". */
  readonly mustBe: string;
  /** Whether it may stand more than once. */
  readonly repeats: boolean;
  /** Null: not a possible value. */
  readonly parse: (texts: readonly string[]) => T | null;
}

// A list of parameters of different types; each is told apart again by `Values`.
export type QueryParameters = Readonly<Record<string, Parameter<unknown>>>;

/** What a route's query holds; undefined where the parameter is absent. */
export type Values<P extends QueryParameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T | undefined : never;
};

type Query = Readonly<Record<string, string | readonly string[]>>;

export function parseQuery<P extends QueryParameters>(
  parameters: P,
  query: Query,
): Checked<Values<P>> {
  const values: Record<string, unknown> = {};
  const errors: FieldError[] = [];
  for (const name of Object.keys(query)) {
    const given = query[name] ?? "";
    const texts = typeof given === "string" ? [given] : given;
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (parameter === undefined) {
      errors.push({ field: name.slice(0, ID_CHARS_MAX), message: unknown(parameters) });
    } else if (texts.length > 1 && !parameter.repeats) {
      errors.push({ field: name, message: "may stand only once" });
    } else {
      const value = texts.length > FILTER_VALUES_MAX ? null : parameter.parse(texts);
      if (value === null) errors.push({ field: name, message: impossible(parameter, texts) });
      else values[name] = value;
    }
  }
  // Every value was made by the parser of the parameter it is named after.
  return errors.length === 0 ? { ok: true, value: values as Values<P> } : { ok: false, errors };
}

function unknown(parameters: QueryParameters): string {
  const known = Object.keys(parameters);
  if (known.length === 0) return "is not a query parameter here: this request takes none";
  return `is not a query parameter here; those are ${known.join(", ")}`;
}

function impossible(parameter: Parameter<unknown>, texts: readonly string[]): string {
  const given = texts.length === 1 ? describe(texts[0]) : `${texts.length} values`;
  return `must be ${parameter.mustBe}, not ${given}`;
}

function once<T>(parse: (text: string) => T | null): (texts: readonly string[]) => T | null {
  return ([text]) => (text === undefined ? null : parse(text));
}

function parameter<T>(
  description: string,
  mustBe: string,
  schema: TSchema,
  parse: (text: string) => T | null,
): Parameter<T> {
  return { schema, description, mustBe, repeats: false, parse: once(parse) };
}

/** A decimal integer as people write it; null if it is none or out of range. */
export function integer(text: string, minimum: number, maximum: number): number | null {
  // 16 digits hold 2^53; Number alone would also take "0x10", "1e3", " 7" and "".
  if (!/^(?:0|[1-9]\d{0,15})$/.test(text)) return null;
  const value = Number(text);
  return value >= minimum && value <= maximum ? value : null;
}

export type Consistency = "linearizable" | "stale";

export const consistency = parameter<Consistency>(
  "linearizable (the default): the answer holds every write acknowledged anywhere before the request. stale: the node answers from its own state at once, also without a quorum.",
  "linearizable or stale",
  Type.Enum(["linearizable", "stale"], { type: "string", default: "linearizable" }),
  // An unknown word is refused and does not mean the default: whoever writes ?consistency=strong
  // wants a promise, and must not get a weaker one in silence.
  (text) => (text === "linearizable" || text === "stale" ? text : null),
);

export const limit = parameter(
  "At most so many objects. Without it, the whole list.",
  `a whole number from 1 to ${PAGE_ROWS_MAX}`,
  Type.Integer({ minimum: 1, maximum: PAGE_ROWS_MAX }),
  (text) => integer(text, 1, PAGE_ROWS_MAX),
);

export const cursor = parameter(
  'Where the page begins: taken from the Link header (rel="next") of the page before.',
  "a cursor from a Link header",
  Type.String(),
  decodeCursor,
);

const MUST_BE_STATUS = `one of ${JOB_STATUSES.join(", ")}, in any letter case; several repeated or separated by commas`;

export const statusFilter: Parameter<ReadonlySet<JobStatus>> = {
  schema: Type.Array(Type.String(), { examples: [["Queued", "Running"]] }),
  description: "Only jobs with one of these statuses. May repeat, or be separated by commas.",
  mustBe: MUST_BE_STATUS,
  repeats: true,
  parse: (texts) => {
    const found = new Set<JobStatus>();
    for (const word of texts.flatMap((text) => text.split(","))) {
      const status = jobStatus(word.trim());
      if (status === null) return null;
      found.add(status);
    }
    return found;
  },
};

// Ids are not split at commas as statuses are: they may contain them. They are compared as text, in
// which 1 and "1" are the same.
function idFilter(noun: string): Parameter<ReadonlySet<string>> {
  return {
    schema: Type.Array(Type.String({ minLength: 1, maxLength: ID_CHARS_MAX })),
    description: `Only jobs of one of these ${noun}s. May repeat.`,
    mustBe: `the id of a ${noun}, of 1 to ${ID_CHARS_MAX} characters; at most ${FILTER_VALUES_MAX} of them`,
    repeats: true,
    parse: (texts) =>
      texts.every((text) => text !== "" && codePoints(text) <= ID_CHARS_MAX)
        ? new Set(texts)
        : null,
  };
}

export const printerFilter = idFilter("printer");
export const filamentFilter = idFilter("filament");

export const newStatus = parameter(
  "The status the print job is to have; instead of a body. If both are given they must agree.",
  `one of ${JOB_STATUSES.join(", ")}, in any letter case (Cancelled counts as Canceled)`,
  Type.String({ examples: ["running"] }),
  jobStatus,
);

const logIndex = (text: string): number | null => integer(text, 0, Number.MAX_SAFE_INTEGER);

export const after = parameter(
  "Only events with a greater log index. 0, the default, begins with the oldest.",
  "a whole number from 0 to 2^53 − 1",
  Type.Integer({ minimum: 0 }),
  logIndex,
);

export const afterLive = parameter(
  "Begins with the events after this log index; without it, with those that come from now on.",
  "a whole number from 0 to 2^53 − 1",
  Type.Integer({ minimum: 0 }),
  logIndex,
);

export const eventsLimit = parameter(
  `At most so many events, ${EVENTS_PAGE_DEFAULT} if absent. A page may hold fewer although there are more: follow the Link header.`,
  `a whole number from 1 to ${EVENTS_PAGE_MAX}`,
  Type.Integer({ minimum: 1, maximum: EVENTS_PAGE_MAX, default: EVENTS_PAGE_DEFAULT }),
  (text) => integer(text, 1, EVENTS_PAGE_MAX),
);

export const verbose = parameter(
  "Lists every check in a line of its own.",
  "given without a value, or true or false",
  Type.Boolean(),
  (text) =>
    text === "" || text === "true" || text === "1" ? true : text === "false" ? false : null,
);
