// Clients for tests with real processes. Each works as the documentation tells clients to: every write
// carries an Idempotency-Key, and what gets no answer, or 503 or 504, is tried again at another node under
// the same key.

import type { ProcessCluster, ServerProcess } from "./process-cluster.ts";

export interface Acknowledged {
  readonly model: string;
  readonly id: number;
  /** When the answer came, as `performance.now` counts. */
  readonly atMs: number;
  /** The leader that the answering node knew of. */
  readonly leader: number;
}

export class Load {
  /** What the cluster said it has done. */
  readonly acknowledged: Acknowledged[] = [];
  /** Requests that were begun: each may have happened at most once. */
  readonly begun: string[] = [];
  /** Answers that no correct cluster gives to these requests. */
  readonly unexpected: string[] = [];
  readonly #cluster: ProcessCluster;
  readonly #name: string;
  #running: Promise<void>[] = [];
  #stopped = false;

  constructor(cluster: ProcessCluster, name: string, clients: number) {
    this.#cluster = cluster;
    this.#name = name;
    this.#running = Array.from({ length: clients }, (_, at) => this.#client(at));
  }

  async #client(at: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const model = `${this.#name}-${at}-${n}`;
      this.begun.push(model);
      await this.#create(model, at + n);
    }
  }

  async #create(model: string, first: number): Promise<void> {
    for (let attempt = 0; !this.#stopped || attempt === 0; attempt++) {
      const { servers } = this.#cluster;
      const server = servers[(first + attempt) % servers.length];
      if (server === undefined || !server.isRunning) {
        await new Promise((go) => setTimeout(go, 5));
        continue;
      }
      const done = await this.#attempt(server, model);
      if (done) return;
    }
  }

  async #attempt(server: ServerProcess, model: string): Promise<boolean> {
    const body = { company: "load", model };
    try {
      const answer = await server.post("/api/v1/printers", body, { "idempotency-key": model });
      if (answer.status === 201) {
        const leader = Number(answer.headers.get("raft3d-leader"));
        const { id } = answer.body;
        this.acknowledged.push({ model, id, atMs: performance.now(), leader });
        return true;
      }
      if (answer.status === 503 || answer.status === 504 || answer.status === 429) return false;
      this.unexpected.push(`${answer.status} ${JSON.stringify(answer.body)}`);
      return true;
    } catch {
      return false; // the process was killed under the request: exactly what is being tested
    }
  }

  /** Lets every client finish what it is doing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

/** How often each model is there, asked of one node. */
export async function modelsAt(
  server: ServerProcess,
  consistency: "linearizable" | "stale",
): Promise<Map<string, number>> {
  const answer = await server.get(`/api/v1/printers?consistency=${consistency}`);
  if (answer.status !== 200) throw new Error(`node ${server.id} answers ${answer.status}`);
  const seen = new Map<string, number>();
  for (const { model } of answer.body as { model: string }[]) {
    seen.set(model, (seen.get(model) ?? 0) + 1);
  }
  return seen;
}

/** Everything acknowledged is there once, nothing is there twice. Returns what is wrong. */
export function wrongWith(load: Load, seen: ReadonlyMap<string, number>): string[] {
  const lost = load.acknowledged.filter(({ model }) => !seen.has(model)).map(({ model }) => model);
  const doubled = [...seen].filter(([, times]) => times > 1).map(([model]) => model);
  const begun = new Set(load.begun);
  const invented = [...seen.keys()].filter((model) => !begun.has(model));
  return [
    ...lost.map((model) => `${model} was acknowledged and is lost`),
    ...doubled.map((model) => `${model} is there twice`),
    ...invented.map((model) => `${model} was never asked for`),
    ...load.unexpected,
  ];
}
