// The fields that clients may send: for each its schema and, in `mustBe`, the rule in words. The
// words are the message when the rule is broken and a part of the description in the OpenAPI
// document, so the two cannot differ.

import type { TSchema, TSchemaOptions } from "typebox";
import { Type } from "typebox";

import { FILEPATH_CHARS_MAX, ID_CHARS_MAX, NAME_CHARS_MAX, WEIGHT_MAX } from "../base/limits.ts";
import { JOB_STATUSES, MATERIALS } from "../fsm/objects.ts";
import { hasLoneSurrogate } from "./describe.ts";
import { jobStatus } from "./status.ts";

/** What `rule` adds to a schema. */
interface Ruled {
  readonly mustBe: string;
  /** What the field is about. */
  readonly about: string;
}

/** The rule in words, to end the sentence "it must be …". */
export function mustBe(schema: TSchema): string {
  return "mustBe" in schema && typeof schema.mustBe === "string"
    ? schema.mustBe
    : "of another form";
}

function rule(about: string, words: string, more: TSchemaOptions = {}): TSchemaOptions & Ruled {
  return { about, mustBe: words, description: `${about}: ${words}.`, ...more };
}

const isText = (text: string): boolean => !hasLoneSurrogate(text);

/**
 * A non-empty text that can be kept as UTF-8. Lengths count characters (code points), not bytes.
 */
function text(about: string, charsMax: number, example: string) {
  const words = `a non-empty string of at most ${charsMax} characters`;
  const options = rule(about, words, { examples: [example] });
  return Type.Refine(Type.String({ ...options, minLength: 1, maxLength: charsMax }), isText);
}

function grams(about: string, minimum: 0 | 1, example: number) {
  const words = `a whole number of grams from ${minimum} to 2^53 − 1`;
  const options = rule(about, words, { examples: [example] });
  return Type.Integer({ ...options, minimum, maximum: WEIGHT_MAX });
}

const integerId = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** The id of a new object; `""` is the same as leaving it out. */
export const newId = Type.Union(
  [Type.Refine(Type.String({ maxLength: ID_CHARS_MAX }), isText), integerId],
  rule(
    "The id of the new object, unique within its kind; absent or empty, the cluster assigns the next free integer",
    `a string of at most ${ID_CHARS_MAX} characters or a whole number from 0 to 2^53 − 1`,
    { examples: [1, "mk4-left"] },
  ),
);

function reference(about: string) {
  const words = `a string of 1 to ${ID_CHARS_MAX} characters or a whole number from 0 to 2^53 − 1`;
  const options = rule(about, words, { examples: [1] });
  const textId = Type.String({ minLength: 1, maxLength: ID_CHARS_MAX });
  return Type.Union([Type.Refine(textId, isText), integerId], options);
}

export const printerId = reference("The id of an existing printer");
export const filamentId = reference("The id of an existing filament");

export const company = text("Who made the printer", NAME_CHARS_MAX, "Prusa Research");
export const model = text("The model of the printer", NAME_CHARS_MAX, "MK4S");
export const color = text("The color of the filament", NAME_CHARS_MAX, "galaxy black");
export const filepath = text(
  "Where the file to print lies",
  FILEPATH_CHARS_MAX,
  "/gcode/sword.gcode",
);

export const totalWeight = grams("What the full spool holds", 1, 1000);
export const remainingWeight = grams("What is left on the spool, not more than its total", 0, 750);
export const printWeight = grams("What the print takes off the spool", 1, 120);

/** "PLA" to "[Pp][Ll][Aa]": JSON Schema's patterns know no flags. */
function anyCase(word: string): string {
  const letters = word.split("");
  return letters.map((letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`).join("");
}

function oneOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;
}

export const material = Type.String({
  ...rule("The material", `${oneOf(MATERIALS)}, in any letter case`, { examples: ["PLA"] }),
  pattern: `^(?:${MATERIALS.map(anyCase).join("|")})$`,
});

const STATUS_WORDS = `${oneOf(JOB_STATUSES)}, in any letter case (Cancelled counts as Canceled)`;

export const status = Type.Refine(
  Type.String(rule("The status the print job is to have", STATUS_WORDS, { examples: ["running"] })),
  (word) => jobStatus(word) !== null,
);

/** The status a client may write into a new job: the only one it can have. */
export const newJobStatus = Type.Refine(
  Type.String(
    rule(
      "The status of the new print job",
      "Queued or absent (it changes later, at /api/v1/print_jobs/{id}/status)",
      { examples: ["Queued"] },
    ),
  ),
  (word) => jobStatus(word) === "Queued",
);
