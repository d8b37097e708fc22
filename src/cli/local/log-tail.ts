// Reads what is added to a log file, line by line, as often as it is asked.

import { LOG_TAIL_BYTES } from "../../base/limits.ts";
import type { Disk, DiskFile } from "../../env/disk.ts";

const LINE_END = 0x0a;

export class LogTail {
  readonly #file: DiskFile;
  #at: number;
  /** The read under way: the next begins where it ends. */
  #reading: Promise<readonly string[]> = Promise.resolve([]);

  private constructor(file: DiskFile, at: number) {
    this.#file = file;
    this.#at = at;
  }

  /** Begins at byte `at`. */
  static async open(disk: Disk, path: string, at: number): Promise<LogTail> {
    return new LogTail(await disk.open(path, "read"), at);
  }

  /** Whole lines added since the last call. A line longer than the bound comes in pieces. */
  lines(): Promise<readonly string[]> {
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  async #read(): Promise<readonly string[]> {
    const lines: string[] = [];
    for (;;) {
      const bytes = await this.#file.read(this.#at, LOG_TAIL_BYTES);
      const whole = bytes.lastIndexOf(LINE_END) + 1;
      const taken = whole === 0 && bytes.length === LOG_TAIL_BYTES ? bytes.length : whole;
      if (taken === 0) return lines;
      this.#at += taken;
      const text = new TextDecoder().decode(bytes.subarray(0, taken));
      lines.push(...text.split("\n").filter((line) => line !== ""));
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
