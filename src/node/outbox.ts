// Raft messages on their way out. Each time something is committed, raft tells every follower the new
// commit index, in a message of its own. Under load the next entries, which tell it as well, follow within a
// moment; so such a message waits a little, and is left out when they do. To a follower it looks as if it had
// been lost, which any message may be. One that waits for nothing else (a client of its own, a read) is told
// at once: core/group.go, waits.

import type { NodeId } from "../base/brand.ts";
import { COMMIT_WAIT_MS } from "../base/limits.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { Transport } from "../transport/transport.ts";
import type { Effect } from "./steps.ts";

export class Outbox {
  readonly #clock: Clock;
  readonly #transport: Transport;
  /** The newest commit index for each node, as a message. */
  readonly #waiting = new Map<NodeId, Uint8Array>();
  #timer: Timer | null = null;

  constructor(clock: Clock, transport: Transport) {
    this.#clock = clock;
    this.#transport = transport;
  }

  send({ to, bytes, brings }: Extract<Effect, { kind: "send" }>): void {
    if (brings === "commit") {
      this.#waiting.set(to, bytes);
      this.#timer ??= this.#clock.after(COMMIT_WAIT_MS, () => this.#sendWaiting());
      return;
    }
    if (brings === "append") this.#waiting.delete(to);
    this.#transport.send(to, bytes);
  }

  flush(): void {
    this.#transport.flush();
  }

  /** Nothing is sent after this. */
  stop(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #sendWaiting(): void {
    this.#timer = null;
    for (const [to, bytes] of this.#waiting) this.#transport.send(to, bytes);
    this.#waiting.clear();
    this.#transport.flush();
  }
}
