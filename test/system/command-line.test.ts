// The command line as somebody meets it who has just installed the program.

import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { freePorts, isFree } from "./ports.ts";
import { RunningCommand, raft3d } from "./command.ts";
import { Load, modelsAt, wrongWith } from "./load.ts";
import { ProcessCluster, until } from "./process-cluster.ts";

const isLinux = process.platform === "linux";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-command-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The processes that have this in their command line. */
function processesWith(text: string): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // it has just ended
    }
  });
}

describe("raft3d demo", () => {
  test("shows what it promises, ends with 0, and leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const demo = new RunningCommand(["demo"], { TMPDIR: folder });
    const { code, stderr, stdout } = await demo.ended();
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("All of it held.");
    for (const part of [
      "killed with SIGKILL",
      "elect another",
      "lists the printers",
      "catches up",
    ]) {
      expect(stdout).toContain(part);
    }
    expect(readdirSync(folder)).toEqual([]);
    if (isLinux) expect(processesWith(folder)).toEqual([]);
  });
});

describe("raft3d up", () => {
  test("serves a print shop until Ctrl-C, keeps its data, and never leaves a process behind", async () => {
    const folder = temporaryFolder();
    // If the test fails, what it found wrong must not run on.
    onTestFinished(() => {
      if (isLinux) for (const pid of processesWith(folder)) process.kill(pid, "SIGKILL");
    });
    const [first = 0] = await freePorts(6);
    const where = ["--data", folder, "--port", String(first), "--peer-port", String(first + 3)];
    const up = await startUp(where);
    const origins = [0, 1, 2].map((at) => `http://127.0.0.1:${first + at}`);
    for (const origin of origins) expect(up.stdout).toContain(origin);
    if (isLinux) expect(processesWith(folder).length).toBe(4);
    await aDayInTheShop(origins);
    up.signalGroup("SIGINT");
    const { code, stderr } = await up.ended();
    expect(code, stderr).toBe(0);
    if (isLinux) expect(processesWith(folder)).toEqual([]);
    const again = await startUp(where);
    const list = await raft3d("printers", "list", "--endpoint", origins[1]!, "--json");
    expect(JSON.parse(list.stdout)).toMatchObject([{ id: 1, model: "MK4S" }]);
    // Even if nobody is left to tell the nodes: they notice that they are orphans.
    again.child.kill("SIGKILL");
    await again.ended();
    if (isLinux) await until("no node is left", () => processesWith(folder).length === 0);
    for (let port = first; port < first + 6; port++) {
      await until(`port ${port} is free`, () => isFree(port));
    }
  });
});

async function startUp(where: readonly string[]): Promise<RunningCommand> {
  const up = new RunningCommand(["up", ...where]);
  // Its nodes end when it does.
  onTestFinished(() => up.signalGroup("SIGKILL"));
  await until("the cluster is up", () => {
    if (up.hasEnded) throw new Error(up.stdout + up.stderr);
    return up.stdout.includes("Ctrl-C stops it");
  });
  return up;
}

