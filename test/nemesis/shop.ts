// The clients of a round: a print shop that asks every node for everything, and asks again as the documentation
// tells clients to (asking.ts). What each asked and was told goes into the history.
//
// Objects are shared among the clients, so that they get in each other's way: two take a job through its
// life, several reserve the last grams of a spool, one deletes a printer that another just named.

import type { Id, JobStatus } from "../../src/fsm/objects.ts";
import type { RejectionCode } from "../../src/fsm/reply.ts";
import type { Collection, History, Operation, Result } from "../../src/sim/history.ts";
import type { SimRandom } from "../../src/sim/sim-random.ts";
import type { ServerProcess } from "../system/process-cluster.ts";
import { Asking, attempt, pause } from "./asking.ts";
import { Window } from "./window.ts";

/** How many of the newest objects of a kind are asked for. */
const REMEMBERED = 24;
const SPOOL_GRAMS = 1000;
const RUSH = 12;

interface Seen {
  readonly id: Id;
  readonly version: number;
}

/** A write that was acknowledged: what must be there at the end. */
export interface Kept {
  readonly collection: Collection;
  readonly id: Id;
  /** Unique to the request. */
  readonly marker: string;
}

export class Shop {
  /** Acknowledged creations. */
  readonly kept: Kept[] = [];
  /** Keys of objects somebody asked to delete: they may be gone. */
  readonly deleted = new Set<string>();
  readonly counts = { asked: 0, ok: 0, refused: 0, unknown: 0, tries: 0 };
  /** The longest time from a request's first try to its answer, and without an acknowledged write. */
  readonly worst = { answerMs: 0, writesMs: 0 };
  /** Writes acknowledged so far: that it grows says that the cluster serves. */
  writes = 0;
  readonly #servers: readonly ServerProcess[];
  readonly #history: History;
  readonly #random: SimRandom;
  readonly #report: (violation: string) => void;
  readonly #known: Record<Collection, Seen[]> = { printers: [], filaments: [], print_jobs: [] };
  readonly #paddingMax: number;
  #clients = 0;
  #running: Promise<void>[] = [];
  #isClosing = false;
  #hasGivenUp = false;
  #lastWriteAt = performance.now();
  readonly #underWay = new Set<Asking>();
  #window: Window | null = null;

  constructor(
    servers: readonly ServerProcess[],
    history: History,
    random: SimRandom,
    report: (violation: string) => void,
    paddingMax = 0,
  ) {
    this.#servers = servers;
    this.#history = history;
    this.#random = random;
    this.#report = report;
    this.#paddingMax = paddingMax;
  }

  open(clients: number, thinkMsMax: number): void {
    for (let n = 0; n < clients; n++) this.#running.push(this.#client(++this.#clients, thinkMsMax));
  }

  /** Watches what becomes of the requests under way and of all that begin, until it is closed. */
  openWindow(): Window {
    this.#window = new Window(this.#underWay);
    return this.#window;
  }

  /** What begins from here on is not the window's. */
  closeWindow(): void {
    this.#window = null;
  }

  /** No new requests; those under way go on until they are answered, or until `giveUp`. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#running);
    this.#running = [];
  }

  /** What is still open stays open for ever. */
  giveUp(): void {
    this.#hasGivenUp = true;
  }

  /**
   * Makes the log longer without changing the farm: what is refused is decided behind the log. Not in the
   * history, because it says nothing about the state.
   */
  async churn(): Promise<void> {
    const writes = Array.from({ length: 24 }, (_, at) => {
      const server = this.#servers[at % this.#servers.length]!;
      const op: Operation = {
        kind: "update-printer",
        key: "nobody",
        expected: null,
        changes: { model: "nothing" },
      };
      this.counts.tries += 1;
      return attempt(server, op, null, 2000);
    });
    await Promise.all(writes);
  }

