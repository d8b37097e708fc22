// Fills a gap with what a peer sends: the lines of the events in it, with markers between them that say
// how far they go. Each is checked like a line read from the disk. Files appear whole, one after the
// other, so that what came before a broken connection is kept.

import type { Disk } from "../../env/disk.ts";
import { ReceivedFileError } from "../errors.ts";
import { EVENT_FOLDER } from "../names.ts";
import type { Catalog } from "./catalog.ts";
import { EventFile } from "./event-file.ts";
import type { EventLine } from "./line.ts";
import { type Range, sealedPath } from "./names.ts";
import { LineChecker, LineSplitter } from "./scan.ts";

const TEMPORARY_PATH = `${EVENT_FOLDER}/fill.tmp`;

export interface FillOptions {
  readonly disk: Disk;
  readonly catalog: Catalog;
  readonly segmentBytes: number;
  /** Where the open file begins: what is not covered below it is a gap. */
  readonly end: () => number;
}

/** Resolves when all of `gap` is filled; rejects with what was wrong, keeping the files finished by then. */
export async function fillGap(
  options: FillOptions,
  gap: Range,
  blocks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const filler = new Filler(options, gap);
  try {
    for await (const block of blocks) await filler.take(block);
    await filler.finish();
  } catch (thrown) {
    await filler.abort();
    throw thrown;
  }
}

class Filler {
  readonly #options: FillOptions;
  readonly #gap: Range;
  readonly #splitter = new LineSplitter();
  readonly #checker: LineChecker;
  #file: EventFile | null = null;
  /** The first index of the file being written, or of the next one. */
  #first: number;

  constructor(options: FillOptions, gap: Range) {
    this.#options = options;
    this.#gap = gap;
    this.#first = gap.from;
    this.#checker = new LineChecker(gap.from, gap.to);
  }

  async take(block: Uint8Array): Promise<void> {
    let events: EventLine[] = [];
    for (const raw of this.#splitter.push(block)) {
      const event = this.#checker.take(raw.bytes);
      if (typeof event === "string") throw new ReceivedFileError(`bad events received: ${event}`);
      if (event !== null) {
        events.push(event);
        continue;
      }
      await this.#write(events);
      events = [];
      await this.#sealIfLong();
    }
    await this.#write(events);
  }

  async #write(events: readonly EventLine[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const file = await this.#current();
    await file.append(events, last.index);
  }

  /** Behind a marker, where it is certain that nothing is missing. */
  async #sealIfLong(): Promise<void> {
    const isLong = this.#file !== null && this.#file.bytes >= this.#options.segmentBytes;
    if (isLong) await this.#seal(this.#checker.through);
  }

  async finish(): Promise<void> {
    const { through, isMarked } = this.#checker;
    if (this.#splitter.restBytes > 0 || !isMarked || through !== this.#gap.to) {
      throw new ReceivedFileError(`events were received up to ${through} of ${this.#gap.to} only`);
    }
    if (this.#first > this.#gap.to) return;
    await this.#seal(this.#gap.to);
  }

  async abort(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    const { disk } = this.#options;
    if ((await disk.stat(TEMPORARY_PATH)) !== null) await disk.remove(TEMPORARY_PATH);
  }

  async #current(): Promise<EventFile> {
    this.#file ??= await EventFile.create(this.#options.disk, TEMPORARY_PATH, this.#first);
    return this.#file;
  }

  async #seal(through: number): Promise<void> {
    const { catalog, disk, end } = this.#options;
    const file = await this.#current();
    await file.append([], through);
    await file.mark();
    await file.close();
    this.#file = null;
    const range = { from: this.#first, to: through };
    const isMissing = catalog
      .gaps(end())
      .some(({ from, to }) => from <= range.from && to >= range.to);
    if (!isMissing) throw new ReceivedFileError("the gap is no longer one");
    const path = sealedPath(range);
    await disk.rename(TEMPORARY_PATH, path);
    await disk.syncFolder(EVENT_FOLDER);
    catalog.add({ path, range, bytes: file.bytes, steps: file.steps });
    this.#first = through + 1;
  }
}