/** Each command at the next node, because any will do. */
async function aDayInTheShop(origins: readonly string[]): Promise<void> {
  let at = 0;
  const run = async (...args: string[]) => {
    const ran = await raft3d(...args, "--endpoint", origins[at++ % origins.length]!);
    return { ...ran, said: ran.stdout + ran.stderr };
  };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, said, stdout } = await run(...args);
    expect(code, `${args.join(" ")}: ${said}`).toBe(0);
    return stdout;
  };
  const status = await ok("cluster", "status");
  for (const part of ["leader", "follower", ...origins.map((origin) => origin.slice(7))]) {
    expect(status).toContain(part);
  }
  expect(JSON.parse(await ok("cluster", "status", "--json")).members).toHaveLength(3);
  await ok("printers", "create", "--company", "Prusa Research", "--model", "MK4");
  await ok("printers", "update", "1", "--model", "MK4S");
  expect(await ok("printers", "list")).toMatch(/1 +Prusa Research +MK4S/);
  const spool = ["--type", "pla", "--color", "galaxy black", "--total-weight", "1000"];
  await ok("filaments", "create", ...spool);
  const job = ["--printer", "1", "--filament", "1", "--filepath", "/sword.gcode", "--weight"];
  await ok("jobs", "create", ...job, "120");
  await ok("jobs", "create", ...job, "80", "--id", "helmet");
  await ok("jobs", "start", "1");
  await ok("jobs", "done", "1");
  await ok("jobs", "cancel", "helmet");
  expect(await ok("jobs", "list")).toMatch(/1 +Done[^]*helmet +Canceled/);
  expect(JSON.parse(await ok("jobs", "list", "--status", "done", "--json"))).toHaveLength(1);
  const left = { remaining_weight_in_grams: 880, available_weight_in_grams: 880, type: "PLA" };
  expect(JSON.parse(await ok("filaments", "get", "1", "--json"))).toMatchObject(left);
  // What the shop refuses is said in words, and ends with 1.
  const tooMuch = await run("jobs", "create", ...job, "881");
  expect(tooMuch.code).toBe(1);
  expect(tooMuch.stderr).toMatch(/880 g.*881 g[^]*not_enough_filament/);
  const again = await run("jobs", "start", "1");
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(/Done[^]*transition_not_allowed/);
  const events = (await ok("events", "tail", "--after", "0", "--json")).trim().split("\n");
  expect(events.map((line) => JSON.parse(line).type)).toEqual([
    "printer.created",
    "printer.updated",
    "filament.created",
    "print_job.created",
    "print_job.created",
    "print_job.running",
    "print_job.done",
    "print_job.canceled",
  ]);
  expect(await ok("events", "replay")).toContain("Every event gives the state that it names.");
}

describe("raft3d serve", () => {
  let cluster: ProcessCluster;
  afterEach(() => cluster.dispose());

  test("works with a single node, whose files the tools can read, and judge when they are damaged", async () => {
    cluster = await ProcessCluster.make(1, ["--snapshot-entries", "60", "--trailing-entries", "5"]);
    const server = await cluster.start();
    for (let batch = 0; batch < 10; batch++) {
      const posts = Array.from({ length: 20 }, (_, at) =>
        server.post("/api/v1/printers", { company: "one", model: `m${batch}-${at}` }),
      );
      for (const { status } of await Promise.all(posts)) expect(status).toBe(201);
    }
    const { applied_index: applied, state_hash: hash } = (await server.status())!;
    expect((await modelsAt(server, "linearizable")).size).toBe(200);
    // While it runs, and when it does not.
    expect((await raft3d("wal", "verify", "--data", server.data)).code).toBe(0);
    expect(await server.stop()).toBe(0);
    const verified = await raft3d("wal", "verify", "--data", server.data, "--json");
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, lastIndex: applied, torn: null });
    const dumped = await raft3d("wal", "dump", "--data", server.data);
    expect(dumped.code).toBe(0);
    expect(dumped.stdout).toContain('"model":"m9-19"');
    expect(dumped.stdout).toContain("the end of the log");
    const inspected = await raft3d("snapshot", "inspect", "--data", server.data, "--json");
    expect(inspected.code).toBe(0);
    const newest = JSON.parse(inspected.stdout).at(-1);
    expect(newest).toMatchObject({ ok: true, problem: null, voters: [1], print_jobs: 0 });
    // The hash of the state at its index stands in the event of that index.
    expect(newest.state_hash).toBe(await hashAt(server.data, newest.index));
    expect(await hashAt(server.data, applied)).toBe(hash);
    await judgesDamage(server.data);
  });

  test("hands leadership over when its leader is told to end, and no client that asks again is failed", async () => {
    cluster = await ProcessCluster.make(3);
    await cluster.start();
    const load = new Load(cluster, "stop", 8);
    let handedOver = 0;
    for (let round = 0; round < 2; round++) {
      const before = load.acknowledged.length;
      await until("some writes are acknowledged", () => load.acknowledged.length > before + 50);
      const leader = await cluster.leader();
      const { term } = (await leader.status())!;
      const said = new Map(cluster.servers.map((server) => [server, server.log.length]));
      expect(await leader.stop("SIGTERM")).toBe(0);
      const next = await cluster.leader();
      expect((await next.status())!.term).toBeGreaterThan(term);
      // An heir is told to lead, and asks nobody beforehand whether it could win.
      const since = next.log.slice(said.get(next));
      if (!since.includes('"role":"pre-candidate"')) handedOver += 1;
      const after = load.acknowledged.length;
      await until("writes flow on", () => load.acknowledged.length > after + 50);
      leader.start();
      await cluster.leader();
    }
    // On a machine that is very busy it may come too late once.
    expect(handedOver).toBeGreaterThan(0);
    await load.stop();
    await cluster.settled();
    for (const server of cluster.servers) {
      expect(server.log).not.toContain('"level":"error"');
      expect(wrongWith(load, await modelsAt(server, "stale"))).toEqual([]);
    }
  });
});