  async #client(client: number, thinkMsMax: number): Promise<void> {
    const random = this.#random.fork();
    for (let n = 1; !this.#isClosing; n++) {
      await pause(random.unit() * thinkMsMax);
      const marker = `${client}-${n}`;
      await this.ask(client, this.#draw(random, marker), random, marker);
    }
  }

  /**
   * Passers-by who all ask one node first, at once, and half of them without a key: whoever stops it now
   * stops it with requests in its hands. Resolves when these are on their way.
   */
  async rush(id: number): Promise<void> {
    const random = this.#random.fork();
    const manner = { first: id - 1, keyed: 0.5 };
    for (let n = 0; n < RUSH; n++) {
      const client = ++this.#clients;
      const marker = `${client}-1`;
      const asked = this.ask(client, this.#createPrinter(random, marker), random, marker, manner);
      this.#running.push(asked.then(() => undefined));
    }
    // A write takes some milliseconds: most are in the middle of it.
    await pause(random.below(10));
  }

  /** One request over all its tries. */
  async ask(
    client: number,
    op: Operation,
    random: SimRandom,
    marker: string,
    // Now and then somebody who does not care for keys, and must stop where the outcome is not known.
    { first = random.below(this.#servers.length), keyed = 0.96 } = {},
  ): Promise<Result> {
    const isWrite = op.kind !== "get" && op.kind !== "list";
    const key = isWrite && random.chance(keyed) ? marker : null;
    if (op.kind === "delete-printer" || op.kind === "delete-filament") {
      this.deleted.add(`${op.kind === "delete-printer" ? "printers" : "filaments"}/${op.key}`);
    }
    this.counts.asked += 1;
    const called = this.#history.call(client, op);
    const asking = new Asking(op, key, {
      servers: this.#servers,
      first,
      // Some are patient, some ask elsewhere soon.
      patienceMs: random.pick([300, 1000, 2000, 7000]),
      hasGivenUp: () => this.#hasGivenUp,
    });
    await this.#watched(asking);
    const result = this.#resultOf(asking);
    called.return(result);
    this.#note(op, result, marker, isWrite);
    return result;
  }

  async #watched(asking: Asking): Promise<void> {
    this.#underWay.add(asking);
    this.#window?.add(asking);
    await asking.run();
    this.#underWay.delete(asking);
    this.counts.tries += asking.tries;
    this.worst.answerMs = Math.max(this.worst.answerMs, performance.now() - asking.began);
  }

  #resultOf({ answer, doubts, op, server }: Asking): Result {
    if (answer === null) return { kind: "unknown" };
    // It was done before, by a try that was refused a connection or told that nothing was done.
    if (answer.headers.get("idempotency-replayed") === "true" && doubts.length === 0) {
      this.#report(`${op.kind} was carried out by a try that was told it was not`);
    }
    const { body, status } = answer;
    if (status >= 200 && status < 300) {
      if (op.kind === "list") return { kind: "ok", objects: body };
      return { kind: "ok", object: status === 204 ? null : body };
    }
    if (!REJECTIONS.includes(body.code)) {
      const what = `${status} ${JSON.stringify(body)}`;
      this.#report(`node ${server} answered ${op.kind} with ${what}`);
      return { kind: "unknown" };
    }
    return { kind: "rejected", code: body.code, detail: body };
  }

  #note(op: Operation, result: Result, marker: string, isWrite: boolean): void {
    if (result.kind === "unknown" || result.kind === "none") this.counts.unknown += 1;
    else if (result.kind === "rejected") this.counts.refused += 1;
    else this.counts.ok += 1;
    if (result.kind !== "ok") return;
    if (isWrite) {
      const now = performance.now();
      this.worst.writesMs = Math.max(this.worst.writesMs, now - this.#lastWriteAt);
      this.#lastWriteAt = now;
      this.writes += 1;
    }
    if (!("object" in result) || result.object === null) return;
    const collection = collectionOf(op);
    const { id, version } = result.object as Seen;
    const known = this.#known[collection];
    const others = known.filter((one) => one.id !== id);
    this.#known[collection] = [...others, { id, version }].slice(-REMEMBERED);
    if (op.kind.startsWith("create-")) this.kept.push({ collection, id, marker });
  }

  // --- What is asked

  #draw(random: SimRandom, marker: string): Operation {
    const { filaments, print_jobs: jobs, printers } = this.#known;
    const roll = random.unit();
    if (printers.length < 3 || roll < 0.04) return this.#createPrinter(random, marker);
    if (filaments.length < 3 || roll < 0.1) return this.#createFilament(random, marker);
    if (jobs.length < 3 || roll < 0.34) {
      return {
        kind: "create-job",
        id: drawId(random, jobs, marker),
        printer_id: random.pick(printers).id,
        filament_id: random.pick(filaments).id,
        filepath: marker.padEnd(random.below(this.#paddingMax + 1), "."),
        print_weight_in_grams: random.between(1, 400),
      };
    }
    if (roll < 0.6) {
      const { id, version } = random.pick(jobs);
      const to: JobStatus = random.pick(["Running", "Running", "Done", "Done", "Canceled"]);
      return {
        kind: "change-job-status",
        key: String(id),
        expected: drawExpected(random, version),
        to,
      };
    }
    if (roll < 0.7) return drawChange(random, printers, filaments, marker);
    const collection = random.pick<Collection>(["printers", "filaments", "print_jobs"]);
    if (roll < 0.9) {
      return { kind: "get", collection, key: String(random.pick(this.#known[collection]).id) };
    }
    if (random.chance(0.5)) return { kind: "list", collection };
    const filament_id = random.pick(filaments).id;
    return { kind: "list", collection: "print_jobs", filament_id };
  }

  #createPrinter(random: SimRandom, marker: string): Operation {
    const id = drawId(random, this.#known.printers, marker);
    return { kind: "create-printer", id, company: marker, model: "MK4" };
  }

  #createFilament(random: SimRandom, marker: string): Operation {
    return {
      kind: "create-filament",
      id: drawId(random, this.#known.filaments, marker),
      type: random.pick(["PLA", "PETG", "ABS", "TPU"]),
      color: marker,
      total_weight_in_grams: SPOOL_GRAMS,
      remaining_weight_in_grams: SPOOL_GRAMS,
    };
  }
}

/** Mostly the cluster's choice, sometimes the client's, seldom one that is taken. */
function drawId(random: SimRandom, known: readonly Seen[], marker: string): Id | null {
  if (random.chance(0.8)) return null;
  return known.length > 0 && random.chance(0.2) ? random.pick(known).id : `own-${marker}`;
}

/** Some say which version they have seen; it may be an old one. */
function drawExpected(random: SimRandom, version: number): readonly number[] | null {
  return random.chance(0.15) ? [version] : null;
}

function drawChange(
  random: SimRandom,
  printers: readonly Seen[],
  filaments: readonly Seen[],
  marker: string,
): Operation {
  const isPrinter = random.chance(0.6);
  const { id, version } = random.pick(isPrinter ? printers : filaments);
  const [key, expected] = [String(id), drawExpected(random, version)];
  if (random.chance(0.2)) {
    return { kind: isPrinter ? "delete-printer" : "delete-filament", key, expected };
  }
  // What says who created the object stays as it is.
  return isPrinter
    ? { kind: "update-printer", key, expected, changes: { model: marker } }
    : { kind: "update-filament", key, expected, changes: { type: random.pick(["PLA", "ABS"]) } };
}

const REJECTIONS: readonly RejectionCode[] = [
  "not_found",
  "unknown_reference",
  "duplicate_id",
  "transition_not_allowed",
  "not_enough_filament",
  "in_use",
  "version_mismatch",
];

function collectionOf(op: Operation): Collection {
  if ("collection" in op) return op.collection;
  if (op.kind.endsWith("-printer")) return "printers";
  return op.kind.endsWith("-filament") ? "filaments" : "print_jobs";
}
