import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventLines, metric } from "./client.ts";
import { Load, modelsAt, wrongWith } from "./load.ts";
import { ProcessCluster, type ServerProcess, until } from "./process-cluster.ts";

let cluster: ProcessCluster;
let leader: ServerProcess;
/** The node that is away. */
let away: ServerProcess;

beforeAll(async () => {
  const entries = [
    "--snapshot-entries",
    `${SNAPSHOT_ENTRIES}`,
    "--trailing-entries",
    `${TRAILING_ENTRIES}`,
  ];
  cluster = await ProcessCluster.make(3, entries);
  leader = await cluster.start();
  away = cluster.servers.find((server) => server !== leader)!;
  expect((await leader.post("/api/v1/printers", OTHER)).status).toBe(201);
});
afterAll(() => cluster.dispose());

const SNAPSHOT_ENTRIES = 150;
const TRAILING_ENTRIES = 20;
const SNAPSHOTS_INSTALLED = "raft3d_snapshots_installed_total";

/** A printer beside those of the load, to be changed again and again. */
const OTHER = { id: "other", company: "x", model: "other" };

/** Of the leader's snapshots, as its log has them. */
function snapshotIndexes(): readonly number[] {
  const lines = leader.log.slice(0, leader.log.lastIndexOf("\n")).split("\n");
  return lines
    .filter((line) => line.includes('"msg":"snapshot taken"'))
    .map((line) => (JSON.parse(line) as { readonly index: number }).index);
}

/** More than a node that was killed may have had without the leader's knowing that it is committed. */
const UNTOLD_ENTRIES = 500;

/** Changes things, beside the load, until the leader's log no longer reaches back to where it is now. */
async function logMovesOn(): Promise<void> {
  const { commit_index: there } = (await leader.status())!;
  await until("the log no longer reaches back", async () => {
    const changes = Array.from({ length: 64 }, () =>
      leader.request("PATCH", "/api/v1/printers/other", { company: "y" }),
    );
    for (const { status } of await Promise.all(changes)) expect(status).toBe(200);
    const [before = 0, newest = 0] = snapshotIndexes().slice(-2);
    // For a second after the kill the leader keeps for the node what it keeps for a slow one (compaction.ts).
    const kept = Math.max(4 * SNAPSHOT_ENTRIES, 2 * (newest - before)) + TRAILING_ENTRIES;
    return newest - kept > there + UNTOLD_ENTRIES;
  });
}

/** Waits until the leader is taking no snapshot, and has no reason to take another (compaction.ts). */
async function noSnapshotUnderWay(): Promise<void> {
  const lists = await Promise.all(
    ["printers", "filaments", "print_jobs"].map((list) => leader.get(`/api/v1/${list}`)),
  );
  const objects = lists.reduce((sum, { body }) => sum + (body as unknown[]).length, 0);
  await until("the leader's newest snapshot has what there is", async () => {
    const index = snapshotIndexes().at(-1)!;
    const since = (await leader.status())!.applied_index - index;
    return since < Math.max(SNAPSHOT_ENTRIES, objects / 50);
  });
}

/** Every node by itself holds what the load was told. */
async function expectAllOf(load: Load, name: string): Promise<void> {
  for (const server of cluster.servers) {
    const models = await modelsAt(server, "stale");
    const own = [...models].filter(([model]) => model.startsWith(`${name}-`));
    expect(wrongWith(load, new Map(own))).toEqual([]);
  }
}

/** Waits until the node has applied what the leader has committed by now. */
async function caughtUp(): Promise<void> {
  const goal = (await leader.status())!.commit_index;
  await until("the node has caught up", async () => {
    return ((await away.status())?.applied_index ?? 0) >= goal;
  });
}

/** Keeps what every node says of its state at each index it is seen at, and what does not agree. */
class HashWatch {
  readonly contradictions: string[] = [];
  readonly #hashes = new Map<number, string>();
  #compared = 0;
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(of: ProcessCluster) {
    this.#running = Promise.all(of.servers.map((server) => this.#watch(server)));
  }

  async #watch(server: ServerProcess): Promise<void> {
    while (!this.#stopped) {
      const status = server.isRunning ? await server.status() : null;
      if (status !== null) this.#note(server, status.applied_index, status.state_hash);
      await new Promise((go) => setTimeout(go, 20));
    }
  }

  #note(server: ServerProcess, index: number, hash: string): void {
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, hash);
    else if (known === hash) this.#compared += 1;
    else this.contradictions.push(`node ${server.id} at ${index}: ${hash}, not ${known}`);
  }

  /** How many states could be compared with another at the same index. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#running;
    return this.#compared;
  }
}

/** The event log of every node, from the first event on, is the leader's. */
async function expectSameEvents(): Promise<void> {
  const wanted = await eventLines(leader);
  expect(wanted).not.toBeNull();
  for (const server of cluster.servers) {
    let lines: readonly string[] | null = null;
    await until(`node ${server.id} has every event`, async () => {
      lines = await eventLines(server);
      return lines !== null;
    });
    expect(lines).toEqual(wanted);
  }
}

