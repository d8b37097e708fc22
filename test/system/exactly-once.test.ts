// One story: writes under Idempotency-Keys, and everything that happens to a cluster afterwards. Each test is
// a chapter; after each, every node must still know what it answered.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Write, attempt, eventLines, insist, metric } from "./client.ts";
import { type Answer, ProcessCluster, type ServerProcess, until } from "./process-cluster.ts";

let cluster: ProcessCluster;
/** What was answered at first, in order. */
const answered: { readonly write: Write; readonly answer: Answer }[] = [];
/** Everything that has happened, and the state that came of it. */
let events: readonly string[];

const PRINTERS = "/api/v1/printers";
const SPOOLS = "/api/v1/filaments";
const JOBS = "/api/v1/print_jobs";
const SPOOL = { type: "PLA", color: "red", total_weight_in_grams: 1000 };
const JOB = { printer_id: 1, filament_id: 1, filepath: "/a.gcode", print_weight_in_grams: 400 };

/** Each kind of write, and of refusal, with the status of its first answer. */
const WRITES: readonly (readonly [number, string, string, unknown?])[] = [
  [201, "POST", PRINTERS, { company: "a", model: "b" }],
  [201, "POST", PRINTERS, { company: "a", model: "gone" }],
  [201, "POST", SPOOLS, SPOOL],
  [201, "POST", JOBS, JOB],
  [200, "POST", `${JOBS}/1/status?status=running`],
  [200, "PUT", `${JOBS}/1/status`, { status: "done" }],
  [409, "POST", `${JOBS}/1/status`, { status: "canceled" }],
  [409, "POST", JOBS, { ...JOB, print_weight_in_grams: 601 }],
  [400, "POST", JOBS, { ...JOB, printer_id: "nobody" }],
  [200, "PATCH", `${PRINTERS}/1`, { model: "c" }],
  [204, "DELETE", `${PRINTERS}/2`],
  [404, "DELETE", `${PRINTERS}/2`],
];

beforeAll(async () => {
  cluster = await ProcessCluster.make(3, ["--snapshot-entries", "150", "--trailing-entries", "10"]);
  const leader = await cluster.start();
  for (const [at, [status, method, path, body]] of WRITES.entries()) {
    const write = { method, path, body, key: `once-${at}` };
    const answer = await attempt(leader, write);
    expect(answer?.status, `${method} ${path}`).toBe(status);
    expect(answer?.headers.get("idempotency-replayed")).toBeNull();
    answered.push({ write, answer: answer! });
  }
  await cluster.settled();
  events = (await eventLines(leader))!;
});
afterAll(() => cluster.dispose());

/** Everything again, at this node: the same answers, marked as such. */
async function expectRemembered(server: ServerProcess): Promise<void> {
  const asked = answered.map(({ write }) => attempt(server, write));
  for (const [at, again] of (await Promise.all(asked)).entries()) {
    const { answer, write } = answered[at]!;
    const what = `${write.method} ${write.path} at node ${server.id}`;
    expect(again?.status, what).toBe(answer.status);
    expect(again?.body, what).toEqual(answer.body);
    for (const name of ["etag", "location", "content-type"]) {
      expect(again?.headers.get(name), what).toBe(answer.headers.get(name));
    }
    expect(again?.headers.get("idempotency-replayed"), what).toBe("true");
  }
}

/** The keys in other requests: refused, whatever they ask for. */
async function expectReuseRefused(server: ServerProcess): Promise<void> {
  const other = { company: "a", model: "other" };
  const reuses = answered.flatMap(({ write }) => [
    { ...write, method: "POST", path: PRINTERS, body: other },
    { ...write, method: "DELETE", path: `${PRINTERS}/1`, body: undefined },
  ]);
  const [first] = answered;
  reuses.push({ ...first!.write, body: { company: "a", model: "B" } });
  for (const answer of await Promise.all(reuses.map((write) => attempt(server, write)))) {
    expect(answer?.status).toBe(422);
    expect(answer?.body.code).toBe("idempotency_key_reused");
  }
}

