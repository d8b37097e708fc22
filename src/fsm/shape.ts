// Checks of the shape of parsed JSON: which fields an object has, and what may stand in each.
//
// For text that a machine of this program wrote: log entries and snapshots. Whatever deviates means
// that the other side is another version or that something broke, so the answer is one reason for
// the operator, not a list of mistakes for a client. A field that is not known is a deviation, too:
// it may carry a meaning that this version would miss.

import { WALL_MS_MAX } from "../base/limits.ts";
import type { Id } from "./objects.ts";
import { JOB_STATUSES, MATERIALS } from "./objects.ts";

export type Check = (value: unknown) => boolean;

/** A check for each field. */
export type Shape = Readonly<Record<string, Check>>;

/** A check for each field of `T`: the compiler notices one that is forgotten. */
export type ShapeOf<T> = Readonly<Record<keyof T, Check>>;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Why `value` is not an object of exactly these fields, as a clause; null if it is one. */
export function mismatch(value: unknown, shape: Shape): string | null {
  if (!isObject(value)) return "is not an object";
  let fields = 0;
  for (const field in shape) {
    if (!Object.hasOwn(value, field)) return `has no field ${field}`;
    if (shape[field]?.(value[field]) !== true) return `has a bad field ${field}`;
    fields += 1;
  }
  return Object.keys(value).length === fields ? null : "has unknown fields";
}

/** A check for an object in which each of these fields may be missing. */
export function someOf(shape: Shape): Check {
  return (value) =>
    isObject(value) &&
    Object.keys(value).every(
      (field) => Object.hasOwn(shape, field) && shape[field]?.(value[field]),
    );
}

/** An integer from 0 to 2^53 − 1: indexes, terms, counts. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** An integer from 1 to 2^53 − 1: weights of jobs and whole spools, numbers of proposals. */
export function isPositive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/**
 * A string with something in it. The lengths are bounded where clients come in and not here: a
 * later version may raise such a bound, and this one could still apply what that one let in.
 */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

export function isId(value: unknown): value is Id {
  return isText(value) || isCount(value);
}

/** Milliseconds since 1970 that can be shown as a date. */
export function isMoment(value: unknown): value is number {
  return isCount(value) && value <= WALL_MS_MAX;
}

/** Any string, also the empty one. */
export function isString(value: unknown): value is string {
  return typeof value === "string";
}

export function isOneOf(values: readonly unknown[]): Check {
  return (value) => values.includes(value);
}

export function isNullOr(check: Check): Check {
  return (value) => value === null || check(value);
}

export function isListOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

export const isMaterial = isOneOf(MATERIALS);
export const isStatus = isOneOf(JOB_STATUSES);
