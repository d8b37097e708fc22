// An open loop: requests are due at a fixed rate, whatever becomes of those before them, as they are where
// people come at their own pace. A request that finds every connection busy waits here, and its latency counts
// from the moment it was due. Counted from when it was sent, a server that stops for a second would be charged
// for the few requests that it held, and not for all that came meanwhile ("coordinated omission").
//
// Decides only: it is told the time and what happened, and says what to send on which connection. The world
// is in generator.ts.

import { type RecordableHistogram, createHistogram } from "node:perf_hooks";
import { must } from "../../src/base/assert.ts";
import type { Closed } from "./wrk.ts";

/** Requests that are due evenly, from 0 ms on. Those of the warm-up are sent and not counted. */
export interface Rate {
  readonly perSecond: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** Durations in microseconds. `us` ends with the last answer, so that a rate not kept shows as one. */
export interface Open extends Closed {
  /** Per second. */
  readonly asked: number;
  /** How late requests went out for which a connection was free, at the 99th percentile: its own fault. */
  readonly late99: number;
}

export class OpenLoop {
  readonly #rate: Rate;
  readonly #send: (connection: number, n: number) => void;
  /** The first that counts, and the one behind the last. */
  readonly #first: number;
  readonly #end: number;
  readonly #latencies: RecordableHistogram = createHistogram();
  readonly #lateness: RecordableHistogram = createHistogram();
  /** Connections with nothing to do, those first that have been so for longest: none idles until it is closed. */
  readonly #free: { readonly connection: number; readonly sinceMs: number }[] = [];
  /** By connection, the request that it carries. */
  readonly #carried = new Map<number, number>();
  #next = 0;
  #answered = 0;
  #failed = 0;
  #broken = 0;
  #lastMs = 0;

  constructor(rate: Rate, send: (connection: number, n: number) => void) {
    this.#rate = rate;
    this.#send = send;
    this.#first = Math.round(rate.perSecond * rate.warmUpSeconds);
    this.#end = this.#first + Math.max(1, Math.round(rate.perSecond * rate.seconds));
  }

  /** A connection can be used: a new one, or one made anew. */
  opened(connection: number, nowMs: number): void {
    this.#free.push({ connection, sinceMs: nowMs });
    this.advance(nowMs);
  }

  answered(connection: number, isSuccess: boolean, nowMs: number): void {
    const n = must(this.#carried.get(connection), "a request that is answered");
    this.#carried.delete(connection);
    if (n >= this.#first) {
      this.#lastMs = nowMs;
      // What a failure took is no latency of the service, and a run with any is looked at with suspicion.
      if (isSuccess) this.#record(n, nowMs);
      else this.#failed += 1;
    }
    this.opened(connection, nowMs);
  }

  /** Not to be used until it is opened again. */
  broke(connection: number, nowMs: number): void {
    const idle = this.#free.findIndex((one) => one.connection === connection);
    if (idle >= 0) this.#free.splice(idle, 1);
    const n = this.#carried.get(connection);
    this.#carried.delete(connection);
    if (n === undefined || n < this.#first) return;
    this.#lastMs = nowMs;
    this.#broken += 1;
  }

  /** Sends what is due, as far as connections are free. */
  advance(nowMs: number): void {
    while (this.#next < this.#end && this.#dueMs(this.#next) <= nowMs) {
      const free = this.#free.shift();
      if (free === undefined) return;
      const n = this.#next++;
      const dueMs = this.#dueMs(n);
      if (n >= this.#first && free.sinceMs <= dueMs) this.#lateness.record(micros(nowMs - dueMs));
      this.#carried.set(free.connection, n);
      this.#send(free.connection, n);
    }
  }

  /** When to advance next; null: an answer comes first, or nothing is left to send. */
  get nextMs(): number | null {
    return this.#next < this.#end && this.#free.length > 0 ? this.#dueMs(this.#next) : null;
  }

  get isDone(): boolean {
    return this.#next === this.#end && this.#carried.size === 0;
  }

  /** So far, those of the warm-up too. */
  get sent(): number {
    return this.#next;
  }

  /** When the last request is due. */
  get lastDueMs(): number {
    return this.#dueMs(this.#end - 1);
  }

  /** Ends it: what has no answer by now is broken, and has waited at least this long. */
  giveUp(nowMs: number): void {
    const unsent = Array.from({ length: this.#end - this.#next }, (_, at) => this.#next + at);
    for (const n of [...this.#carried.values(), ...unsent]) {
      if (n < this.#first) continue;
      this.#latencies.record(micros(nowMs - this.#dueMs(n)));
      this.#broken += 1;
      this.#lastMs = nowMs;
    }
    this.#carried.clear();
    this.#next = this.#end;
  }

  result(): Open {
    const latency = (percent: number): number => this.#latencies.percentile(percent);
    const lastMs = Math.max(this.#lastMs, this.#dueMs(this.#end));
    return {
      asked: this.#rate.perSecond,
      requests: this.#answered,
      us: (lastMs - this.#dueMs(this.#first)) * 1000,
      p50: latency(50),
      p90: latency(90),
      p99: latency(99),
      p999: latency(99.9),
      max: this.#latencies.max,
      late99: this.#lateness.percentile(99),
      failed: this.#failed,
      broken: this.#broken,
    };
  }

  #dueMs(n: number): number {
    return (n * 1000) / this.#rate.perSecond;
  }

  #record(n: number, nowMs: number): void {
    this.#answered += 1;
    this.#latencies.record(micros(nowMs - this.#dueMs(n)));
  }
}

/** A histogram of node:perf_hooks (an HDR histogram of three digits) takes whole numbers from 1 on. */
function micros(ms: number): number {
  return Math.max(1, Math.round(ms * 1000));
}
