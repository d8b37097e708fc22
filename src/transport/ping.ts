// Finds out whether a connection that this node dialled still reaches anybody. Without it a
// partition that has healed would be felt for minutes: TCP waits longer and longer between two
// attempts to send again, and a new connection is there in a millisecond.

import { PING_INTERVAL_MS, PONG_TIMEOUT_MS } from "../base/limits.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { FrameStream } from "./frame-stream.ts";
import { encodePing } from "./payload.ts";

/** More than these are not sent while they wait behind a long queue. */
const PINGS_UNANSWERED_MAX = 16;
/** The weight of a new measurement in the smoothed round-trip time. */
const RTT_WEIGHT = 1 / 8;

interface Ping {
  readonly number: number;
  readonly sentMs: number;
}

export class PingWatch {
  readonly #clock: Clock;
  readonly #stream: FrameStream;
  readonly #onDead: () => void;
  readonly #unanswered: Ping[] = [];
  #timer: Timer | null = null;
  #isStopped = false;
  #number = 0;
  #rttMs: number | null = null;
  /** When the other side's TCP was last seen to take bytes from a queue that was held up. */
  #progressMs = -Infinity;
  #backlogBytes = 0;
  #takenBytes = 0;

  constructor(clock: Clock, stream: FrameStream, onDead: () => void) {
    this.#clock = clock;
    this.#stream = stream;
    this.#onDead = onDead;
    this.#ping();
  }

  get rttMs(): number | null {
    return this.#rttMs;
  }

  /** Takes an answer; false if nothing like it was asked. */
  pong(number: number): boolean {
    const ping = this.#unanswered[0];
    if (ping === undefined || ping.number !== number) return false;
    this.#unanswered.shift();
    const sampleMs = this.#clock.monotonicMs() - ping.sentMs;
    this.#rttMs =
      this.#rttMs === null ? sampleMs : this.#rttMs + RTT_WEIGHT * (sampleMs - this.#rttMs);
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #ping(): void {
    if (this.#unanswered.length < PINGS_UNANSWERED_MAX) {
      this.#number = (this.#number + 1) >>> 0;
      this.#unanswered.push({ number: this.#number, sentMs: this.#clock.monotonicMs() });
      this.#stream.send("ping", encodePing(this.#number));
    }
    // After a stall of this process the answers are in the socket already: they are read first.
    this.#timer = this.#clock.after(PING_INTERVAL_MS, () => {
      this.#clock.defer(() => this.#check());
    });
  }

  #check(): void {
    if (this.#isStopped) return;
    this.#noteProgress();
    const oldest = this.#unanswered[0];
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = Math.max(oldest?.sentMs ?? nowMs, this.#progressMs);
    if (nowMs - sinceMs >= PONG_TIMEOUT_MS) {
      this.stop();
      this.#onDead();
    } else {
      this.#ping();
    }
  }

  /**
   * A ping behind megabytes of messages is answered late without anything being wrong. If bytes
   * were held up at this end and some have left since, the other end has acknowledged what was
   * before them.
   */
  #noteProgress(): void {
    const backlogBytes = this.#stream.queuedBytes;
    const takenBytes = this.#stream.sentBytes - backlogBytes;
    if (this.#backlogBytes > 0 && takenBytes > this.#takenBytes) {
      this.#progressMs = this.#clock.monotonicMs();
    }
    this.#backlogBytes = backlogBytes;
    this.#takenBytes = takenBytes;
  }
}
