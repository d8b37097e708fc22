// The host side of WASI preview 1, as much of it as Go's runtime asks for. The core does no I/O: what
// it gets from here is time and chance, both from the Env, so that a seed reaches inside. Everything
// that would touch files or sockets answers EBADF.

import type { Clock } from "../env/clock.ts";
import type { Random } from "../env/random.ts";

const ERRNO_SUCCESS = 0;
const ERRNO_BADF = 8;
const CLOCK_REALTIME = 0;
const STDERR = 2;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const NS_PER_MS = 1_000_000;
/** A panic's text is kept whole up to here; goroutine traces behind it are cut. */
const STDERR_CHARS_MAX = 16_384;

/** Thrown out of the instance by proc_exit: Go has panicked or left main. */
export class ProcessExit extends Error {
  override readonly name = "ProcessExit";
  readonly code: number;

  constructor(code: number) {
    super(`the core called proc_exit(${code})`);
    this.code = code;
  }
}

export class WasiHost {
  readonly #clock: Clock;
  readonly #random: Random;
  #memory: WebAssembly.Memory | null = null;
  #stderr = "";

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Must be called once, with the memory the instance exports, before the instance runs. */
  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** What Go has written to standard error: the text of a panic, if there was one. */
  get stderr(): string {
    return this.#stderr;
  }

  // The memory may have grown since the last call, and a view on the old buffer is dead.
  #view(): DataView {
    if (this.#memory === null) throw new Error("the instance has no memory yet");
    return new DataView(this.#memory.buffer);
  }

  #bytes(at: number, length: number): Uint8Array {
    if (this.#memory === null) throw new Error("the instance has no memory yet");
    return new Uint8Array(this.#memory.buffer, at >>> 0, length);
  }

  #fdWrite(fd: number, vectors: number, count: number, writtenAt: number): number {
    const view = this.#view();
    let written = 0;
    for (let i = 0; i < count; i++) {
      const at = view.getUint32(vectors + i * 8, true);
      const length = view.getUint32(vectors + i * 8 + 4, true);
      if (fd === STDERR && this.#stderr.length < STDERR_CHARS_MAX) {
        this.#stderr += new TextDecoder().decode(this.#bytes(at, length).slice());
      }
      written += length;
    }
    view.setUint32(writtenAt, written, true);
    return ERRNO_SUCCESS;
  }

  #clockTimeGet(id: number, _precision: bigint, resultAt: number): number {
    // Go's runtime dies of a monotonic clock that says zero, as a simulated one does at its start.
    const ms = id === CLOCK_REALTIME ? this.#clock.wallMs() : this.#clock.monotonicMs() + 1;
    this.#view().setBigUint64(resultAt, BigInt(Math.floor(ms * NS_PER_MS)), true);
    return ERRNO_SUCCESS;
  }

  // Go sleeps only when every goroutine waits. Answering each subscription as fired lets it look
  // around and return to the host, which is the only one who really waits.
  #pollOneoff(subscriptions: number, events: number, count: number, countAt: number): number {
    const view = this.#view();
    this.#bytes(events, count * EVENT_BYTES).fill(0);
    for (let i = 0; i < count; i++) {
      const from = subscriptions + i * SUBSCRIPTION_BYTES;
      const to = events + i * EVENT_BYTES;
      view.setBigUint64(to, view.getBigUint64(from, true), true); // user data
      view.setUint8(to + 10, view.getUint8(from + 8)); // what was subscribed to
    }
    view.setUint32(countAt, count, true);
    return ERRNO_SUCCESS;
  }

  #sizes(countAt: number, bytesAt: number): number {
    this.#view().setUint32(countAt, 0, true);
    this.#view().setUint32(bytesAt, 0, true);
    return ERRNO_SUCCESS;
  }

  /** The functions of module `wasi_snapshot_preview1` that `wanted` names. */
  imports(wanted: readonly string[]): Record<string, (...args: never[]) => unknown> {
    const offered: Record<string, (...args: never[]) => unknown> = {
      args_get: () => ERRNO_SUCCESS,
      args_sizes_get: (count: number, bytes: number) => this.#sizes(count, bytes),
      environ_get: () => ERRNO_SUCCESS,
      environ_sizes_get: (count: number, bytes: number) => this.#sizes(count, bytes),
      clock_time_get: (id: number, precision: bigint, at: number) =>
        this.#clockTimeGet(id, precision, at),
      random_get: (at: number, length: number) => {
        this.#random.fill(this.#bytes(at, length));
        return ERRNO_SUCCESS;
      },
      fd_write: (fd: number, vectors: number, count: number, at: number) =>
        this.#fdWrite(fd, vectors, count, at),
      poll_oneoff: (from: number, to: number, count: number, at: number) =>
        this.#pollOneoff(from, to, count, at),
      sched_yield: () => ERRNO_SUCCESS,
      proc_exit: (code: number) => {
        throw new ProcessExit(code);
      },
    };
    const given: Record<string, (...args: never[]) => unknown> = {};
    for (const name of wanted) given[name] = offered[name] ?? (() => ERRNO_BADF);
    return given;
  }
}
