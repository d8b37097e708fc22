// Clients of the simulated cluster. Each works through one request at a time, against any node, and tries
// again as the documentation tells it to: after "unavailable" freely, after "unknown" only under the same
// Idempotency-Key. Every object carries a marker of the request that asked for it, so that afterwards it
// can be said of each request how often it happened.

import { must } from "../base/assert.ts";
import type { Command } from "../fsm/command.ts";
import type { Id, JobStatus } from "../fsm/objects.ts";
import type { IdempotencyKey, SubmitResult } from "../node/api.ts";
import type { SimRandom } from "./sim-random.ts";
import type { Life, World } from "./world.ts";

const TRIES_MAX = 6;
const RETRY_MS = 300;

/** One request, over all its tries. */
export interface Request {
  readonly marker: string;
  readonly command: Command;
  /** How often it was handed to a node. */
  tries: number;
  /** Some try may have happened although nobody said so. */
  isDoubtful: boolean;
  /** Acknowledged as done, refused by a rule, never proposed, or none of it as far as the client knows. */
  outcome: "open" | "done" | "refused" | "unavailable" | "unknown";
  /** The order in which acknowledgements came: reads that began later must see it. */
  doneAt: number;
}

export interface Spool {
  readonly id: Id;
  readonly total: number;
}

export class Workload {
  readonly requests: Request[] = [];
  readonly spools: Spool[] = [];
  readonly printers: Id[] = [];
  readonly jobs: Id[] = [];
  reads = 0;
  readonly #world: World;
  readonly #random: SimRandom;
  readonly #thinkMsMax: number;
  /** Called in the moment in which a client learns that its request is done. */
  readonly #onDone: () => void;
  /** Markers of acknowledged creations, in the order of their acknowledgement. */
  readonly #acknowledged: { readonly marker: string; readonly id: Id; readonly kind: string }[] =
    [];
  #stopped = false;
  #running = 0;
  #violation: string | null = null;

  constructor(world: World, clients: number, thinkMsMax: number, onDone: () => void) {
    this.#world = world;
    this.#onDone = onDone;
    this.#random = world.random.fork();
    this.#thinkMsMax = thinkMsMax;
    for (let client = 1; client <= clients; client++) this.#run(client);
  }

  /** What a read should have shown and did not; null if every read was right. */
  get violation(): string | null {
    return this.#violation;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  stop(): void {
    this.#stopped = true;
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  #run(client: number): void {
    this.#running += 1;
    const work = async (): Promise<void> => {
      for (let n = 1; !this.#stopped; n++) {
        await this.#pause(this.#random.unit() * this.#thinkMsMax);
        if (this.#random.chance(0.3)) await this.#read();
        else await this.#write(`c${client}-${n}`);
      }
    };
    work()
      .catch((thrown: unknown) => {
        this.#world.failure ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      })
      .finally(() => (this.#running -= 1));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((go) => this.#world.clock.after(ms, go));
  }

  #anyNode(): Life | null {
    const { alive } = this.#world;
    return alive.length === 0 ? null : this.#random.pick(alive).life;
  }

  // --- Writes

  async #write(marker: string): Promise<void> {
    const command = this.#drawCommand(marker);
    const request: Request = {
      marker,
      command,
      tries: 0,
      isDoubtful: false,
      outcome: "open",
      doneAt: 0,
    };
    this.requests.push(request);
    const key = this.#random.chance(0.7) ? { key: marker, fingerprint: marker } : null;
    for (let attempt = 0; attempt < TRIES_MAX && request.outcome === "open"; attempt++) {
      if (attempt > 0) await this.#pause(RETRY_MS);
      await this.#attempt(request, key);
    }
    if (request.outcome === "open")
      request.outcome = request.isDoubtful ? "unknown" : "unavailable";
  }

  async #attempt(request: Request, key: IdempotencyKey | null): Promise<void> {
    const life = this.#anyNode();
    if (life === null) return;
    request.tries += 1;
    const result = await Promise.race([life.node.submit(request.command, key), life.gone]);
    if (result === "gone" || result.kind === "outcome-unknown") {
      request.isDoubtful = true;
      // Without a key a second try could do it twice; a careful client stops here.
      if (key === null) request.outcome = "unknown";
      return;
    }
    if (result.kind === "replied") this.#acknowledge(request, result);
  }

  #acknowledge(request: Request, result: Extract<SubmitResult, { kind: "replied" }>): void {
    const { reply } = result;
    const said = reply.ok ? "done" : reply.rejection.code;
    this.#world.trace(`client: ${request.marker} ${said}`);
    request.outcome = reply.ok ? "done" : "refused";
    if (!reply.ok) return;
    request.doneAt = this.#acknowledged.length;
    const id = must(reply.object, "object").id;
    const { command, marker } = request;
    this.#acknowledged.push({ marker, id, kind: command.kind });
    if (command.kind === "create-printer") this.printers.push(id);
    if (command.kind === "create-job") this.jobs.push(id);
    if (command.kind === "create-filament") {
      this.spools.push({ id, total: command.total_weight_in_grams });
    }
    this.#onDone();
  }

  #drawCommand(marker: string): Command {
    const random = this.#random;
    const anId = this.printers.length === 0 || this.spools.length === 0 || random.chance(0.08);
    if (anId && random.chance(0.5)) {
      return { kind: "create-printer", id: null, company: marker, model: "MK4" };
    }
    if (anId) {
      const total = random.between(1, 2000);
      return {
        kind: "create-filament",
        id: null,
        type: "PLA",
        color: marker,
        total_weight_in_grams: total,
        remaining_weight_in_grams: total,
      };
    }
    if (this.jobs.length > 0 && random.chance(0.45)) {
      const to: JobStatus = random.pick(["Running", "Running", "Done", "Canceled"]);
      const key = String(random.pick(this.jobs));
      return { kind: "change-job-status", key, expected: null, to };
    }
    return {
      kind: "create-job",
      id: null,
      printer_id: random.pick(this.printers),
      filament_id: random.pick(this.spools).id,
      filepath: marker,
      print_weight_in_grams: random.between(1, 120),
    };
  }

  // --- Reads

  /** A linearizable read must show everything acknowledged before it began. */
  async #read(): Promise<void> {
    const life = this.#anyNode();
    if (life === null) return;
    const before = this.#acknowledged.length;
    const result = await Promise.race([life.node.barrier(), life.gone]);
    if (result === "gone" || result.kind !== "ok") return;
    this.reads += 1;
    const { farm } = life.node;
    for (let n = 0; n < 10 && before > 0; n++) {
      const at = n < 5 ? before - 1 - n : this.#random.below(before);
      const one = this.#acknowledged[at];
      if (one === undefined) continue;
      const key = String(one.id);
      const seen =
        one.kind === "create-printer"
          ? farm.printers.get(key)?.company === one.marker
          : one.kind === "create-filament"
            ? farm.filaments.get(key)?.color === one.marker
            : one.kind !== "create-job" || farm.jobs.get(key)?.filepath === one.marker;
      if (!seen) this.#violation ??= `node ${life.node.id} served a read without ${one.marker}`;
    }
  }
}
