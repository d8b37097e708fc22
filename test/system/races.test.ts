// Many clients at once, at every node. One cluster for all of it: each test has printers, spools and keys of
// its own, and nothing fails here but what the rules refuse.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventLines } from "./client.ts";
import { type Answer, ProcessCluster, type ServerProcess } from "./process-cluster.ts";

let cluster: ProcessCluster;
beforeAll(async () => {
  cluster = await ProcessCluster.make(3);
  const leader = await cluster.start();
  await created(leader, "/api/v1/printers", { id: "p", company: "races", model: "p" });
});
afterAll(() => cluster.dispose());

const JOB = {
  printer_id: "p",
  filament_id: "same",
  filepath: "/same.gcode",
  print_weight_in_grams: 1,
};

interface Job {
  readonly id: number;
  readonly status: "Queued" | "Running" | "Done" | "Canceled";
  readonly print_weight_in_grams: number;
}

async function created(server: ServerProcess, path: string, body: unknown): Promise<void> {
  const answer = await server.post(path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

/** A new spool that every node knows of. */
async function spool(id: string, total: number): Promise<void> {
  const body = { id, type: "PLA", color: "red", total_weight_in_grams: total };
  await created(cluster.server(1), "/api/v1/filaments", body);
  await cluster.settled();
}

/** The nodes in turn. */
function node(at: number): ServerProcess {
  return cluster.server((at % cluster.servers.length) + 1);
}

function job(at: number, filament: string, weight: number, id?: string): Promise<Answer> {
  return node(at).post("/api/v1/print_jobs", {
    ...(id === undefined ? {} : { id }),
    printer_id: "p",
    filament_id: filament,
    filepath: "/races.gcode",
    print_weight_in_grams: weight,
  });
}

function move(at: number, id: string | number, status: string): Promise<Answer> {
  return node(at).request("POST", `/api/v1/print_jobs/${id}/status?status=${status}`);
}

const CHANGES: ReadonlyMap<string, Job["status"]> = new Map([
  ["print_job.running", "Running"],
  ["print_job.done", "Done"],
  ["print_job.canceled", "Canceled"],
]);

/** Every way that a job may have gone when somebody started and somebody cancelled it. */
const WAYS = [
  ["Queued to Running", "Running to Done"],
  ["Queued to Running", "Running to Canceled"],
  ["Queued to Canceled"],
];

/** All at the same time, `of` them; what each came to. */
function atOnce(of: number, run: (at: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: of }, (_, at) => run(at)));
}

function sum(jobs: readonly Job[], ...statuses: readonly Job["status"][]): number {
  const counted = jobs.filter(({ status }) => statuses.includes(status));
  return counted.reduce((grams, { print_weight_in_grams: weight }) => grams + weight, 0);
}

async function jobsOn(server: ServerProcess, filament: string, query = ""): Promise<Job[]> {
  const answer = await server.get(`/api/v1/print_jobs?filament_id=${filament}${query}`);
  expect(answer.status).toBe(200);
  return answer.body;
}