describe("a node that was away for longer than the log reaches back", () => {
  test("catches up by a snapshot while writes go on, and then holds the same state and history", async () => {
    const watch = new HashWatch(cluster);
    const load = new Load(cluster, "away", 6);
    await until("some writes are acknowledged", () => load.acknowledged.length > 100);
    await away.stop("SIGKILL");
    await logMovesOn();
    const before = load.acknowledged.length;
    away.start();
    await until("a snapshot is installed", async () => {
      return (await away.status()) !== null && (await metric(away, SNAPSHOTS_INSTALLED)) >= 1;
    });
    await caughtUp();
    expect(load.acknowledged.length).toBeGreaterThan(before);
    await load.stop();
    const { commit_index: commit } = await cluster.settled();
    expect(await watch.stop()).toBeGreaterThan(0);
    expect(watch.contradictions).toEqual([]);
    const { members } = (await (await cluster.leader()).get("/api/v1/cluster")).body;
    expect(members).toMatchObject([1, 2, 3].map((id) => ({ id, lag: 0, match_index: commit })));
    await expectAllOf(load, "away");
    expect(away.log).toContain("state replaced by a snapshot from the leader");
    await expectSameEvents();
    const created = (await eventLines(away))!.filter((line) => line.includes('"printer.created"'));
    expect(created.length).toBe((await modelsAt(leader, "stale")).size);
  });

  test("is killed again and again in the middle of catching up, and gets there all the same", async () => {
    const before = await eventLines(away);
    await heavyFarm(leader);
    await away.stop("SIGKILL");
    const load = new Load(cluster, "again", 4);
    let [interrupted, rounds] = [0, 0];
    let isBehind = false;
    while (interrupted < 2) {
      expect(rounds++).toBeLessThan(20);
      if (!isBehind) await logMovesOn();
      const [begun, done] = [times(away, RECEIVING), times(away, REPLACED)];
      away.start();
      await until("a snapshot is on its way", () => times(away, RECEIVING) > begun);
      await away.stop("SIGKILL");
      // Where the kill came too late it has to fall behind again.
      isBehind = times(away, REPLACED) === done;
      if (isBehind) interrupted += 1;
    }
    // And once behind the snapshot, where the entries and events that follow it are on their way.
    const done = times(away, REPLACED);
    away.start();
    await until("a snapshot is installed", () => times(away, REPLACED) > done);
    await away.stop("SIGKILL");
    away.start();
    await cluster.leader();
    await caughtUp();
    await load.stop();
    await cluster.settled();
    await expectAllOf(load, "again");
    const jobs = (await leader.get("/api/v1/print_jobs")).body;
    expect((await away.get("/api/v1/print_jobs?consistency=stale")).body).toEqual(jobs);
    await expectSameEvents();
    expect((await eventLines(away))!.slice(0, before!.length)).toEqual(before);
    // No half of a snapshot stays behind.
    const left = readdirSync(join(away.data, "snapshots")).filter(
      (name) => !name.endsWith(".snap"),
    );
    expect(left).toEqual([]);
    expect(existsSync(join(away.data, "events", "fill.tmp"))).toBe(false);
  });
});

describe("a leader whose snapshot is spoilt on the disk", () => {
  test("takes a new one, and the node that waits for it catches up", async () => {
    leader = await cluster.leader();
    away = cluster.servers.find((server) => server !== leader)!;
    await away.stop("SIGKILL");
    await logMovesOn();
    await noSnapshotUnderWay(); // else a sound one would follow those that are spoilt here
    for (const name of snapshotsOf(leader)) flipMiddle(join(leader.data, "snapshots", name));
    away.start();
    // Nobody writes: nothing but the lost file itself makes the leader take another one.
    await caughtUp();
    expect(leader.log).toContain("a snapshot cannot be read: a new one is taken");
    await cluster.settled();
    await expectSameEvents();
    expect((await away.get("/readyz")).status).toBe(200);
  });
});

function snapshotsOf(server: ServerProcess): readonly string[] {
  return readdirSync(join(server.data, "snapshots")).filter((name) => name.endsWith(".snap"));
}

function flipMiddle(file: string): void {
  const bytes = readFileSync(file);
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}

const RECEIVING = '"msg":"receiving a snapshot"';
const REPLACED = '"msg":"state replaced by a snapshot from the leader"';

function times(server: ServerProcess, what: string): number {
  return server.log.split(what).length - 1;
}

/** A farm whose snapshot is megabytes, so that sending it takes a while. */
async function heavyFarm(server: ServerProcess): Promise<void> {
  const spool = { type: "PLA", color: "red", total_weight_in_grams: 1000 };
  expect((await server.post("/api/v1/filaments", spool)).status).toBe(201);
  const job = { printer_id: OTHER.id, filament_id: 1, print_weight_in_grams: 1 };
  const filepath = "💡".repeat(4096);
  for (let batch = 0; batch < 10; batch++) {
    const posts = Array.from({ length: 40 }, () =>
      server.post("/api/v1/print_jobs", { ...job, filepath }),
    );
    for (const { status } of await Promise.all(posts)) expect(status).toBe(201);
  }
}
