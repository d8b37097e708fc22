// The one hand that writes new events: in the background, in order, one operation at a time. Nobody waits
// for it but who asked for a sync.

import { assert, must, toError } from "../../base/assert.ts";
import { EVENT_CHUNK_BYTES } from "../../base/limits.ts";
import type { Clock, Timer } from "../../env/clock.ts";
import type { Disk } from "../../env/disk.ts";
import { EVENT_FOLDER } from "../names.ts";
import type { Catalog } from "./catalog.ts";
import { EventFile } from "./event-file.ts";
import type { EventLine } from "./line.ts";
import { FIRST_EVENT_INDEX, type Range, gonePath, openPath, sealedPath } from "./names.ts";
import type { Tail } from "./tail.ts";

export interface EventWriterOptions {
  readonly disk: Disk;
  readonly catalog: Catalog;
  readonly current: EventFile;
  readonly tail: Tail;
  /** A file is sealed when it has grown to this size. */
  readonly segmentBytes: number;
  /** Sealed files beyond this go, oldest first; 0: none do. */
  readonly retainBytes: number;
  /** Events gather this long before they are written; absent: they are written at once. */
  readonly pace?: Pace;
  readonly onFailure: (error: Error) => void;
  /** Called when the current file turned out to be gone: what it held is a gap from now on. */
  readonly onLoss: (path: string, range: Range) => void;
}

/**
 * Events reach the log one turn of the event loop at a time. Readers have them from memory and a crash
 * makes them anew, so nothing is lost by writing many turns' events in one go.
 */
export interface Pace {
  readonly clock: Clock;
  readonly delayMs: number;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

type Task =
  | { readonly kind: "write"; readonly lines: readonly EventLine[]; readonly through: number }
  | ({ readonly kind: "sync" } & Waiter)
  | ({ readonly kind: "jump"; readonly to: number } & Waiter)
  | ({ readonly kind: "retire"; readonly path: string } & Waiter);

export class EventWriter {
  readonly #options: EventWriterOptions;
  #current: EventFile;
  #tasks: Task[] = [];
  #running: Promise<void> | null = null;
  #sealing: Promise<unknown> = Promise.resolve();
  #timer: Timer | null = null;
  #failure: Error | null = null;
  #pendingChars = 0;
  /** What goes into one write; never so much that a file would far outgrow its size. */
  readonly #chunkChars: number;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#chunkChars = Math.min(EVENT_CHUNK_BYTES, options.segmentBytes / 2);
    this.#current = options.current;
  }

  /** The file that new events go to. */
  get current(): EventFile {
    return this.#current;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  /** Roughly the bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#pendingChars;
  }

