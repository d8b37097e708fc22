// The event log: every event the state machine accepted, in order, for people and integrations. It is
// derived from the log of src/storage/wal and never needed to start the node.
//
// Events are appended in memory and seen by readers at once; one writer takes them to the disk in the
// background. Nothing is synced until `syncThrough` asks, which a snapshot does before the log may
// forget the entries that the events came from.

import { assert } from "../../base/assert.ts";
import { encodeUtf8 } from "../../base/bytes.ts";
import { EVENT_CHUNK_BYTES, EVENT_SEGMENT_BYTES } from "../../base/limits.ts";
import type { Disk } from "../../env/disk.ts";
import type { Logger } from "../../env/logger.ts";
import { ReceivedFileError } from "../errors.ts";
import type { Catalog } from "./catalog.ts";
import { fillGap } from "./fill.ts";
import { markerLine, sealLine } from "./line.ts";
import { FIRST_EVENT_INDEX, type Range } from "./names.ts";
import { openFolder } from "./open-folder.ts";
import type { EventPage } from "./page.ts";
import { EventReader } from "./reader.ts";
import { Tail } from "./tail.ts";
import { EventWriter, type Pace } from "./writer.ts";

export type { EventPage } from "./page.ts";
export type { Range } from "./names.ts";

export interface EventLogOptions {
  readonly disk: Disk;
  readonly logger: Logger;
  /** The index the state machine starts from: what is behind it will be appended again. */
  readonly replayFrom: number;
  /** Called once, when the disk has failed: nothing is written any more. */
  readonly onFailure: (error: Error) => void;
  /** Called when what was being read turned out to be damaged: a part of it is a gap from now on. */
  readonly onGap?: () => void;
  /** Old files go beyond this; 0 or absent: all are kept. */
  readonly retainBytes?: number;
  readonly segmentBytes?: number;
  /** Events gather this long before they are written; absent: they are written at once. */
  readonly pace?: Pace;
  /** What the newest events may take in memory once they are written. */
  readonly tailBytes?: number;
}

/** An event as its owner makes it: the text of a JSON object that begins with its index. */
export interface NewEvent {
  readonly index: number;
  readonly text: string;
}

export class EventLog {
  readonly #disk: Disk;
  readonly #catalog: Catalog;
  readonly #tail: Tail;
  readonly #writer: EventWriter;
  readonly #reader: EventReader;
  readonly #segmentBytes: number;
  #through: number;
  #isFilling = false;

  static async open(options: EventLogOptions): Promise<EventLog> {
    const { disk, logger, replayFrom, onFailure, onGap = (): void => undefined } = options;
    const onLoss = (file: string, { from, to }: Range): void => {
      logger.warn("a file of events is gone: what it held must come from another node", {
        file,
        from,
        to,
      });
      onGap();
    };
    const { catalog, current } = await openFolder(disk, logger, replayFrom);
    for (const { from, to } of catalog.gaps(current.first)) {
      logger.warn("events are missing here until another node gives them", { from, to });
    }
    const tail = new Tail(replayFrom, options.tailBytes);
    const segmentBytes = options.segmentBytes ?? EVENT_SEGMENT_BYTES;
    const retainBytes = options.retainBytes ?? 0;
    const writer = new EventWriter({
      disk,
      catalog,
      current,
      tail,
      segmentBytes,
      retainBytes,
      onFailure,
      onLoss,
      ...(options.pace === undefined ? {} : { pace: options.pace }),
    });
    const through = (): number => log.through;
    const reader = new EventReader({ disk, logger, catalog, tail, writer, through, onGap, onLoss });
    const log = new EventLog(options, { catalog, tail, writer, reader, segmentBytes });
    return log;
  }

  private constructor(
    options: EventLogOptions,
    parts: {
      readonly catalog: Catalog;
      readonly tail: Tail;
      readonly writer: EventWriter;
      readonly reader: EventReader;
      readonly segmentBytes: number;
    },
  ) {
    this.#disk = options.disk;
    this.#catalog = parts.catalog;
    this.#tail = parts.tail;
    this.#writer = parts.writer;
    this.#segmentBytes = parts.segmentBytes;
    this.#through = options.replayFrom;
    this.#reader = parts.reader;
  }

