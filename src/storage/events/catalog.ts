// Which events are where: the sealed files, what was dropped on purpose, and so the gaps. In memory; the
// names in the folder say the same.

import { assert, must } from "../../base/assert.ts";
import { FIRST_EVENT_INDEX, type Range } from "./names.ts";
import type { Step } from "./scan.ts";

export interface SealedFile {
  readonly path: string;
  readonly range: Range;
  readonly bytes: number;
  /** Null until somebody has read the file. */
  readonly steps: readonly Step[] | null;
}

export class Catalog {
  /** By their first index; they do not overlap. */
  #sealed: readonly SealedFile[] = [];
  #goneThrough = FIRST_EVENT_INDEX - 1;

  get sealed(): readonly SealedFile[] {
    return this.#sealed;
  }

  /** Events up to here are no longer kept. */
  get goneThrough(): number {
    return this.#goneThrough;
  }

  get sealedBytes(): number {
    return this.#sealed.reduce((sum, file) => sum + file.bytes, 0);
  }

  add(file: SealedFile): void {
    const overlaps = this.#sealed.some(
      ({ range }) => range.from <= file.range.to && file.range.from <= range.to,
    );
    assert(!overlaps, () => `${file.path} overlaps another file of events`);
    this.#sealed = [...this.#sealed, file].toSorted((a, b) => a.range.from - b.range.from);
  }

  remove(path: string): void {
    this.#sealed = this.#sealed.filter((file) => file.path !== path);
  }

  replace(file: SealedFile): void {
    this.#sealed = this.#sealed.map((one) => (one.path === file.path ? file : one));
  }

  setGone(through: number): void {
    this.#goneThrough = Math.max(this.#goneThrough, through);
  }

  /** The sealed file that covers an index; null if none does. */
  find(index: number): SealedFile | null {
    let [low, high] = [0, this.#sealed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (must(this.#sealed[middle], "file").range.to < index) low = middle + 1;
      else high = middle;
    }
    const file = this.#sealed[low];
    return file !== undefined && file.range.from <= index ? file : null;
  }

  /** What is missing below `end`, where the open file begins. */
  gaps(end: number): readonly Range[] {
    const gaps: Range[] = [];
    let next = this.#goneThrough + 1;
    for (const { range } of this.#sealed) {
      if (range.from > next) gaps.push({ from: next, to: range.from - 1 });
      next = Math.max(next, range.to + 1);
    }
    if (end > next) gaps.push({ from: next, to: end - 1 });
    return gaps;
  }
}
