// A file of events that is being written: lines are appended, and from time to time everything so far is
// synced behind a marker that says how far it is complete.

import { assert } from "../../base/assert.ts";
import { encodeUtf8 } from "../../base/bytes.ts";
import { EVENT_LINES_PER_STEP } from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";
import { type EventLine, markerLine } from "./line.ts";
import type { FileScan, Step } from "./scan.ts";

export class EventFile {
  readonly path: string;
  /** The first index that it covers. */
  readonly first: number;
  readonly #file: DiskFile;
  #through: number;
  #lines: number;
  #bytes: number;
  #steps: readonly Step[];
  #linesAtStep: number;
  /** Whether what was written last is a marker, and synced. */
  #isMarked: boolean;

  private constructor(path: string, first: number, file: DiskFile, found: FileScan) {
    this.path = path;
    this.first = first;
    this.#file = file;
    this.#through = found.through;
    this.#lines = found.lines;
    this.#bytes = found.bytes;
    this.#steps = found.steps;
    this.#linesAtStep = found.lines;
    this.#isMarked = false;
  }

  /** A new and empty file. */
  static async create(disk: Disk, path: string, first: number): Promise<EventFile> {
    const file = await disk.open(path, "create");
    const nothing = { through: first - 1, lines: 0, bytes: 0, steps: [], isMarked: false };
    return new EventFile(path, first, file, { ...nothing, damage: null });
  }

  /** Goes on with a file that holds what `found` says and nothing behind it. */
  static async resume(
    disk: Disk,
    path: string,
    first: number,
    found: FileScan,
  ): Promise<EventFile> {
    const file = await disk.open(path, "write");
    return new EventFile(path, first, file, found);
  }

  /** Everything up to here has been written. */
  get through(): number {
    return this.#through;
  }

  get lines(): number {
    return this.#lines;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Writes events; with them the file is complete up to `through`. */
  async append(lines: readonly EventLine[], through: number): Promise<void> {
    assert(through >= this.#through, "a file of events grows");
    const [next] = lines;
    if (next !== undefined) {
      assert(next.index > this.#through, () => `event ${next.index} is in the file already`);
      await this.#write(`${lines.map(({ line }) => line).join("\n")}\n`, next.index);
      this.#lines += lines.length;
    }
    this.#isMarked &&= through === this.#through;
    this.#through = through;
  }

  async #write(text: string, index: number): Promise<void> {
    const bytes = encodeUtf8(text);
    await this.#file.write(this.#bytes, bytes);
    if (this.#steps.length === 0 || this.#lines - this.#linesAtStep >= EVENT_LINES_PER_STEP) {
      this.#steps = [...this.#steps, { index, offset: this.#bytes }];
      this.#linesAtStep = this.#lines;
    }
    this.#bytes += bytes.length;
  }

  /** Makes everything so far durable, with a marker behind it. */
  async mark(): Promise<void> {
    if (this.#isMarked) return;
    const bytes = encodeUtf8(`${markerLine({ through: this.#through, lines: this.#lines })}\n`);
    await this.#file.write(this.#bytes, bytes);
    this.#bytes += bytes.length;
    await this.#file.sync();
    this.#isMarked = true;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
