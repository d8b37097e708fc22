import { afterEach, describe, expect, test } from "vitest";
import { Load, modelsAt, wrongWith } from "./load.ts";
import { ProcessCluster, until } from "./process-cluster.ts";

let cluster: ProcessCluster;
afterEach(() => cluster.dispose());

describe("machines that fail", () => {
  test("three nodes: the leader is killed under load, nothing acknowledged is lost or doubled, and it comes back", async () => {
    cluster = await ProcessCluster.make(3);
    const old = await cluster.start();
    const load = new Load(cluster, "kill", 8);
    await until("some writes are acknowledged", () => load.acknowledged.length > 100);
    const { term } = (await old.status())!;
    await old.stop("SIGKILL");
    const before = load.acknowledged.length;
    const next = await cluster.leader();
    expect(next.id).not.toBe(old.id);
    expect((await next.status())!.term).toBeGreaterThan(term);
    await until("writes flow again", () => load.acknowledged.length > before + 100);
    await load.stop();
    for (const server of cluster.running) {
      expect(wrongWith(load, await modelsAt(server, "linearizable"))).toEqual([]);
    }
    old.start();
    await cluster.leader();
    const settled = await cluster.settled();
    expect(settled.state_hash).toMatch(/^[0-9a-f]{16}$/);
    expect(wrongWith(load, await modelsAt(old, "stale"))).toEqual([]);
  });

  test("five nodes go on with two dead", async () => {
    cluster = await ProcessCluster.make(5);
    const leader = await cluster.start();
    const load = new Load(cluster, "five", 4);
    await until("some writes are acknowledged", () => load.acknowledged.length > 50);
    const other = cluster.servers.find((server) => server !== leader)!;
    await Promise.all([leader.stop("SIGKILL"), other.stop("SIGKILL")]);
    await cluster.leader();
    const before = load.acknowledged.length;
    await until("writes flow again", () => load.acknowledged.length > before + 50);
    await load.stop();
    for (const server of cluster.running) {
      expect(wrongWith(load, await modelsAt(server, "linearizable"))).toEqual([]);
    }
  });

  test("with a majority dead, writes and linearizable reads get 503, stale reads still answer", async () => {
    cluster = await ProcessCluster.make(3, ["--leader-wait-ms", "1000"]);
    const leader = await cluster.start();
    const created = await leader.post("/api/v1/printers", { company: "a", model: "b" });
    expect(created.status).toBe(201);
    await cluster.settled();
    const [survivor, ...others] = cluster.servers.filter((server) => server !== leader);
    await Promise.all([leader, ...others].map((server) => server.stop("SIGKILL")));
    const write = await survivor!.post("/api/v1/printers", { company: "a", model: "c" });
    expect(write.status).toBe(503);
    expect(write.body.code).toBe("no_leader");
    expect(write.headers.get("retry-after")).not.toBeNull();
    const read = await survivor!.get("/api/v1/printers");
    expect(read.status).toBe(503);
    const stale = await survivor!.get("/api/v1/printers?consistency=stale");
    expect(stale.status).toBe(200);
    expect(stale.body).toMatchObject([{ id: 1, model: "b" }]);
    expect(Number(stale.headers.get("raft3d-last-contact-ms"))).toBeGreaterThan(0);
    expect((await survivor!.get("/livez")).status).toBe(200);
    expect((await survivor!.get("/readyz")).status).toBe(503);
    expect((await survivor!.get("/api/v1/cluster")).body.leader_id).toBeNull();
    for (const server of others) server.start();
    await cluster.leader();
    expect((await survivor!.get("/api/v1/printers")).body).toMatchObject([{ id: 1, model: "b" }]);
  });

  test("every node is killed at once under load: after the restart every acknowledged write is there", async () => {
    cluster = await ProcessCluster.make(3);
    await cluster.start();
    const load = new Load(cluster, "power", 8);
    for (let round = 1; round <= 3; round++) {
      const goal = load.acknowledged.length + 150;
      await until("some writes are acknowledged", () => load.acknowledged.length > goal);
      await Promise.all(cluster.servers.map((server) => server.stop("SIGKILL")));
      for (const server of cluster.servers) server.start();
      await cluster.leader();
    }
    await load.stop();
    await cluster.settled();
    for (const server of cluster.servers) {
      expect(wrongWith(load, await modelsAt(server, "linearizable"))).toEqual([]);
    }
  });

  test("a process that is stopped and continued finds its place again without disturbing the others", async () => {
    cluster = await ProcessCluster.make(3);
    const leader = await cluster.start();
    const load = new Load(cluster, "pause", 4);
    await until("some writes are acknowledged", () => load.acknowledged.length > 50);
    leader.signal("SIGSTOP");
    const others = cluster.servers.filter((server) => server !== leader);
    await until("another leads", async () => {
      const statuses = await Promise.all(others.map((server) => server.status()));
      return statuses.every((one) => one?.leader_id !== null && one?.leader_id !== leader.id);
    });
    const term = (await others[0]!.status())!.term;
    leader.signal("SIGCONT");
    await cluster.leader();
    await load.stop();
    const settled = await cluster.settled();
    // PreVote: a node that was away comes back without forcing an election on those who had a leader.
    expect(settled.term).toBe(term);
    for (const server of cluster.servers) {
      expect(wrongWith(load, await modelsAt(server, "linearizable"))).toEqual([]);
    }
  });
});
