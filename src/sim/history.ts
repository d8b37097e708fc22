// What clients asked and what they were told, with the times of both: the history that the judge
// (judge/) holds against its own model of the farm. The simulator and the suites with real processes
// write the same format, which is defined here:
//
//   {"history":"seed 12"}                                                  begins a history
//   {"client":3,"call":17,"return":25,"op":{…},"result":{…}}               one operation, in any order
//   {"end":"seed 12"}                                                      ends it: judge it now
//
// One operation is one request over all its tries under one Idempotency-Key: `call` is when the first try
// was sent, `return` when the last answer came. Both are integers on one line of time that all clients
// share; an operation that returned at 5 is before one that was called at 6, and concurrent with one that
// was called at 5. `return` is null, and the result `unknown`, where the client never learned the outcome:
// it may have happened at any time after `call`, once, or never.
//
// What must not be recorded: stale reads, pages of a list (each is a read of its own), and what was
// refused at the edge without asking the state machine. A request without a key that was tried again
// after an unknown outcome is two operations.

import { assert } from "../base/assert.ts";
import type { Command } from "../fsm/command.ts";
import type { Id, JobStatus } from "../fsm/objects.ts";
import type { RejectionCode, Reply } from "../fsm/reply.ts";

export type Collection = "printers" | "filaments" | "print_jobs";

/** A linearizable read of one object. */
export interface Get {
  readonly kind: "get";
  readonly collection: Collection;
  readonly key: string;
}

/** A linearizable read of all objects of a collection, of jobs those that match every filter given. */
export interface List {
  readonly kind: "list";
  readonly collection: Collection;
  readonly status?: readonly JobStatus[];
  readonly printer_id?: Id;
  readonly filament_id?: Id;
}

export type Operation = Command | Get | List;

/**
 * An object as the client saw it: a row of the state machine, or the JSON of an HTTP answer. `id` and
 * `version` and all fields of the object's kind must be there; what else is there must be the same
 * wherever the same version of the object is seen.
 */
export type Seen = object;

export type Result =
  /** A write was done, or a get found it. Null: the object was deleted. */
  | { readonly kind: "ok"; readonly object: Seen | null }
  /** A list, in its order. */
  | { readonly kind: "ok"; readonly objects: readonly Seen[] }
  /**
   * A rule refused; of a get, `not_found`. `detail` is the refusal with its particulars (a Rejection, or
   * the body of an HTTP problem): those that the judge knows are checked, too.
   */
  | { readonly kind: "rejected"; readonly code: RejectionCode; readonly detail?: object }
  /** It was proposed, or may have been, and nobody said what became of it. */
  | { readonly kind: "unknown" }
  /** The service said that it was not proposed: it must never happen. A read was not answered. */
  | { readonly kind: "none" };

/** What a reply of the state machine is in a history. */
export function resultOf(reply: Reply): Result {
  if (reply.ok) return { kind: "ok", object: reply.object };
  return { kind: "rejected", code: reply.rejection.code, detail: reply.rejection };
}

/** An operation that was called; `return` is to be called at most once, when its outcome is learned. */
export interface Called {
  return(result: Result): void;
}

interface Line {
  readonly client: number;
  readonly call: number;
  return: number | null;
  readonly op: Operation;
  result: Result;
}

/**
 * Records the operations of any number of clients. Objects are kept as they are given and written
 * when `text` is called, so they must not be changed afterwards; rows of the state machine never are.
 */
export class History {
  readonly name: string;
  readonly #now: () => number;
  readonly #lines: Line[] = [];

  /**
   * `now` gives safe integers that never fall, the same for all clients. By default every call and
   * return has a moment of its own, which is right wherever all clients run in one event loop.
   */
  constructor(name: string, now: () => number = countUp()) {
    this.name = name;
    this.#now = now;
  }

  get length(): number {
    return this.#lines.length;
  }

  /** Notes that a client asks now. Without `return` the operation stays `unknown`. */
  call(client: number, op: Operation): Called {
    const line: Line = { client, call: this.#now(), return: null, op, result: { kind: "unknown" } };
    assert(Number.isSafeInteger(line.call), () => `${line.call} is no time for a history`);
    this.#lines.push(line);
    return {
      return: (result) => {
        assert(line.return === null, "an operation returns once");
        // An unknown outcome has no moment: it may still happen.
        if (result.kind === "unknown") return;
        line.return = this.#now();
        line.result = result;
      },
    };
  }

  /** The whole history as the judge reads it; operations that have not returned are unknown. */
  text(): string {
    const lines: object[] = [{ history: this.name }, ...this.#lines, { end: this.name }];
    return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  }
}

function countUp(): () => number {
  let moment = 0;
  return () => ++moment;
}
