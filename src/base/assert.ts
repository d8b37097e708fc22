// Broken invariants. An assertion that fails is a bug in Raft3D, never a user's mistake: it is thrown,
// and the process that runs the node logs it and ends, because a state nobody reasoned about must not
// vote or answer. Expected outcomes are values, not exceptions.

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws unless `holds`. Pass a function where building the message costs something. */
export function assert(holds: boolean, message: string | (() => string)): asserts holds {
  if (!holds) throw new AssertionError(typeof message === "string" ? message : message());
}

/** Ends an exhaustive switch: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new AssertionError(`unhandled case: ${JSON.stringify(value)}`);
}

/** The value itself; throws if it is missing. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionError(`missing ${what}`);
  return value;
}

/** Any thrown thing as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
