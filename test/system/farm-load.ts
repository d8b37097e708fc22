// Clients that do everything a print shop does: create, change and delete, and take jobs through their
// lives. Each has objects of its own, so what every answer must be is known, whatever fails meanwhile.

import { insist } from "./client.ts";
import type { ProcessCluster } from "./process-cluster.ts";

interface Step {
  readonly write: readonly [method: string, path: string, body?: unknown];
  readonly status: number;
}

export class FarmLoad {
  /** Rounds that were gone through to their end. */
  rounds = 0;
  /** Answers that no correct cluster gives to these requests. */
  readonly unexpected: string[] = [];
  readonly #cluster: ProcessCluster;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(cluster: ProcessCluster, clients: number) {
    this.#cluster = cluster;
    this.#running = Promise.all(Array.from({ length: clients }, (_, at) => this.#client(at)));
  }

  async #client(at: number): Promise<void> {
    for (let round = 0; !this.#stopped; round++) {
      for (const [step, { status, write }] of roundOf(`${at}-${round}`).entries()) {
        const [method, path, body] = write;
        const key = `farm-${at}-${round}-${step}`;
        const answer = await insist(this.#cluster, { method, path, body, key }, at + step);
        if (answer.status === status) continue;
        const got = `${answer.status} ${JSON.stringify(answer.body)}`;
        this.unexpected.push(`${method} ${path}: ${got}, not ${status}`);
      }
      this.rounds += 1;
    }
  }

  /** Lets every client finish its round. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

/** One client's round. What stays: a printer, a spool of 700 g, and four jobs, two of them done. */
function roundOf(name: string): readonly Step[] {
  const printers = "/api/v1/printers";
  const spools = "/api/v1/filaments";
  const jobs = "/api/v1/print_jobs";
  const spool = { type: "petg", color: "rot", total_weight_in_grams: 1000 };
  const job = (id: string, weight: number): Step["write"] => {
    const of = { printer_id: `p-${name}`, filament_id: `f-${name}`, filepath: `/${id}.gcode` };
    return ["POST", jobs, { ...of, id: `${id}-${name}`, print_weight_in_grams: weight }];
  };
  const move = (id: string, status: string): Step["write"] => {
    return ["PUT", `${jobs}/${id}-${name}/status?status=${status}`];
  };
  const step = (status: number, ...write: Step["write"]): Step => ({ write, status });
  return [
    step(201, "POST", printers, { id: `p-${name}`, company: "a", model: name }),
    step(201, "POST", printers, { id: `gone-${name}`, company: "a", model: name }),
    step(201, "POST", spools, { ...spool, id: `f-${name}` }),
    step(201, "POST", spools, { ...spool, id: `gone-${name}`, remaining_weight_in_grams: 5 }),
    step(201, ...job("a", 100)),
    step(201, ...job("b", 200)),
    step(201, ...job("c", 300)),
    step(409, ...job("too-much", 401)),
    step(200, ...move("a", "running")),
    step(200, ...move("b", "running")),
    step(200, "PATCH", `${spools}/f-${name}`, { color: "grün" }),
    step(200, ...move("a", "done")),
    step(200, ...move("c", "cancelled")),
    step(409, ...move("c", "running")),
    step(201, ...job("d", 700)),
    step(409, "PATCH", `${spools}/f-${name}`, { remaining_weight_in_grams: 1 }),
    step(200, ...move("b", "done")),
    step(409, "DELETE", `${printers}/p-${name}`),
    step(200, "PATCH", `${printers}/p-${name}`, { company: "b" }),
    step(204, "DELETE", `${printers}/gone-${name}`),
    step(204, "DELETE", `${spools}/gone-${name}`),
    step(404, "DELETE", `${spools}/gone-${name}`),
  ];
}