  /** Every event up to this index has been appended, or lies in a gap. */
  get through(): number {
    return this.#through;
  }

  /** Set once, when the disk has failed. */
  get failure(): Error | null {
    return this.#writer.failure;
  }

  /** Roughly the bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Adds events; with them all up to `coveredThrough` have been given. Readers see them at once. */
  append(events: readonly NewEvent[], coveredThrough: number): void {
    let previous = this.#through;
    const lines = events.map(({ index, text }) => {
      assert(index > previous && index <= coveredThrough, () => `event ${index} is out of order`);
      assert(text.startsWith(`{"index":${index},`), "an event begins with its index");
      previous = index;
      return { index, line: sealLine(text) };
    });
    assert(coveredThrough >= this.#through, "events are appended in order");
    this.#through = coveredThrough;
    this.#tail.add(lines);
    this.#writer.write(lines, coveredThrough);
  }

  /** Resolves when every event up to `index` is durable. */
  async syncThrough(index: number): Promise<void> {
    assert(index <= this.#through, () => `events up to ${index} were not appended yet`);
    await this.#writer.sync();
  }

  /**
   * A snapshot takes the state to `to`: the events up to there that were not appended will not be. They
   * are a gap from now on. Nothing may be appended until this resolves.
   */
  async jump(to: number): Promise<void> {
    assert(to > this.#through, "a jump goes forward");
    await this.#writer.jump(to);
    this.#through = to;
  }

  /** What is missing, oldest first. */
  gaps(): readonly Range[] {
    return this.#catalog.gaps(this.#writer.current.first);
  }

  /** Fills a gap with the blocks that another node's `serve` gives for it. One at a time. */
  async fill(gap: Range, blocks: AsyncIterable<Uint8Array>): Promise<void> {
    assert(!this.#isFilling, "one gap is filled at a time");
    this.#isFilling = true;
    try {
      const end = (): number => this.#writer.current.first;
      const segmentBytes = this.#segmentBytes;
      const catalog = this.#catalog;
      await fillGap({ disk: this.#disk, catalog, segmentBytes, end }, gap, blocks);
    } finally {
      this.#isFilling = false;
    }
  }

  /** The events in (after, through] as blocks of whole lines, for `fill`; null if some are not here. */
  serve(after: number, through: number): AsyncIterable<Uint8Array> | null {
    const first = Math.max(after + 1, FIRST_EVENT_INDEX);
    const isKept = first > this.#catalog.goneThrough && through <= this.#through;
    const isWhole = this.gaps().every(({ from, to }) => to <= after || from > through);
    return isKept && isWhole ? this.#blocks(after, through) : null;
  }

  async *#blocks(after: number, through: number): AsyncGenerator<Uint8Array> {
    const blockBytes = Math.min(EVENT_CHUNK_BYTES, this.#segmentBytes);
    let lines = 0;
    for (let at = after; at < through;) {
      const page = await this.#reader.read(at, Number.MAX_SAFE_INTEGER, blockBytes);
      // Found damaged, or dropped, while it was sent: the asking node keeps what it has got.
      if (page.kind !== "page") throw new ReceivedFileError(`events behind ${at} are not here`);
      at = Math.min(page.through, through);
      const wanted = page.events.filter(({ index }) => index <= through);
      lines += wanted.length;
      // Every block says how far it goes and what it should hold: nothing can drop out unnoticed.
      const block = [...wanted.map(({ line }) => line), markerLine({ through: at, lines }), ""];
      yield encodeUtf8(block.join("\n"));
    }
  }

  /** Events behind `after`, oldest first: at most `limit`, and roughly `bytesMax`. */
  read(after: number, limit: number, bytesMax: number): Promise<EventPage> {
    return this.#reader.read(after, limit, bytesMax);
  }

  /** Writes and syncs what is left. */
  close(): Promise<void> {
    return this.#writer.close();
  }
}