async function expectEverywhere(): Promise<void> {
  const before = await cluster.settled();
  for (const server of cluster.running) {
    await expectRemembered(server);
    await expectReuseRefused(server);
  }
  // Nothing of it has happened again.
  const after = await cluster.settled();
  expect(after.state_hash).toBe(before.state_hash);
  for (const server of cluster.running) {
    let found: readonly string[] | null = null;
    await until(`node ${server.id} has every event`, async () => {
      found = await eventLines(server);
      return found !== null;
    });
    expect(found).toEqual(events);
  }
  const leader = await cluster.leader();
  expect((await leader.get(`${PRINTERS}?limit=1`)).body).toMatchObject([{ id: 1, model: "c" }]);
  expect((await leader.get(SPOOLS)).body).toMatchObject([{ remaining_weight_in_grams: 600 }]);
}

describe("a write under an Idempotency-Key happens once, and its answer is known", () => {
  test("at every node, at once", async () => {
    await expectEverywhere();
  });

  test("after the leader was killed under many of them, at those who are left, and at the old leader when it is back", async () => {
    const leader = await cluster.leader();
    const writes = Array.from({ length: 100 }, (_, at): Write => {
      return {
        method: "POST",
        path: PRINTERS,
        body: { company: "x", model: `x${at}` },
        key: `x${at}`,
      };
    });
    // The leader dies when it has answered the first of them; the clients of the others ask on elsewhere.
    let lost = 0;
    const asked = writes.map((write) => insist(cluster, write, leader.id - 1, () => (lost += 1)));
    await Promise.race(asked);
    await leader.stop("SIGKILL");
    const answers = await Promise.all(asked);
    expect(lost).toBeGreaterThan(0);
    for (const [at, answer] of answers.entries()) {
      expect(answer.status).toBe(201);
      answered.push({ write: writes[at]!, answer });
    }
    const next = await cluster.leader();
    const printers = (await next.get(PRINTERS)).body as {
      company: string;
      model: string;
      id: number;
    }[];
    const made = printers
      .filter(({ company }) => company === "x")
      .map(({ id, model }) => `${id} ${model}`);
    const told = answers.map(({ body }) => `${body.id} ${body.model}`);
    expect(made.toSorted()).toEqual(told.toSorted());
    events = (await eventLines(next))!;
    await expectEverywhere();
    leader.start();
    await cluster.leader();
    await cluster.settled();
    await expectRemembered(leader);
  });

  test("after every node was killed at once, and again when only snapshots still know of it", async () => {
    await restartAll();
    await expectEverywhere();
    // The log moves on until on no node it reaches back to the writes.
    const leader = await cluster.leader();
    await until("every node has taken two more snapshots", async () => {
      const changes = Array.from({ length: 64 }, (_, at) =>
        leader.request("PATCH", `${PRINTERS}/1`, { company: `a${at}` }),
      );
      for (const { status } of await Promise.all(changes)) expect(status).toBe(200);
      const taken = await Promise.all(
        cluster.servers.map((server) => metric(server, "raft3d_snapshots_taken_total")),
      );
      return taken.every((count) => count >= 2);
    });
    await restartAll();
    for (const server of cluster.servers) {
      // What it started from lies behind all the writes.
      const starts = server.log.match(/"snapshot":(\d+),"last":\d+,.*"msg":"recovered"/g)!;
      const from = Number(/"snapshot":(\d+)/.exec(starts.at(-1)!)?.[1]);
      expect(from).toBeGreaterThan(JSON.parse(events.at(-1)!).index);
    }
    await cluster.settled();
    events = (await eventLines(await cluster.leader()))!;
    await expectEverywhere();
  });
});

async function restartAll(): Promise<void> {
  await Promise.all(cluster.servers.map((server) => server.stop("SIGKILL")));
  for (const server of cluster.servers) server.start();
  await cluster.leader();
}
