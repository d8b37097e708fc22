// Answers who asks for events, from memory, the current file, or the sealed ones. Every line is checked
// on its way; a sealed file that turns out damaged is cut back to what is good of it, and the rest is a
// gap from then on.

import { type Disk, DiskError } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import type { Catalog, SealedFile } from "./catalog.ts";
import { decodeLine } from "./line.ts";
import { FIRST_EVENT_INDEX, type Range } from "./names.ts";
import { type EventPage, PageBuilder } from "./page.ts";
import { salvage } from "./salvage.ts";
import { type Damage, linesOf, scanFile, stepFor } from "./scan.ts";
import type { Tail } from "./tail.ts";
import type { EventWriter } from "./writer.ts";

export interface EventReaderOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly catalog: Catalog;
  readonly tail: Tail;
  readonly writer: EventWriter;
  /** Index up to which events have been appended. */
  readonly through: () => number;
  /** Called when a part turned out damaged and is a gap from now on. */
  readonly onGap: () => void;
  /** Called when a file turned out to be gone: what it held is a gap from now on. */
  readonly onLoss: (path: string, range: Range) => void;
}

/** A part of a file that can be read now. */
interface Source {
  readonly path: string;
  /** Where to begin, for the index asked for. */
  readonly offset: number;
  readonly bytes: number;
  readonly through: number;
  /** Null for the current file. */
  readonly sealed: SealedFile | null;
}

/** What came of reading a file: how far it went, or that it must be looked up again. */
type Progress = { readonly kind: "read"; readonly through: number } | { readonly kind: "again" };

/** A file can be renamed or repaired under a reader's hands, so often at most. */
const LOOKUPS_MAX = 8;

export class EventReader {
  readonly #options: EventReaderOptions;
  #repairing: Promise<void> = Promise.resolve();

  constructor(options: EventReaderOptions) {
    this.#options = options;
  }

  async read(after: number, limit: number, charsMax: number): Promise<EventPage> {
    const { catalog, tail, through } = this.#options;
    const page = new PageBuilder(limit, charsMax);
    const first = Math.max(after + 1, FIRST_EVENT_INDEX);
    let from = first;
    for (let lookups = 0; lookups < LOOKUPS_MAX && !page.isFull;) {
      if (from > tail.floor) {
        for (const event of tail.from(from)) page.add(event);
        return page.finish(Math.max(after, through()));
      }
      if (from === first && from <= catalog.goneThrough) {
        return { kind: "gone", oldest: catalog.goneThrough + 1 };
      }
      const progress = await this.#readFile(page, from);
      if (progress === null) break;
      lookups = progress.kind === "again" ? lookups + 1 : 0;
      // What was read of a file before its damage was met is good, and is on the page.
      from =
        progress.kind === "read" ? progress.through + 1 : Math.max(from, (page.lastIndex ?? 0) + 1);
    }
    // An answer has no hole inside: what lies behind one is for the next question.
    return page.isFull || from > first ? page.finish(from - 1) : { kind: "missing" };
  }

  /** Adds what the file that covers `from` holds; null if there is none. */
  async #readFile(page: PageBuilder, from: number): Promise<Progress | null> {
    try {
      const source = await this.#sourceFor(from);
      if (source === null) return null;
      if (source === "again") return { kind: "again" };
      return await this.#readInto(page, source, from);
    } catch (thrown) {
      if (!(thrown instanceof DiskError && thrown.code === "ENOENT")) throw thrown;
      // It was renamed between the look-up and the opening,
      await this.#options.writer.settled;
      await this.#repairing;
      // or it is gone: somebody has removed it, or the file system has lost it.
      await this.#mendLoss(thrown.path);
      return { kind: "again" };
    }
  }

  async #sourceFor(index: number): Promise<Source | "again" | null> {
    const { catalog, writer } = this.#options;
    const sealed = catalog.find(index);
    if (sealed !== null) return this.#sealedSource(sealed, index);
    const { bytes, first, path, steps, through } = writer.current;
    if (index < first || index > through) return null;
    return { path, offset: stepFor(steps, index), bytes, through, sealed: null };
  }

  /** A sealed file is read through once before anything of it is believed. */
  async #sealedSource(file: SealedFile, index: number): Promise<Source | "again"> {
    const { catalog, disk } = this.#options;
    const { bytes, path, range } = file;
    let { steps } = file;
    if (steps === null) {
      const scan = await scanFile(disk, path, range.from, range.to);
      if (scan.damage !== null || scan.through !== range.to) {
        await this.#repair(file);
        return "again";
      }
      steps = scan.steps;
      catalog.replace({ ...file, steps });
    }
    return { path, offset: stepFor(steps, index), bytes, through: range.to, sealed: file };
  }

  async #readInto(page: PageBuilder, source: Source, from: number): Promise<Progress> {
    const file = await this.#options.disk.open(source.path, "read");
    try {
      for await (const raw of linesOf(file, source.offset, source.bytes)) {
        const event = "what" in raw ? { ...raw, kind: "bad" as const } : decodeLine(raw.bytes);
        if (event.kind === "bad") {
          await this.#reportDamage(source, { offset: raw.offset, what: event.what, isTail: false });
          return { kind: "again" };
        }
        if (event.kind === "event" && event.index >= from) page.add(event);
        if (page.isFull) break;
      }
    } finally {
      await file.close();
    }
    return { kind: "read", through: source.through };
  }

  async #reportDamage(source: Source, damage: Damage): Promise<void> {
    if (source.sealed !== null) return this.#repair(source.sealed);
    this.#options.logger.warn("the current file of events is damaged, and is ended here", {
      file: source.path,
      offset: damage.offset,
      what: damage.what,
    });
    // From then on it is a sealed file like the others, and is mended like them.
    await this.#options.writer.retire(source.path);
  }

  /** What a file that is there no longer held becomes a gap. */
  async #mendLoss(path: string): Promise<void> {
    const { catalog, disk, onLoss, writer } = this.#options;
    if (writer.current.path === path) return writer.retire(path);
    await this.#inTurn(path, async ({ range }) => {
      if ((await disk.stat(path)) !== null) return;
      catalog.remove(path);
      onLoss(path, range);
    });
  }

  #repair(file: SealedFile): Promise<void> {
    const { catalog, disk, logger, onGap } = this.#options;
    return this.#inTurn(file.path, async ({ path, range }) => {
      const scan = await scanFile(disk, path, range.from, range.to);
      const kept = await salvage(disk, logger, path, range, scan);
      catalog.remove(path);
      if (kept !== null) catalog.add(kept);
      // Nothing but the end behind the last event may have been bad: then nothing is missing.
      if (kept === null || kept.range.to < range.to) onGap();
    });
  }

  /** One repair at a time, and of a sealed file that is still one. */
  #inTurn(path: string, repair: (file: SealedFile) => Promise<void>): Promise<void> {
    const done = this.#repairing.then(async () => {
      const file = this.#options.catalog.sealed.find((one) => one.path === path);
      if (file !== undefined) await repair(file);
    });
    // Whoever asked for a repair hears of its failure; the next one is tried all the same.
    this.#repairing = done.catch(() => undefined);
    return done;
  }
}