/** The hash that the history names at a log index. */
async function hashAt(data: string, index: number): Promise<string> {
  const [name] = readdirSync(join(data, "events"));
  const lines = readFileSync(join(data, "events", name!), "utf8").split("\n");
  const line = lines.find((one) => one.startsWith(`{"index":${index},`));
  return JSON.parse(line!).hash;
}

/** Copies of the files of a stopped node, spoiled here and there. */
async function judgesDamage(data: string): Promise<void> {
  const copy = `${data}-copy`;
  cpSync(data, copy, { recursive: true });
  const wal = only(join(copy, "wal"), ".wal");
  const at = flip(wal, "m1-7");
  // The batch in which the byte stands.
  const dump = await raft3d("wal", "dump", "--data", data, "--json");
  const batches = dump.stdout.split("\n").filter((line) => line.includes('"kind":"batch"'));
  const offsets = batches.map((line): number => JSON.parse(line).offset);
  const offset = Math.max(...offsets.filter((one) => one <= at));
  const verified = await raft3d("wal", "verify", "--data", copy);
  expect(verified.code).toBe(1);
  const name = wal.slice(wal.lastIndexOf("/") + 1);
  expect(verified.stdout).toContain(`wal/${name}, byte ${offset}`);
  const dumped = await raft3d("wal", "dump", "--data", copy);
  expect(dumped.code).toBe(1);
  expect(dumped.stdout).toContain(`wal/${name}, byte ${offset}`);
  const snapshot = only(join(copy, "snapshots"), ".snap");
  const place = flip(snapshot, '"m0-3"');
  const inspected = await raft3d("snapshot", "inspect", snapshot);
  expect(inspected.code).toBe(1);
  expect(inspected.stdout).toContain(`✘ ${snapshot}`);
  const said = Number(/byte (\d+)/.exec(inspected.stdout)?.[1]);
  expect(said).toBeLessThanOrEqual(place);
  const whole = readFileSync(snapshot);
  writeFileSync(snapshot, whole.subarray(0, whole.length - 100));
  const cut = await raft3d("snapshot", "inspect", "--data", copy);
  expect(cut.code).toBe(1);
  expect(cut.stdout).toMatch(new RegExp(`✘ ${snapshot}\\n.*byte \\d+`));
}

/** The newest file with this ending. */
function only(folder: string, suffix: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  return join(folder, names.toSorted().at(-1)!);
}

/** Flips one bit where this text stands; the byte's place. */
function flip(path: string, text: string): number {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(text) + 1;
  expect(at).toBeGreaterThan(0);
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
  return at;
}
