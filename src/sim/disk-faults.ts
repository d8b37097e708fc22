// Faults of a simulated disk that its user sees at once: operations that fail, and operations that hang.

import type { DiskErrorCode } from "../env/disk.ts";

export type DiskOperation =
  | "list"
  | "make-folder"
  | "stat"
  | "open"
  | "rename"
  | "remove"
  | "sync-folder"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "close";

/** Which operations a fault is for. */
export interface FaultTarget {
  readonly operation: DiskOperation;
  /** Any path if absent. */
  readonly path?: RegExp;
}

/** What becomes of one operation. */
export type Verdict =
  | { readonly kind: "goes-on" }
  | { readonly kind: "fails"; readonly code: DiskErrorCode }
  /** It completes when the hang is over. */
  | { readonly kind: "hangs"; readonly hold: (complete: () => void) => void };

export class DiskFaults {
  #failures: readonly (FaultTarget & { readonly code: DiskErrorCode })[] = [];
  #hangs: readonly (FaultTarget & { readonly held: (() => void)[] })[] = [];

  /** The next operation that fits fails. */
  failNext(target: FaultTarget, code: DiskErrorCode): void {
    this.#failures = [...this.#failures, { ...target, code }];
  }

  /** Operations that fit do not complete until the returned function is called. */
  hang(target: FaultTarget): () => void {
    const hang = { ...target, held: [] as (() => void)[] };
    this.#hangs = [...this.#hangs, hang];
    return () => {
      this.#hangs = this.#hangs.filter((one) => one !== hang);
      for (const complete of hang.held.splice(0)) complete();
    };
  }

  /** Failures that were to come will not. */
  forgive(): void {
    this.#failures = [];
  }

  judge(operation: DiskOperation, path: string): Verdict {
    const fits = (one: FaultTarget): boolean =>
      one.operation === operation && (one.path?.test(path) ?? true);
    const failure = this.#failures.find(fits);
    if (failure !== undefined) {
      this.#failures = this.#failures.filter((one) => one !== failure);
      return { kind: "fails", code: failure.code };
    }
    const hang = this.#hangs.find(fits);
    if (hang === undefined) return { kind: "goes-on" };
    return { kind: "hangs", hold: (complete) => void hang.held.push(complete) };
  }
}
