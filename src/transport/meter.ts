// Counts. Plain numbers that only grow, one set for each peer and one for the whole transport,
// which keeps what was counted for peers that are gone.

import type { TransportCounters } from "./transport.ts";

export type Totals = { -readonly [K in keyof TransportCounters]: number };

export function noTotals(): Totals {
  return {
    messagesSent: 0,
    messagesReceived: 0,
    messagesDropped: 0,
    bytesSent: 0,
    bytesReceived: 0,
    connects: 0,
    disconnects: 0,
    snapshotsSent: 0,
    snapshotsReceived: 0,
    snapshotsFailed: 0,
  };
}

/** What passed between this node and one peer, over all their connections. */
export class Meter {
  readonly totals: Totals;
  #sentBytes = 0;
  #receivedBytes = 0;
  #droppedMessages = 0;
  #lastHeardMs: number | null = null;

  constructor(totals: Totals) {
    this.totals = totals;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get droppedMessages(): number {
    return this.#droppedMessages;
  }

  get lastHeardMs(): number | null {
    return this.#lastHeardMs;
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
    this.totals.bytesSent += bytes;
  }

  received(bytes: number, atMs: number): void {
    this.#receivedBytes += bytes;
    this.totals.bytesReceived += bytes;
    this.#lastHeardMs = Math.max(atMs, this.#lastHeardMs ?? atMs);
  }

  dropped(): void {
    this.#droppedMessages += 1;
    this.totals.messagesDropped += 1;
  }
}
