import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Load, modelsAt, wrongWith } from "./load.ts";
import { freePorts } from "./ports.ts";
import { ProcessCluster, ServerProcess, until } from "./process-cluster.ts";

let cluster: ProcessCluster;
afterEach(() => cluster.dispose());

/** The message of the last error line, as an operator would read it. */
function lastError(server: ServerProcess): string {
  const lines = server.log.trim().split("\n");
  const errors = lines.filter((line) => line.includes('"level":"error"'));
  const last = errors.at(-1);
  return last === undefined ? "" : String(JSON.parse(last).msg);
}

async function createOne(server: ServerProcess, model: string): Promise<void> {
  const answer = await server.post("/api/v1/printers", { company: "refusals", model });
  expect(answer.status).toBe(201);
}

describe("a node that must not take part says why and what to do", () => {
  test("a node of another cluster is turned away, and the cluster does not notice", async () => {
    cluster = await ProcessCluster.make(3);
    await cluster.start();
    const third = cluster.server(3);
    await third.stop("SIGKILL");
    await createOne(await cluster.leader(), "before");
    const data = join(cluster.folder, "stranger");
    const stranger = new ServerProcess(3, data, third.http, third.peer, [
      "--initial-cluster",
      cluster.initial,
      "--cluster-token",
      "another shop",
    ]);
    stranger.start();
    expect(await stranger.ended()).toBe(16);
    expect(lastError(stranger)).toMatch(/wrong-cluster.*--initial-cluster and --cluster-token/);
    third.start();
    await cluster.leader();
    expect((await modelsAt(third, "linearizable")).get("before")).toBe(1);
  });

  test("a second process on one data directory is told who holds it", async () => {
    cluster = await ProcessCluster.make(1);
    const server = await cluster.start();
    const [http, peer] = await freePorts(2);
    const second = new ServerProcess(1, server.data, `127.0.0.1:${http}`, server.peer, [
      "--initial-cluster",
      cluster.initial,
    ]);
    second.start();
    expect(await second.ended()).toBe(10);
    expect(peer).toBeGreaterThan(0);
    expect(lastError(second)).toContain(`pid ${server.pid}`);
    expect(lastError(second)).toContain("--data");
    await createOne(server, "still here");
    // A holder that was killed does not keep its successor out.
    await server.stop("SIGKILL");
    server.start();
    await cluster.leader();
    expect((await modelsAt(server, "linearizable")).get("still here")).toBe(1);
  });

  test("an emptied data directory under a used id is refused by the others, who go on", async () => {
    cluster = await ProcessCluster.make(3);
    const leader = await cluster.start();
    await createOne(leader, "kept");
    await cluster.settled();
    const victim = cluster.servers.find((server) => server !== leader)!;
    await victim.stop("SIGKILL");
    rmSync(victim.data, { recursive: true });
    victim.start();
    expect(await victim.ended()).toBe(16);
    expect(lastError(victim)).toMatch(/data-replaced.*emptied or replaced.*docs\/operations\.md/);
    await createOne(await cluster.leader(), "after");
    for (const server of cluster.running) {
      const models = await modelsAt(server, "linearizable");
      expect([...models.keys()]).toEqual(["kept", "after"]);
    }
  });

  test("a data directory put back to an earlier state is refused", async () => {
    cluster = await ProcessCluster.make(3);
    const leader = await cluster.start();
    const victim = cluster.servers.find((server) => server !== leader)!;
    await victim.stop();
    const backup = mkdtempSync(join(tmpdir(), "raft3d-backup-"));
    cpSync(victim.data, backup, { recursive: true });
    victim.start();
    await cluster.leader();
    await createOne(await cluster.leader(), "after the backup");
    await cluster.settled();
    await victim.stop();
    rmSync(victim.data, { recursive: true });
    cpSync(backup, victim.data, { recursive: true });
    rmSync(backup, { recursive: true });
    victim.start();
    expect(await victim.ended()).toBe(16);
    expect(lastError(victim)).toMatch(/earlier state.*docs\/operations\.md/);
  });

  test("a corrupt record in the middle of the log is named by file and byte, and nothing is lost", async () => {
    cluster = await ProcessCluster.make(3);
    const leader = await cluster.start();
    for (let n = 0; n < 20; n++) await createOne(leader, `m${n}`);
    await cluster.settled();
    const victim = cluster.servers.find((server) => server !== leader)!;
    await victim.stop("SIGKILL");
    const wal = join(victim.data, "wal");
    const name = readdirSync(wal).filter((file) => file.endsWith(".wal"))[0]!;
    const bytes = readFileSync(join(wal, name));
    const at = bytes.indexOf("m7");
    expect(at).toBeGreaterThan(0);
    bytes[at] = bytes[at]! ^ 1;
    writeFileSync(join(wal, name), bytes);
    victim.start();
    expect(await victim.ended()).toBe(11);
    expect(lastError(victim)).toContain(`wal/${name}, byte `);
    expect(lastError(victim)).toMatch(/refuses to start.*docs\/operations\.md/);
    for (const server of cluster.running) {
      expect((await modelsAt(server, "linearizable")).size).toBe(20);
    }
  });

  test("a disk that fails a write ends the node at once, and no acknowledged write is lost", async () => {
    cluster = await ProcessCluster.make(3);
    const trigger = join(cluster.folder, "disk-fails");
    const preload = fileURLToPath(new URL("fixtures/failing-disk.mjs", import.meta.url));
    const victim = cluster.server(1);
    victim.env = { NODE_OPTIONS: `--import ${preload}`, FAILING_DISK_TRIGGER: trigger };
    await cluster.start();
    const load = new Load(cluster, "eio", 6);
    await until("some writes are acknowledged", () => load.acknowledged.length > 100);
    writeFileSync(trigger, "");
    expect(await victim.ended()).toBe(12);
    expect(lastError(victim)).toMatch(/The disk failed: .*EIO.*Look at the disk/);
    const before = load.acknowledged.length;
    await until("writes flow on", () => load.acknowledged.length > before + 50);
    await load.stop();
    for (const server of cluster.running) {
      expect(wrongWith(load, await modelsAt(server, "linearizable"))).toEqual([]);
    }
    // With a new disk under the same data it comes back: what it had acknowledged was synced.
    rmSync(trigger);
    victim.start();
    await cluster.leader();
    await cluster.settled();
    expect(wrongWith(load, await modelsAt(victim, "stale"))).toEqual([]);
  });

  test("a port in use is named, for people and for peers", async () => {
    cluster = await ProcessCluster.make(1);
    const server = cluster.server(1);
    for (const address of [server.http, server.peer]) {
      const blocker = createServer();
      blocker.listen(Number(address.split(":")[1]), "127.0.0.1");
      await once(blocker, "listening");
      server.start();
      expect(await server.ended()).toBe(18);
      expect(lastError(server)).toContain(`${address} is in use`);
      blocker.close();
      await once(blocker, "close");
    }
    await cluster.start();
  });

  test("the directory of another node is refused, and so is one founded with other members", async () => {
    cluster = await ProcessCluster.make(1);
    const server = await cluster.start();
    await server.stop();
    const as = (id: number, initial: string): ServerProcess =>
      new ServerProcess(id, server.data, server.http, server.peer, ["--initial-cluster", initial]);
    const [port] = await freePorts(1);
    const other = as(1, `1=${server.peer},2=127.0.0.1:${port}`);
    other.start();
    expect(await other.ended()).toBe(11);
    expect(lastError(other)).toMatch(/belongs to cluster.*put back what they were/);
    server.start();
    await cluster.leader();
  });

  test("bad configuration lists every problem at once and touches nothing", async () => {
    cluster = await ProcessCluster.make(1);
    const data = join(cluster.folder, "never");
    const bad = new ServerProcess(7, data, "nonsense", "127.0.0.1:99999", [
      "--initial-cluster",
      "1=127.0.0.1:1",
      "--tick-ms",
      "fast",
      "--colour",
      "blue",
    ]);
    bad.start();
    expect(await bad.ended()).toBe(2);
    for (const part of ["--http", "--peer", "--tick-ms", "--colour", "--id"]) {
      expect(bad.log).toContain(part);
    }
    expect(existsSync(data)).toBe(false);
  });
});
