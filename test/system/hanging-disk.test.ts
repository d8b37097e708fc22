// A disk that never answers keeps a thread of the process for ever. The process must end all the same: one
// that only looks alive keeps its ports, and clients wait at them for nothing.

import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Load, modelsAt, wrongWith } from "./load.ts";
import { ProcessCluster, type ServerProcess, until } from "./process-cluster.ts";

let cluster: ProcessCluster;
afterEach(() => cluster.dispose());

/** Gives a node a disk that can be made to hang: by a file, which is returned. */
function prepare(server: ServerProcess): string {
  const trigger = join(cluster.folder, "disk-hangs");
  const pipe = join(cluster.folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const preload = fileURLToPath(new URL("fixtures/hanging-disk.mjs", import.meta.url));
  server.env = {
    NODE_OPTIONS: `--import ${preload}`,
    HANGING_DISK_TRIGGER: trigger,
    HANGING_DISK_PIPE: pipe,
  };
  return trigger;
}

describe("a node whose disk hangs", () => {
  test("ends itself and lets go of its ports; the others go on, and it comes back with a disk that works", async () => {
    cluster = await ProcessCluster.make(3);
    const victim = cluster.server(1);
    const trigger = prepare(victim);
    await cluster.start();
    const load = new Load(cluster, "hang", 6);
    await until("some writes are acknowledged", () => load.acknowledged.length > 100);
    writeFileSync(trigger, "");
    // A hang here is what this test is for: the process said that it ends, and did not.
    await until("the node has ended", () => !victim.isRunning);
    expect(victim.log).toContain('"reason":"disk-stalled","exit":13');
    await expect(victim.get("/livez")).rejects.toThrow();
    const before = load.acknowledged.length;
    await until("writes flow on", () => load.acknowledged.length > before + 50);
    await load.stop();
    rmSync(trigger);
    victim.start();
    await cluster.leader();
    await cluster.settled();
    expect(wrongWith(load, await modelsAt(victim, "stale"))).toEqual([]);
  });

  test("is ended at once by a second signal", async () => {
    cluster = await ProcessCluster.make(1);
    const server = cluster.server(1);
    const trigger = prepare(server);
    await cluster.start();
    writeFileSync(trigger, "");
    const asked = server.post("/api/v1/printers", { company: "a", model: "b" });
    const refused = expect(asked).rejects.toThrow();
    server.signal("SIGTERM");
    await until("it is stopping", () => server.log.includes('"msg":"stopping"'));
    server.signal("SIGTERM");
    await until("it has ended", () => !server.isRunning, 5000);
    await refused;
  });
});
