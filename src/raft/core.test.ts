import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Random } from "../env/random.ts";
import { Core, type CoreHost, type Group } from "./core.ts";
import { MSG_SNAP } from "./messages.ts";
import { foundedConfig, votersOnly } from "./testing/group-config.ts";
import { CoreTrap } from "./trap.ts";

const WASM = new URL("../../dist/core.wasm", import.meta.url);

let module: WebAssembly.Module;
beforeAll(async () => {
  module = await WebAssembly.compile(readFileSync(WASM));
});

function seededRandom(seed: number): Random {
  let state = seed;
  const u32 = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  return {
    u32,
    fill(bytes) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = u32() >>> 24;
    },
  };
}

const stillClock: Clock = {
  monotonicMs: () => 0,
  wallMs: () => 0,
  after: () => ({ cancel: () => undefined }),
  defer: () => undefined,
};

function collect(lines: string[]): Logger {
  const logger: Logger = {
    debug: (_message, fields) => void lines.push(String(fields?.["raft"])),
    info: () => undefined,
    warn: (message) => void lines.push(message),
    error: (_message, fields) => void lines.push(String(fields?.["raft"])),
    child: () => logger,
  };
  return logger;
}

function hostOf(seed: number, lines: string[]): CoreHost {
  return { clock: stillClock, random: seededRandom(seed), logger: collect(lines) };
}

async function makeCore(seed: number, lines: string[] = []): Promise<Core> {
  return Core.instantiate(module, hostOf(seed, lines));
}

/** Runs the groups' exchange to its end; whatever is written is durable at once. */
function settle(groups: readonly Group[], trace: string[] = []): void {
  for (let busy = true; busy;) {
    busy = false;
    for (const [at, group] of groups.entries()) {
      for (let ready = group.ready(); ready !== null; ready = group.ready()) {
        busy = true;
        for (const m of ready.messages) {
          trace.push(`${at + 1}>${m.to} ${m.type} t${m.term} i${m.index} ${m.bytes.length}`);
          if (m.type !== MSG_SNAP) groups[m.to - 1]?.step(at + 1, m.bytes);
        }
        if (ready.append !== null) group.appended(ready.append.ticket);
        if (ready.apply !== null) {
          for (const e of ready.apply.entries) {
            trace.push(
              `${at + 1} applies ${e.index}/${e.term} ${new TextDecoder().decode(e.data)}`,
            );
          }
          group.applied(ready.apply.ticket);
        }
      }
    }
  }
}

async function runElection(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const core = await makeCore(seed, lines);
  const groups = [1, 2, 3].map((id) => core.open(foundedConfig(id, votersOnly(1, 2, 3))));
  for (const group of groups) group.start();
  const trace: string[] = [];
  for (let tick = 0; tick < 40; tick++) {
    for (const group of groups) group.tick();
    settle(groups, trace);
  }
  const leader = groups.find((group) => group.status().role === "leader");
  leader?.propose([new TextEncoder().encode("printer"), new TextEncoder().encode("spool")]);
  settle(groups, trace);
  return [...trace, ...lines];
}