/** How often each status and code was answered. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { body, status } of answers) {
    const what = status < 300 ? String(status) : `${status} ${body.code}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

/** Reads a spool and its jobs at every node, over and over, and keeps what must not be. */
class SpoolWatch {
  readonly wrong: string[] = [];
  reads = 0;
  readonly #id: string;
  readonly #total: number;
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(id: string, total: number) {
    this.#id = id;
    this.#total = total;
    const queries = ["", "&consistency=stale"];
    const readers = cluster.servers.flatMap((server) =>
      queries.map((query) => ({ server, query })),
    );
    this.#running = Promise.all(
      readers.map(({ server, query }) =>
        this.#read(server, query).catch((error: unknown) => this.wrong.push(String(error))),
      ),
    );
  }

  async #read(server: ServerProcess, query: string): Promise<void> {
    while (!this.#stopped) {
      const path = `/api/v1/filaments/${this.#id}${query.replace("&", "?")}`;
      const { body, status } = await server.get(path);
      const jobs = await jobsOn(server, this.#id, query);
      this.reads += 1;
      // The order in which the stale reads of a node are answered is that of its log.
      const { remaining_weight_in_grams: remaining, reserved_weight_in_grams: reserved } = body;
      const active = sum(jobs, "Queued", "Running");
      const used = active + sum(jobs, "Done");
      const facts = `node ${server.id}${query}: ${JSON.stringify(body)}, ${active} active, ${used} used`;
      if (status !== 200 || !(reserved <= remaining)) this.wrong.push(facts);
      if (body.available_weight_in_grams !== remaining - reserved) this.wrong.push(facts);
      // What remains only falls, by what is done: the jobs read later fit into what was read before.
      if (active > remaining || used > this.#total) this.wrong.push(facts);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

describe("many clients want the last of one spool", () => {
  test("of a hundred equal jobs at once exactly as many are taken as fit", async () => {
    await spool("equal", 1000);
    const watch = new SpoolWatch("equal", 1000);
    const answers = await atOnce(100, (at) => job(at, "equal", 70));
    await watch.stop();
    expect(tally(answers)).toEqual({ "201": 14, "409 not_enough_filament": 86 });
    expect(watch.wrong).toEqual([]);
    expect(watch.reads).toBeGreaterThan(0);
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      // Each says by which numbers it was refused, and those are right.
      expect(body.remaining).toBe(1000);
      expect(body.available).toBe(1000 - body.reserved);
      expect(body.asked).toBeGreaterThan(body.available);
    }
    for (const server of cluster.servers) {
      expect(await jobsOn(server, "equal")).toHaveLength(14);
      expect((await server.get("/api/v1/filaments/equal")).body).toMatchObject({
        remaining_weight_in_grams: 1000,
        reserved_weight_in_grams: 980,
        available_weight_in_grams: 20,
      });
    }
  });

  test("while others start, finish and cancel theirs, no gram is promised twice or lost", async () => {
    await spool("mixed", 2000);
    const watch = new SpoolWatch("mixed", 2000);
    const refused: number[] = [];
    const life = async (at: number): Promise<void> => {
      for (let round = 0; round < 4; round++) {
        const weight = 40 + ((at * 37 + round * 61) % 160);
        const answer = await job(at + round, "mixed", weight);
        if (answer.status !== 201) {
          expect(answer.body.code).toBe("not_enough_filament");
          refused.push(weight);
          continue;
        }
        const { id } = answer.body;
        const fate = (at + round) % 4;
        if (fate === 0) expect((await move(at, id, "canceled")).status).toBe(200);
        if (fate >= 2) expect((await move(at + 1, id, "running")).status).toBe(200);
        if (fate === 3) expect((await move(at + 2, id, "done")).status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 24 }, (_, at) => life(at)));
    await watch.stop();
    expect(watch.wrong).toEqual([]);
    await cluster.settled();
    for (const server of cluster.servers) {
      const jobs = await jobsOn(server, "mixed");
      const { body } = await server.get("/api/v1/filaments/mixed");
      expect(body.remaining_weight_in_grams).toBe(2000 - sum(jobs, "Done"));
      expect(body.reserved_weight_in_grams).toBe(sum(jobs, "Queued", "Running"));
      expect(body.reserved_weight_in_grams).toBeLessThanOrEqual(body.remaining_weight_in_grams);
    }
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe("many clients move one job", () => {
  test("of thirty that report it done at once one is told so, and the spool pays once", async () => {
    await spool("once", 500);
    const { id } = (await job(0, "once", 120)).body;
    expect((await move(0, id, "running")).status).toBe(200);
    const answers = await atOnce(30, (at) => move(at, id, "done"));
    expect(tally(answers)).toEqual({ "200": 1, "409 transition_not_allowed": 29 });
    for (const { body } of answers.filter(({ status }) => status === 409)) {
      expect(body).toMatchObject({ from: "Done", to: "Done", allowed: [] });
    }
    for (const server of cluster.servers) {
      expect((await server.get("/api/v1/filaments/once")).body).toMatchObject({
        remaining_weight_in_grams: 380,
        reserved_weight_in_grams: 0,
      });
    }
  });

  test("start, finish and cancel at once: each job goes one of the allowed ways, and every answer was true", async () => {
    await spool("ways", 1000);
    const ids = Array.from({ length: 16 }, (_, n) => `ways-${n}`);
    for (const [at, id] of ids.entries()) expect((await job(at, "ways", 50, id)).status).toBe(201);
    const asked = ["running", "done", "canceled", "running", "done", "canceled", "done", "queued"];
    const races = ids.map(async (id, race) => {
      const answers = await atOnce(asked.length, (at) => {
        // Each race has another order, so that not always the first request wins.
        const status = asked[(at + race) % asked.length] ?? "";
        return move(at + race, id, status);
      });
      return answers.filter(({ status }) => status === 200).map(({ body }) => body.status);
    });
    const told = await Promise.all(races);
    await cluster.settled();
    const events = (await eventLines(cluster.server(2)))!.map((line) => JSON.parse(line));
    for (const [at, id] of ids.entries()) {
      const changes = events.filter(({ data, type }) => data.id === id && CHANGES.has(type));
      const way = changes.map(({ data, type }) => `${data.from} to ${CHANGES.get(type)}`);
      expect(WAYS).toContainEqual(way);
      // One answer of success for each change, and no other.
      const became = changes.map(({ type }) => String(CHANGES.get(type)));
      expect(told[at]?.toSorted()).toEqual(became.toSorted());
    }
    for (const server of cluster.servers) {
      const jobs = await jobsOn(server, "ways");
      const { body } = await server.get("/api/v1/filaments/ways");
      expect(body.remaining_weight_in_grams).toBe(1000 - sum(jobs, "Done"));
      expect(body.reserved_weight_in_grams).toBe(sum(jobs, "Queued", "Running"));
    }
  });
});

describe("many clients say the same thing", () => {
  test("of those who create an object under one id at once exactly one does", async () => {
    // 77 and "77" are the same id.
    const kinds = [
      ["/api/v1/printers", { company: "c", model: "m" }],
      ["/api/v1/filaments", { type: "ABS", color: "blue", total_weight_in_grams: 10 }],
      ["/api/v1/print_jobs", JOB],
    ] as const;
    await spool("same", 1000);
    for (const [path, body] of kinds) {
      const { headers } = await cluster.server(1).get(path);
      const before = Number(headers.get("x-total-count"));
      const answers = await atOnce(30, (at) =>
        node(at).post(path, { ...body, id: at % 2 === 0 ? 77 : "77" }),
      );
      expect(tally(answers)).toEqual({ "201": 1, "409 duplicate_id": 29 });
      const [winner] = answers.filter(({ status }) => status === 201);
      for (const server of cluster.servers) {
        const found = await server.get(`${path}/77`);
        expect(found.body).toEqual(winner?.body);
        const list = await server.get(path);
        expect(list.headers.get("x-total-count")).toBe(String(before + 1));
      }
    }
  });

  test("one Idempotency-Key sent to all nodes at once has one effect, and everybody gets the same answer", async () => {
    await spool("keyed", 1000);
    const { id } = (await job(0, "keyed", 100)).body;
    const writes = [
      ["POST", "/api/v1/printers", { company: "k", model: "k" }, 201],
      ["POST", "/api/v1/print_jobs", { ...JOB, filament_id: "keyed" }, 201],
      ["POST", `/api/v1/print_jobs/${id}/status`, { status: "running" }, 200],
      ["POST", `/api/v1/print_jobs/${id}/status`, { status: "done" }, 200],
      ["PATCH", "/api/v1/filaments/keyed", { color: "green" }, 200],
      ["POST", "/api/v1/print_jobs", { ...JOB, print_weight_in_grams: 5000 }, 409],
      ["DELETE", "/api/v1/filaments/keyed", undefined, 409],
    ] as const;
    for (const [at, [method, path, body, status]] of writes.entries()) {
      const before = (await eventLines(cluster.server(1)))!.length;
      const headers = { "idempotency-key": `races-${at}` };
      const answers = await atOnce(24, (n) => node(n).request(method, path, body, headers));
      const first = answers.filter((one) => one.headers.get("idempotency-replayed") === null);
      expect(first).toHaveLength(1);
      for (const answer of answers) {
        expect(answer.status).toBe(status);
        expect(answer.body).toEqual(first[0]?.body);
        expect(answer.headers.get("etag")).toBe(first[0]?.headers.get("etag"));
        expect(answer.headers.get("location")).toBe(first[0]?.headers.get("location"));
      }
      await cluster.settled();
      for (const server of cluster.servers) {
        const events = (await eventLines(server))!.length;
        expect(events - before).toBe(status < 300 ? 1 : 0);
      }
    }
    expect((await node(0).get("/api/v1/filaments/keyed")).body).toMatchObject({
      color: "green",
      remaining_weight_in_grams: 900,
      reserved_weight_in_grams: 1,
    });
  });
});