  write(lines: readonly EventLine[], through: number): void {
    if (this.#failure !== null) return; // the owner has been told, and is ending
    for (const { line } of lines) this.#pendingChars += line.length;
    this.#tasks.push({ kind: "write", lines, through });
    if (this.#running !== null || this.#timer !== null) return;
    const { pace } = this.#options;
    if (pace === undefined || this.#pendingChars >= this.#chunkChars) return this.#start();
    this.#timer = pace.clock.after(pace.delayMs, () => this.#start());
  }

  /** Resolves when everything given to `write` so far is durable. */
  sync(): Promise<void> {
    return this.#request((waiter) => ({ kind: "sync", ...waiter }));
  }

  /** Seals the current file and goes on behind `to`: what lies in between is not here. */
  jump(to: number): Promise<void> {
    return this.#request((waiter) => ({ kind: "jump", to, ...waiter }));
  }

  /** The file at `path` is written to no longer, if it still is: the next one begins behind it. */
  retire(path: string): Promise<void> {
    return this.#request((waiter) => ({ kind: "retire", path, ...waiter }));
  }

  /** Resolves when the current file is not being renamed. */
  get settled(): Promise<unknown> {
    return this.#sealing;
  }

  /** Writes and syncs what is left, and lets go of the file. */
  async close(): Promise<void> {
    if (this.#failure !== null) return;
    await this.sync();
    await this.#running;
    await this.#current.close();
  }

  #request(task: (waiter: Waiter) => Task): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#tasks.push(task({ resolve, reject }));
      this.#start();
    });
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#running ??= this.#run();
  }

  /** Works off the tasks; never rejects. */
  async #run(): Promise<void> {
    try {
      while (this.#tasks.length > 0) await this.#next();
    } catch (thrown) {
      this.#fail(toError(thrown));
    } finally {
      this.#running = null;
    }
  }

  async #next(): Promise<void> {
    const task = must(this.#tasks[0], "task");
    if (task.kind === "write") return this.#writeBatch();
    // A request stays in the list until it is done, so that a failure reaches it.
    if (task.kind === "jump") await this.#carryOutJump(task.to);
    else if (task.kind === "sync") await this.#current.mark();
    else if (this.#current.path === task.path) await this.#startBehind(this.#current.through);
    this.#tasks.shift();
    task.resolve();
  }

  /** Writes what has gathered, up to the next request. */
  async #writeBatch(): Promise<void> {
    const lines: EventLine[] = [];
    let through = this.#current.through;
    let chars = 0;
    for (let [task] = this.#tasks; task?.kind === "write"; [task] = this.#tasks) {
      if (chars >= this.#chunkChars) break;
      for (const line of task.lines) {
        lines.push(line);
        chars += line.line.length;
      }
      through = task.through;
      this.#tasks.shift();
    }
    await this.#current.append(lines, through);
    this.#pendingChars -= chars;
    this.#options.tail.trim(through);
    if (this.#current.bytes >= this.#options.segmentBytes) await this.#startBehind(through);
  }

  async #carryOutJump(to: number): Promise<void> {
    assert(to > this.#current.through, "a jump goes forward");
    await this.#startBehind(to);
    this.#options.tail.restart(to);
  }

  /** Seals the current file; the next one begins behind `index`. */
  async #startBehind(index: number): Promise<void> {
    const { disk, onLoss } = this.#options;
    const { path, first: begin, through } = this.#current;
    const sealing = this.#seal();
    this.#sealing = sealing;
    const isLost = (await sealing) === "lost";
    const first = index + 1;
    this.#current = await EventFile.create(disk, openPath(first), first);
    // For both names: a start that finds the old one of the sealed file takes it for what it is.
    await disk.syncFolder(EVENT_FOLDER);
    // Told only now: before, the gap is not one yet to those who look for gaps.
    if (isLost) onLoss(path, { from: begin, to: through });
    await this.#dropOld();
  }

  async #seal(): Promise<"sealed" | "empty" | "lost"> {
    const { catalog, disk } = this.#options;
    const { bytes, first, path, steps, through } = this.#current;
    const range = { from: first, to: through };
    const isThere = (await disk.stat(path)) !== null;
    if (!isThere || through < first) {
      await this.#current.close();
      if (isThere) await disk.remove(path);
      return isThere || through < first ? "empty" : "lost";
    }
    await this.#current.mark();
    await this.#current.close();
    const sealed = sealedPath(range);
    await disk.rename(path, sealed);
    catalog.add({ path: sealed, range, bytes, steps });
    return "sealed";
  }

  async #dropOld(): Promise<void> {
    const { catalog, disk, retainBytes } = this.#options;
    if (retainBytes === 0) return;
    let excess = catalog.sealedBytes - retainBytes;
    const old = catalog.sealed.filter((file) => {
      const goes = excess > 0;
      excess -= file.bytes;
      return goes;
    });
    const last = old.at(-1);
    if (last === undefined) return;
    // First the word that they are gone on purpose, or they would be taken for a gap.
    const word = gonePath({ from: FIRST_EVENT_INDEX, to: last.range.to });
    await (await disk.open(word, "create")).close();
    await disk.syncFolder(EVENT_FOLDER);
    catalog.setGone(last.range.to);
    for (const { path } of old) {
      catalog.remove(path);
      await disk.remove(path);
    }
    await disk.syncFolder(EVENT_FOLDER);
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const task of this.#tasks.splice(0)) {
      if (task.kind !== "write") task.reject(error);
    }
    this.#options.onFailure(error);
  }
}
