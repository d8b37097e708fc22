// A form: what the body of a request may hold, and the check that it does.
//
// The check is compiled once, from the schema that the OpenAPI document shows. Only a body that
// fails it is looked at field by field, to name every mistake at once and each in a sentence. So a
// good body costs one call, and a bad one gets all the explanation it needs.

import type { Static, TObject, TProperties } from "typebox";
import { Type } from "typebox";
import type { Validator } from "typebox/compile";
import { Compile } from "typebox/compile";

import { assert } from "../base/assert.ts";
import { describe } from "./describe.ts";
import { mustBe } from "./fields.ts";
import type { JsonObject } from "./json.ts";
import type { FieldError } from "./problems.ts";

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export interface FormOptions<P extends TProperties> {
  /** What the object is called in messages: "printer". */
  readonly noun: string;
  readonly about: string;
  /** Fields of the object that its readers see and nobody writes; each with the reason. */
  readonly readOnly?: Readonly<Record<string, string>>;
  /** True if a body without any field asks for nothing, and is refused. */
  readonly needsOne?: boolean;
  /** Rules between fields, asked when each field alone is right. */
  readonly rules?: (value: Static<TObject<P>>) => readonly FieldError[];
}

/** Mistakes answered at once; a body of 64 KiB can hold thousands. */
const ERRORS_MAX = 100;
/** Characters of an unknown field's name that the answer repeats. */
const NAME_SHOWN_CHARS_MAX = 128;

export class Form<P extends TProperties> {
  /** The component's name in the OpenAPI document. */
  readonly name: string;
  readonly schema: TObject<P>;
  readonly about: string;
  readonly #options: FormOptions<P>;
  readonly #validator: Validator;
  readonly #fields: ReadonlyMap<string, { schema: object; required: boolean; check: Validator }>;

  constructor(name: string, properties: P, options: FormOptions<P>) {
    this.name = name;
    this.about = options.about;
    this.#options = options;
    this.schema = Type.Object(properties, {
      description: options.about,
      additionalProperties: false,
      ...(options.needsOne === true ? { minProperties: 1 } : {}),
    });
    this.#validator = Compile(this.schema);
    this.#fields = new Map(
      Object.entries(properties).map(([field, schema]) => [
        field,
        { schema, required: !Type.IsOptional(schema), check: Compile(schema) },
      ]),
    );
  }

  check(body: JsonObject): Checked<Static<TObject<P>>> {
    if (!this.#validator.Check(body)) return { ok: false, errors: this.#explain(body) };
    // The validator was compiled from the schema that this type is made of.
    const value = body as Static<TObject<P>>;
    const errors = this.#options.rules?.(value) ?? [];
    return errors.length === 0 ? { ok: true, value } : { ok: false, errors };
  }

  #explain(body: JsonObject): readonly FieldError[] {
    const errors: FieldError[] = [];
    for (const [field, { schema, required, check }] of this.#fields) {
      if (!Object.hasOwn(body, field)) {
        if (required) errors.push({ field, message: `is missing: it must be ${mustBe(schema)}` });
      } else if (!check.Check(body[field])) {
        const message = `must be ${mustBe(schema)}, not ${describe(body[field])}`;
        errors.push({ field, message });
      }
    }
    const unknown = Object.keys(body).filter((field) => !this.#fields.has(field));
    for (const field of unknown.slice(0, ERRORS_MAX)) errors.push(this.#unknown(field));
    if (unknown.length > ERRORS_MAX) {
      errors.push({ field: "", message: `and ${unknown.length - ERRORS_MAX} more unknown fields` });
    }
    // The fields are right one by one, so it is the whole that is refused.
    if (errors.length === 0) {
      const emptyRefused = this.#options.needsOne === true && Object.keys(body).length === 0;
      assert(emptyRefused, () => `${this.name}: the whole is refused and every field is right`);
      errors.push({ field: "", message: `the body must hold at least one of ${this.#known()}` });
    }
    return errors;
  }

  #unknown(field: string): FieldError {
    const isLong = field.length > NAME_SHOWN_CHARS_MAX;
    const shown = isLong ? `${field.slice(0, NAME_SHOWN_CHARS_MAX)}…` : field;
    const reason = this.#readOnly(field);
    if (reason !== null) return { field: shown, message: reason };
    const message = `is not a field that a ${this.#options.noun} takes; those are ${this.#known()}`;
    return { field: shown, message };
  }

  #readOnly(field: string): string | null {
    const { readOnly } = this.#options;
    return readOnly !== undefined && Object.hasOwn(readOnly, field)
      ? (readOnly[field] ?? null)
      : null;
  }

  #known(): string {
    return [...this.#fields.keys()].join(", ");
  }
}
