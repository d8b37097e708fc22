// One request over all its tries. This is the rule of docs/operations.md, "Asking again", and nothing beside
// it: what a round shows of its clients holds for everybody who keeps to that page, and for nobody else. Who
// changes one of the two changes the other, and src/cli/client/client.ts.

import type { Operation } from "../../src/sim/history.ts";
import type { Answer, ServerProcess } from "../system/process-cluster.ts";
import { formOf } from "./http-form.ts";

/** Nothing was done. */
const NOT_DONE: readonly number[] = [408, 429, 503];
/** It may have been done. */
const UNKNOWN = 504;
/** Before the same node is asked again, where it does not say how long. */
const REST_MS = 250;

/** Why a try does not tell whether the request was carried out. */
export type Doubt = "the connection broke" | "no answer in time" | "answered 504";

export interface Manner {
  readonly servers: readonly ServerProcess[];
  /** Which of them is asked first. */
  readonly first: number;
  /** How long one try may take. */
  readonly patienceMs: number;
  /** The bound of the whole request: how long to go on is the client's choice. */
  readonly hasGivenUp: () => boolean;
}

export class Asking {
  readonly op: Operation;
  readonly key: string | null;
  readonly began = performance.now();
  /** Null while it is under way. */
  ended: number | null = null;
  /** The answer that decides; null behind the end: the outcome is not known. */
  answer: Answer | null = null;
  /** Who gave the answer. */
  server = 0;
  tries = 0;
  /** What the tries that may have arrived came to, but for the one that was answered. */
  readonly doubts: Doubt[] = [];
  readonly #manner: Manner;
  /** When which server may be asked again. */
  readonly #rests = new Map<ServerProcess, number>();

  constructor(op: Operation, key: string | null, manner: Manner) {
    this.op = op;
    this.key = key;
    this.#manner = manner;
  }

  get isWrite(): boolean {
    return this.op.kind !== "get" && this.op.kind !== "list";
  }

  /** Resolves when it has ended; it never rejects for what nodes and networks do. */
  async run(): Promise<void> {
    const { servers, first, hasGivenUp } = this.#manner;
    for (let at = first; !hasGivenUp() && this.#mayBeTried(); at++) {
      const server = servers[at % servers.length]!;
      await this.#rested(server);
      if (hasGivenUp()) break;
      if (await this.#try(server)) break;
    }
    this.ended = performance.now();
  }

  /** A read changes nothing, and a key makes a write happen once. Without a key: look first. */
  #mayBeTried(): boolean {
    return !this.isWrite || this.key !== null || this.doubts.length === 0;
  }

  async #rested(server: ServerProcess): Promise<void> {
    const restMs = (this.#rests.get(server) ?? 0) - performance.now();
    if (restMs > 0) await pause(restMs);
  }

  /** True: that was the answer. */
  async #try(server: ServerProcess): Promise<boolean> {
    this.tries += 1;
    const told = await attempt(server, this.op, this.key, this.#manner.patienceMs);
    this.#rests.set(server, performance.now() + restMsOf(told));
    if (told instanceof Error) {
      if (!wasNotSent(told)) this.doubts.push(doubtOf(told));
      return false;
    }
    if (NOT_DONE.includes(told.status)) return false;
    if (told.status === UNKNOWN) {
      this.doubts.push("answered 504");
      return false;
    }
    this.answer = told;
    this.server = server.id;
    return true;
  }
}

/** Once, whatever comes of it. */
export async function attempt(
  server: ServerProcess,
  op: Operation,
  key: string | null,
  patienceMs: number,
): Promise<Answer | Error> {
  const { body, headers, method, path } = formOf(op);
  const all = key === null ? headers : { ...headers, "idempotency-key": key };
  try {
    return await server.request(method, path, body, all, AbortSignal.timeout(patienceMs));
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

function restMsOf(told: Answer | Error): number {
  if (told instanceof Error) return REST_MS;
  return Math.max(REST_MS, Number(told.headers.get("retry-after") ?? 0) * 1000);
}

/** The connection was not made (refused, or reset before it stood), so the request never left. */
function wasNotSent({ cause }: Error): boolean {
  return cause instanceof Error && (cause as NodeJS.ErrnoException).syscall === "connect";
}

function doubtOf(error: Error): Doubt {
  return error.name === "TimeoutError" ? "no answer in time" : "the connection broke";
}

export function pause(ms: number): Promise<void> {
  return new Promise((go) => setTimeout(go, ms));
}
