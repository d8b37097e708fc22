// Load on one server or cluster: connections that each send the next request when the answer to the
// last has come (a closed loop), so that a slow server is not asked faster than it answers.
//
// A closed loop hides how long people would wait who come at their own pace: while the server
// pauses, nobody is sent to wait. What it does show is what a number of busy clients get out of a
// cluster, and it compares two servers fairly. That is what this tool is for.
//
// Latency is from the moment before the request is written to the moment its last byte has been
// read. Nothing is allocated for a request and little for an answer: the tool shares the machine
// with what it measures.

import { must } from "../../base/assert.ts";
import type { Clock } from "../../env/clock.ts";
import { sleep } from "../../env/clock.ts";
import type { Connection, Network } from "../../env/network.ts";
import { NetworkError } from "../../env/network.ts";
import { parseObject } from "../json.ts";
import { isFulfilledWithin } from "../local/wait.ts";
import { Histogram } from "./histogram.ts";
import { type Answer, AnswerError, ResponseParser } from "./response-parser.ts";

const CONNECT_MS_MAX = 5000;
/** Longer than any bound of the server's own: an answer that takes longer will not come. */
const ANSWER_MS_MAX = 15_000;
/** Before a connection that broke is made anew. */
const RECONNECT_MS = 100;

export interface Target {
  /** host:port, given to the connections in turn. */
  readonly addresses: readonly string[];
  /** Whole requests for an address; every connection goes through them over and over. */
  readonly requests: (address: string) => readonly Uint8Array[];
}

export interface LoadOptions {
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** Durations in milliseconds. */
export interface Measurement {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** What was not a success, by status and code; counted from the first request on. */
  readonly unexpected: Readonly<Record<string, number>>;
}

/**
 * Drives the target through a warm-up, in which compilers and connections settle, and a measured
 * time. Answers that come within the measured time count, whenever their requests were sent.
 */
export async function measure(
  network: Network,
  clock: Clock,
  target: Target,
  options: LoadOptions,
): Promise<Measurement> {
  const recorder = new Recorder();
  const loops = Array.from({ length: options.connections }, (_, at) => {
    const address = must(target.addresses[at % target.addresses.length], "an address");
    // Loops begin at different requests, so that a mixture is one at every moment.
    return new Loop(network, clock, address, target.requests(address), at, recorder);
  });
  const running = Promise.all(loops.map((loop) => loop.run()));
  const load = async (): Promise<number> => {
    await sleep(clock, options.warmUpMs);
    const fromMs = clock.monotonicMs();
    recorder.isMeasuring = true;
    await sleep(clock, options.measuredMs);
    recorder.isMeasuring = false;
    const seconds = (clock.monotonicMs() - fromMs) / 1000;
    for (const loop of loops) loop.stop();
    return seconds;
  };
  const [seconds] = await Promise.all([load(), running]);
  return recorder.result(seconds);
}

class Recorder {
  isMeasuring = false;
  readonly #latencies = new Histogram();
  readonly #unexpected = new Map<string, number>();

  answered(answer: Answer, ms: number): void {
    // Successes are recorded while it is measured; failures always, because a run with any is void.
    if (answer.status >= 300) this.unexpected(`${answer.status} ${codeOf(answer.body)}`);
    else if (this.isMeasuring) this.#latencies.record(ms);
  }

  unexpected(what: string): void {
    this.#unexpected.set(what, (this.#unexpected.get(what) ?? 0) + 1);
  }

  result(seconds: number): Measurement {
    const latencies = this.#latencies;
    return {
      requests: latencies.total,
      seconds,
      perSecond: latencies.total / seconds,
      p50: latencies.quantile(0.5),
      p90: latencies.quantile(0.9),
      p99: latencies.quantile(0.99),
      p999: latencies.quantile(0.999),
      max: latencies.max,
      unexpected: Object.fromEntries(this.#unexpected),
    };
  }
}

function codeOf(body: string): string {
  const code = parseObject(body)?.["code"];
  return typeof code === "string" ? code : "no code";
}

/** One connection, made anew when it breaks. */
class Loop {
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #address: string;
  readonly #requests: readonly Uint8Array[];
  readonly #recorder: Recorder;
  #next: number;
  #isStopped = false;

  constructor(
    network: Network,
    clock: Clock,
    address: string,
    requests: readonly Uint8Array[],
    first: number,
    recorder: Recorder,
  ) {
    this.#network = network;
    this.#clock = clock;
    this.#address = address;
    this.#requests = requests;
    this.#next = first;
    this.#recorder = recorder;
  }

  /** After the answer that is awaited. */
  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const connection = await this.#network.connect(this.#address, CONNECT_MS_MAX);
        const broke = await this.#drive(connection);
        if (broke !== null) this.#recorder.unexpected(broke);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        this.#recorder.unexpected(`connection failed: ${error.code}`);
      }
      if (!this.#isStopped) await sleep(this.#clock, RECONNECT_MS);
    }
  }

  /** Resolves when the connection is no longer used: null if it was stopped, else what broke. */
  async #drive(connection: Connection): Promise<string | null> {
    let sentMs = 0;
    let isAwaiting = false;
    let end: (broke: string | null) => void = () => undefined;
    const ended = new Promise<string | null>((resolve) => (end = resolve));
    const send = (): void => {
      const request = must(this.#requests[this.#next++ % this.#requests.length], "a request");
      sentMs = this.#clock.monotonicMs();
      isAwaiting = true;
      connection.write(request);
    };
    const parser = new ResponseParser((answer) => {
      // Requests are not pipelined, so a second answer means that the first was cut in the wrong
      // place.
      if (!isAwaiting) throw new AnswerError("an answer that nobody asked for");
      isAwaiting = false;
      this.#recorder.answered(answer, this.#clock.monotonicMs() - sentMs);
      if (this.#isStopped) end(null);
      else if (answer.isKept) send();
      else end("the server closed the connection");
    });
    connection.onData((bytes) => {
      try {
        parser.push(bytes);
      } catch (error) {
        if (!(error instanceof AnswerError)) throw error;
        end(`not an answer: ${error.message}`);
      }
    });
    connection.onClose((reason) => end(reason === null ? "connection closed" : reason));
    send();
    const broke = await this.#inTime(ended, () => this.#clock.monotonicMs() - sentMs);
    connection.destroy();
    return broke;
  }

  /**
   * `ended`, unless one answer takes too long. One timer for the whole life of the connection,
   * looked at when it runs out: a timer for every request would cost as much as the request.
   */
  async #inTime(ended: Promise<string | null>, waitedMs: () => number): Promise<string | null> {
    let leftMs = ANSWER_MS_MAX;
    while (!(await isFulfilledWithin(this.#clock, leftMs, ended))) {
      leftMs = ANSWER_MS_MAX - waitedMs();
      if (leftMs <= 0) return "no answer";
    }
    return ended;
  }
}
