// What became of the requests of a stretch of time, those among them that were under way when it began. A
// request that has no answer yet counts with the time it has waited: the one that hangs for ever never ends.

import type { Collection, Operation } from "../../src/sim/history.ts";
import type { Asking } from "./asking.ts";

export class Window {
  readonly #opened = performance.now();
  readonly #askings: Set<Asking>;

  constructor(underWay: Iterable<Asking>) {
    this.#askings = new Set(underWay);
  }

  add(asking: Asking): void {
    this.#askings.add(asking);
  }

  get size(): number {
    return this.#askings.size;
  }

  get isOver(): boolean {
    return this.#all().every(({ ended }) => ended !== null);
  }

  /** The longest that any of them took, or has taken so far, from when the window was opened. */
  get worstMs(): number {
    const now = performance.now();
    const times = this.#all().map(
      ({ began, ended }) => (ended ?? now) - Math.max(began, this.#opened),
    );
    return Math.max(0, ...times);
  }

  /** Who may ask again until there is an answer (reads, and writes with a key), and has none. */
  get unanswered(): readonly Asking[] {
    return this.#all().filter(
      ({ answer, isWrite, key }) => answer === null && (!isWrite || key !== null),
    );
  }

  /** Writes without a key that ended in doubt, as the rule says. */
  get doubtful(): readonly Asking[] {
    return this.#all().filter(
      ({ answer, ended, isWrite, key }) =>
        ended !== null && answer === null && isWrite && key === null,
    );
  }

  /** How many tries ended with a broken connection. */
  get broken(): number {
    const doubts = this.#begunInIt().flatMap((asking) => asking.doubts);
    return doubts.filter((doubt) => doubt === "the connection broke").length;
  }

  /**
   * Writes under a key that a node carried out, and then broke the connection instead of answering: nothing
   * else than broken connections came before an answer that is a repetition.
   */
  get carriedOutAndCut(): readonly Asking[] {
    return this.#begunInIt().filter(
      ({ answer, doubts }) =>
        answer?.headers.get("idempotency-replayed") === "true" &&
        doubts.length > 0 &&
        doubts.every((doubt) => doubt === "the connection broke"),
    );
  }

  #all(): readonly Asking[] {
    return [...this.#askings];
  }

  /** Without those whose connection something else may have broken, before. */
  #begunInIt(): readonly Asking[] {
    return this.#all().filter(({ began }) => began >= this.#opened);
  }
}

/** Where a creation leaves its mark; null: other writes leave none. */
export function createdIn(op: Operation): Collection | null {
  if (op.kind === "create-printer") return "printers";
  if (op.kind === "create-filament") return "filaments";
  return op.kind === "create-job" ? "print_jobs" : null;
}

/** Whether what was asked for is among the objects of its collection. */
export function isCreatedAmong(op: Operation, objects: readonly object[]): boolean {
  return objects.some((object) => {
    const fields = object as Record<string, unknown>;
    if (op.kind === "create-printer") return fields["company"] === op.company;
    if (op.kind === "create-filament") return fields["color"] === op.color;
    return op.kind === "create-job" && fields["filepath"] === op.filepath;
  });
}
