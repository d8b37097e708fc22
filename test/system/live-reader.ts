// A client that follows the live event stream of one node and, whenever that ends, goes on where it was, as
// a browser's EventSource does: at the same address, with Last-Event-ID.

import { type ServerProcess, until } from "./process-cluster.ts";

export class LiveReader {
  /** What was delivered, in the order in which it was: id, type and data of each. */
  readonly ids: number[] = [];
  readonly types: string[] = [];
  readonly lines: string[] = [];
  /** How often a stream was begun. */
  connections = 0;
  /** Answers that are no stream, save those of a node that is not up yet. */
  readonly refused: string[] = [];
  readonly #server: ServerProcess;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;

  constructor(server: ServerProcess) {
    this.#server = server;
    this.#running = this.#follow();
  }

  async #follow(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        if (this.#server.isRunning) await this.#connect();
      } catch {
        // The node was killed, or the test is over: the loop decides.
      }
      await new Promise((go) => setTimeout(go, 20));
    }
  }

  async #connect(): Promise<void> {
    const last = this.ids.at(-1);
    const answer = await fetch(`http://${this.#server.http}/api/v1/events/stream?after=0`, {
      headers: {
        accept: "text/event-stream",
        ...(last === undefined ? {} : { "last-event-id": String(last) }),
      },
      signal: this.#abort.signal,
    });
    if (answer.status !== 200 || answer.body === null) {
      if (answer.status !== 503) this.refused.push(`${answer.status} ${await answer.text()}`);
      return;
    }
    this.connections += 1;
    let rest = "";
    for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
      const frames = (rest + text).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) this.#take(frame);
    }
  }

  #take(frame: string): void {
    const found = /^id: (\d+)\nevent: (.+)\ndata: (.+)$/.exec(frame);
    if (found === null) return; // a comment, or the time to wait before connecting again
    const [, id, type, data] = found;
    this.ids.push(Number(id));
    this.types.push(type ?? "");
    this.lines.push(data ?? "");
  }

  /** Waits until the event with this index has come, and ends. */
  async stopAt(index: number): Promise<void> {
    await until(`node ${this.#server.id} streams event ${index}`, () => this.ids.includes(index));
    this.#abort.abort();
    await this.#running;
  }
}
