// Clients of the simulated cluster. Each works through one request at a time, against any node, and tries
// again as the documentation tells it to: after "unavailable" freely, after "unknown" and after having
// waited in vain only under the same Idempotency-Key. Every object carries a marker of the request that
// asked for it, so that afterwards it can be said of each request how often it happened. What was asked and
// what was answered is kept as a history, for the judge of linearizability.

import type { NodeId } from "../base/brand.ts";
import { must } from "../base/assert.ts";
import type { Command } from "../fsm/command.ts";
import type { FarmObject, Id } from "../fsm/objects.ts";
import type { FarmNode, FarmReader, IdempotencyKey, SubmitResult } from "../node/api.ts";
import { Errands } from "./errands.ts";
import { type Called, type Get, type History, type List, resultOf } from "./history.ts";
import { Known } from "./known.ts";
import type { SimRandom } from "./sim-random.ts";
import type { LoadPlan } from "./swarm.ts";
import type { World } from "./world.ts";

const RETRY_MS = 300;

/** Kinds of results that leave a request undone as far as its client knows. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(["unavailable", "outcome-unknown"]);

/** One request, over all its tries. */
export interface Request {
  readonly marker: string;
  readonly command: Command;
  /** Some try may have happened although nobody said so. */
  isDoubtful: boolean;
  /** Acknowledged as done, refused by a rule, never proposed, or none of it as far as the client knows. */
  outcome: "open" | "done" | "refused" | "unavailable" | "unknown";
  /** The id of what it made. */
  created: Id | null;
}

/** What clients see of the world, and of the process of a node. */
export interface Outside extends Pick<World, "clock" | "random" | "failure" | "trace"> {
  readonly alive: readonly { readonly life: Server }[];
}
interface Server {
  readonly node: Pick<FarmNode, "id" | "farm" | "submit" | "barrier">;
  readonly gone: Promise<"gone">;
}

/** What the workload tells the others. */
export interface WorkloadWatch {
  /** A node did not answer in time, or said that it cannot. */
  unanswered(node: NodeId, beganMs: number): void;
  /** Something was answered: a read, a refusal by a rule, a write. */
  answered(): void;
  /** In the moment in which a client learns that its write is done. */
  done(): void;
}

export class Workload {
  readonly requests: Request[] = [];
  readonly #known = new Known();
  readonly #world: Outside;
  readonly #random: SimRandom;
  readonly #plan: LoadPlan;
  readonly #history: History;
  readonly #watch: WorkloadWatch;
  readonly #errands: Errands;
  /** Acknowledged creations, in the order of their acknowledgement. */
  readonly #acknowledged: { readonly request: Request; readonly id: Id }[] = [];
  reads = 0;
  #stopped = false;
  #running = 0;
  #violation: string | null = null;

  constructor(world: Outside, plan: LoadPlan, history: History, watch: WorkloadWatch) {
    this.#world = world;
    this.#plan = plan;
    this.#history = history;
    this.#watch = watch;
    this.#random = world.random.fork();
    this.#errands = new Errands(this.#random, this.#known, plan.mix);
    for (let client = 1; client <= plan.clients; client++) this.#run(client);
  }