describe("the consensus core in WebAssembly", () => {
  test("three groups in one instance elect a leader and apply its proposals", async () => {
    const trace = await runElection(7);
    for (const node of [1, 2, 3]) {
      const applied = trace.filter((line) => line.startsWith(`${node} applies`));
      expect(applied.at(-1)).toMatch(/ spool$/);
      expect(applied.at(-2)).toMatch(/ printer$/);
    }
  });

  test("the same seed gives the same run to the byte, another seed another run", async () => {
    const [first, second, other] = [
      await runElection(7),
      await runElection(7),
      await runElection(8),
    ];
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test("status tells the host what the core holds", async () => {
    const core = await makeCore(1);
    const group = core.open(foundedConfig(1, votersOnly(1)));
    group.start();
    group.campaign();
    settle([group]);
    const status = group.status();
    expect(status).toMatchObject({ role: "leader", leader: 1, firstIndex: 2, lastIndex: 2 });
    expect(status.hardState).toEqual({ term: 2, vote: 1, commit: 2 });
    expect(status.confState).toEqual(votersOnly(1));
    expect(status.progress).toEqual([{ id: 1, match: 2, next: 3, state: 1, recentlyActive: true }]);
  });

  test("a panic inside raft kills the instance for good and says what it means", async () => {
    const lines: string[] = [];
    const core = await makeCore(1, lines);
    const one = core.open(foundedConfig(1, votersOnly(1, 2, 3)));
    const two = core.open(foundedConfig(2, votersOnly(1, 2, 3)));
    one.start();
    two.start();
    one.campaign();
    settle([one, two]);
    one.propose([new Uint8Array([1])]);
    settle([one, two]);
    // Node 2 comes back with an empty log, as if its directory had been emptied.
    const forgetful = core.open(foundedConfig(2, votersOnly(1, 2, 3)));
    forgetful.start();
    one.tick();
    let thrown: unknown;
    try {
      settle([one, forgetful]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CoreTrap);
    expect((thrown as CoreTrap).message).toMatch(
      /tocommit\(3\) is out of range \[lastIndex\(1\)\]/,
    );
    expect((thrown as CoreTrap).advice).toMatch(/rolled back/);
    expect(() => one.status()).toThrow(CoreTrap);
    expect(() => core.open(foundedConfig(3, votersOnly(3)))).toThrow(CoreTrap);
  });

  test("nothing is due without a call that made it so, and groups do not mix theirs up", async () => {
    const core = await makeCore(1);
    const one = core.open(foundedConfig(1, votersOnly(1)));
    const two = core.open(foundedConfig(2, votersOnly(1, 2, 3)));
    one.start();
    two.start();
    expect(one.ready()).toBeNull();
    one.campaign();
    two.tick(); // a tick of a follower that has just started leaves nothing to do
    expect(two.ready()).toBeNull();
    const ready = one.ready();
    expect(ready?.role).toBe("pre-candidate");
    expect(one.ready()).toBeNull(); // its vote for itself waits for the append
    two.tick();
    one.appended(ready?.append?.ticket ?? 0);
    expect(two.ready()).toBeNull();
    expect(one.ready()?.hardState).toEqual({ term: 2, vote: 1, commit: 1 });
  });

  test("an answer is its receiver's own: later calls do not change it", async () => {
    const core = await makeCore(1);
    const group = core.open(foundedConfig(1, votersOnly(1, 2, 3)));
    group.start();
    group.campaign();
    const ready = group.ready();
    const before = structuredClone(ready);
    expect(before?.messages).toHaveLength(2);
    group.propose([new Uint8Array(200_000).fill(255)]);
    group.step(2, new Uint8Array(100_000).fill(255));
    group.status();
    expect(ready).toEqual(before);
  });

  test("where no memory was set aside, large arguments move it, and every answer is still whole", async () => {
    const core = await Core.instantiate(module, hostOf(1, []), 0);
    const group = core.open(foundedConfig(1, votersOnly(1)));
    group.start();
    group.campaign();
    settle([group]);
    const before = core.memoryBytes;
    const commands = Array.from({ length: 40 }, (_, i) => new Uint8Array(100_000).fill(i + 1));
    expect(group.propose(commands)).toBe(true);
    const got: Uint8Array[] = [];
    for (let ready = group.ready(); ready !== null; ready = group.ready()) {
      if (ready.append !== null) group.appended(ready.append.ticket);
      if (ready.apply !== null) {
        for (const entry of ready.apply.entries) got.push(entry.data);
        group.applied(ready.apply.ticket);
      }
    }
    expect(core.memoryBytes).toBeGreaterThan(before);
    expect(got.length).toBe(commands.length);
    const whole = got.every((data, i) => Buffer.compare(data, commands[i]!) === 0);
    expect(whole).toBe(true);
  });

  // Growing costs the node a collection of all of its garbage, each time.
  test("its memory does not grow under work", async () => {
    const core = await makeCore(1);
    const before = core.memoryBytes;
    const group = core.open(foundedConfig(1, votersOnly(1)));
    group.start();
    group.campaign();
    const commands = Array.from({ length: 200 }, () => new Uint8Array(10_000));
    for (let round = 0; round < 20; round++) {
      settle([group]);
      group.propose(commands);
    }
    expect(core.memoryBytes).toBe(before);
  });

  // Go's limiter of collecting stops all of it then, and nobody would look at the limiter again (core/collect.go).
  test("garbage is collected after the machine stood still while some was being collected", async () => {
    let nowMs = 0;
    let stands = 0;
    const monotonicMs = (): number => (nowMs += stands-- > 0 ? 1000 : 0.02);
    const host = { ...hostOf(1, []), clock: { ...stillClock, monotonicMs } };
    const core = await Core.instantiate(module, host, 0);
    const group = core.open(foundedConfig(1, votersOnly(1)));
    group.start();
    group.campaign();
    settle([group]);
    const commands = Array.from({ length: 4 }, () => new Uint8Array(200));
    for (let call = 0; call < 25_000; call++) {
      if (call % 500 === 0) stands = 3;
      group.propose(commands);
      if (call % 100 === 0) group.tick();
      settle([group]);
      if (call % 1000 < 999) continue;
      const { commit } = group.status().hardState;
      group.snapshotted(commit, votersOnly(1));
      group.compact(commit);
    }
    expect(core.memoryBytes).toBeLessThan(80 * 2 ** 20); // 130 MiB were it never collected
  });

  test("memory that cannot be had is asked for by halves", async () => {
    const lines: string[] = [];
    const core = await Core.instantiate(module, hostOf(1, lines), 2 ** 34);
    expect(core.memoryBytes).toBeGreaterThan(2 ** 26);
    expect(core.memoryBytes).toBeLessThan(2 ** 32);
    expect(lines).toEqual(["the system gives the core less memory than it asks for"]);
    const group = core.open(foundedConfig(1, votersOnly(1)));
    group.start();
    group.campaign();
    settle([group]);
    expect(group.status().role).toBe("leader");
  });
});