  /** What a read should have shown and did not; null if every read was right. */
  get violation(): string | null {
    return this.#violation;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** Whether somebody asked to delete what this command made, and was not told that it did not happen. */
  mayBeDeleted(made: Command, id: Id): boolean {
    const kind = made.kind.replace("create", "delete");
    return this.requests.some(
      ({ command, outcome }) =>
        command.kind === kind &&
        "key" in command &&
        command.key === String(id) &&
        outcome !== "refused" &&
        outcome !== "unavailable",
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  #run(client: number): void {
    this.#running += 1;
    this.#work(client)
      .catch((thrown: unknown) => {
        this.#world.failure ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      })
      .finally(() => (this.#running -= 1));
  }

  async #work(client: number): Promise<void> {
    const { boutRequests, mix, quietMsMax, thinkMsMax } = this.#plan;
    for (let n = 1; !this.#stopped;) {
      const last = n + this.#random.between(1, boutRequests);
      for (; n < last && !this.#stopped; n++) {
        await this.#pause(this.#random.unit() * thinkMsMax);
        if (this.#random.chance(mix.reads)) await this.#read(client);
        else await this.#write(client, `c${client}-${n}`);
      }
      await this.#rest(this.#random.unit() * quietMsMax);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((go) => this.#world.clock.after(ms, go));
  }

  /** A long pause, which the end of the work ends. */
  async #rest(ms: number): Promise<void> {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + ms;
    while (!this.#stopped && clock.monotonicMs() < until) {
      await this.#pause(Math.min(1000, until - clock.monotonicMs()));
    }
  }

  #anyNode(): Server | null {
    const { alive } = this.#world;
    return alive.length === 0 ? null : this.#random.pick(alive).life;
  }

  /** What a node says, or that it says nothing: its process is gone, or the client's patience is. */
  async #answer<T extends { readonly kind: string }>(
    life: Server,
    asked: Promise<T>,
  ): Promise<T | "silence"> {
    const beganMs = this.#world.clock.monotonicMs();
    let wake: () => void = () => undefined;
    const patience = new Promise<"silence">((resolve) => (wake = () => resolve("silence")));
    const timer = this.#world.clock.after(this.#plan.patienceMs, wake);
    const answer = await Promise.race([asked, patience, life.gone]);
    timer.cancel();
    const result = answer === "gone" ? "silence" : answer;
    if (result === "silence" || SAYS_NOTHING.has(result.kind)) {
      this.#watch.unanswered(life.node.id, beganMs);
    }
    return result;
  }

  // --- Writes

  async #write(client: number, marker: string): Promise<void> {
    const command = this.#errands.draw(marker);
    const request: Request = {
      marker,
      command,
      isDoubtful: false,
      outcome: "open",
      created: null,
    };
    this.requests.push(request);
    const called = this.#history.call(client, command);
    const { mix } = this.#plan;
    const key = this.#random.chance(mix.keys) ? { key: marker, fingerprint: marker } : null;
    for (let attempt = 0; attempt < mix.tries && request.outcome === "open"; attempt++) {
      if (attempt > 0) await this.#pause(RETRY_MS);
      await this.#attempt(request, key, called);
    }
    if (request.outcome === "open") {
      request.outcome = request.isDoubtful ? "unknown" : "unavailable";
      if (!request.isDoubtful) called.return({ kind: "none" });
    }
  }

  async #attempt(request: Request, key: IdempotencyKey | null, called: Called): Promise<void> {
    const life = this.#anyNode();
    if (life === null) return;
    const result = await this.#answer(life, life.node.submit(request.command, key));
    if (result === "silence" || result.kind === "outcome-unknown") {
      request.isDoubtful = true;
      // Without a key a second try could do it twice; a careful client stops here.
      if (key === null) request.outcome = "unknown";
      return;
    }
    if (result.kind === "replied") this.#learn(request, result, called);
  }

  #learn(
    request: Request,
    { reply }: Extract<SubmitResult, { kind: "replied" }>,
    called: Called,
  ): void {
    called.return(resultOf(reply));
    this.#watch.answered();
    this.#world.trace(`client: ${request.marker} ${reply.ok ? "done" : reply.rejection.code}`);
    request.outcome = reply.ok ? "done" : "refused";
    if (!reply.ok) return;
    if (reply.object !== null) this.#known.learn(reply.object);
    if (request.command.kind.startsWith("create-")) {
      const { id } = must(reply.object, "object");
      request.created = id;
      this.#acknowledged.push({ request, id });
    }
    this.#watch.done();
  }

  // --- Reads

  /** A linearizable read must show everything acknowledged before it began. */
  async #read(client: number): Promise<void> {
    const life = this.#anyNode();
    if (life === null) return;
    const operation = this.#errands.drawRead();
    const called = this.#history.call(client, operation);
    const before = this.#acknowledged.length;
    const result = await this.#answer(life, life.node.barrier());
    if (result === "silence" || result.kind !== "ok") return called.return({ kind: "none" });
    this.reads += 1;
    const shown = look(life.node.farm, operation);
    called.return(shown);
    if (shown.kind === "ok") {
      for (const object of shown.objects ?? [shown.object]) this.#known.learn(object);
    }
    this.#watch.answered();
    for (let n = 0; n < 5 && before > 0; n++) {
      this.#mustShow(life, n < 3 ? before - 1 - n : this.#random.below(before));
    }
  }

  #mustShow(life: Server, at: number): void {
    const one = this.#acknowledged[at];
    if (one === undefined) return;
    const { id, request } = one;
    const { command, marker } = request;
    const { farm } = life.node;
    const key = String(id);
    const seen =
      command.kind === "create-printer"
        ? farm.printers.get(key)?.company === marker
        : command.kind === "create-filament"
          ? farm.filaments.get(key)?.color === marker
          : farm.jobs.get(key)?.filepath === marker;
    if (!seen && !this.mayBeDeleted(command, id)) {
      this.#violation ??= `node ${life.node.id} served a read without ${marker}`;
    }
  }
}

type Shown =
  | { readonly kind: "ok"; readonly object: FarmObject; readonly objects?: undefined }
  | { readonly kind: "ok"; readonly objects: readonly FarmObject[] }
  | { readonly kind: "rejected"; readonly code: "not_found" };

/** What a read shows. */
export function look(farm: FarmReader, read: Get | List): Shown {
  const table =
    read.collection === "printers"
      ? farm.printers
      : read.collection === "filaments"
        ? farm.filaments
        : farm.jobs;
  if (read.kind === "get") {
    const object = table.get(read.key);
    return object === undefined ? { kind: "rejected", code: "not_found" } : { kind: "ok", object };
  }
  const objects = [...table.values()].filter(
    (object) =>
      read.filament_id === undefined ||
      ("filament_id" in object && String(object.filament_id) === String(read.filament_id)),
  );
  return { kind: "ok", objects };
}
