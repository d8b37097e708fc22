// The check for stalls is itself checked: clusters with nothing wrong with them are made to stand still.

import { readFileSync } from "node:fs";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { PrintFarmNode } from "../node/print-farm-node.ts";
import { Replica } from "../node/replica.ts";
import { Shell } from "../node/shell.ts";
import { CALM } from "./calm.ts";
import { PacketNetwork } from "./packet-network.ts";
import { type RunResult, runSwarm } from "./run.ts";
import { type Swarm, weightsOf } from "./swarm.ts";

let core: WebAssembly.Module;
beforeAll(async () => {
  core = await WebAssembly.compile(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
});

afterEach(() => void vi.restoreAllMocks());

function run(over: Partial<Swarm> = {}): Promise<RunResult> {
  return runSwarm({ ...CALM, ...over }, core);
}

test("a cluster that works is looked at, and found working", async () => {
  const { problem, stallLooks } = await run();
  expect(problem).toBeNull();
  expect(stallLooks).toBeGreaterThan(10);
});

test("nodes that never answer are found out", async () => {
  vi.spyOn(PrintFarmNode.prototype, "submit").mockReturnValue(new Promise(() => undefined));
  vi.spyOn(PrintFarmNode.prototype, "barrier").mockReturnValue(new Promise(() => undefined));
  const { problem } = await run();
  expect(problem).toMatch(/^no answers, although nothing has been wrong with nodes [123],[123] /);
});

test("nodes that hear nothing of each other, and have no reason for it, are found out", async () => {
  vi.spyOn(PacketNetwork.prototype, "post").mockReturnValue();
  const { problem } = await run();
  expect(problem).toMatch(/^no leader, although nothing has been wrong with nodes [123],[123] /);
});

test("weather that loses three messages in ten is given more time, and is no excuse for ever", async () => {
  vi.spyOn(PacketNetwork.prototype, "post").mockReturnValue();
  const foul = { ...CALM.links, loss: 0.3 };
  expect((await run({ links: foul, faultsMs: 60_000 })).problem).not.toMatch(/^no leader/);
  expect((await run({ links: foul, faultsMs: 120_000 })).problem).toMatch(/^no leader/);
});

/** Nothing but hangs, and clients that are always busy. */
const HANGS: Partial<Swarm> = {
  faultsMs: 200_000,
  fateMs: 2000,
  load: { ...CALM.load, quietMsMax: 500 },
  weights: weightsOf((kind) => (kind === "disk-hang" ? 10 : kind === "heal" ? 2 : 0)),
};

test("nodes whose log hangs end themselves, and are not blamed for it", async () => {
  const { ends, problem } = await run(HANGS);
  expect(problem).toBeNull();
  expect(ends.get("disk-stalled")).toBeGreaterThan(3);
});

test("the watch over all writes of the log ends them, too: raft does not wait for every one", async () => {
  const step = Reflect.get(Replica.prototype, "step") as (
    this: Replica,
    ...inputs: Parameters<Replica["step"]>
  ) => ReturnType<Replica["step"]>;
  vi.spyOn(Replica.prototype, "step").mockImplementation(function (this: Replica, inputs) {
    return step.call(this, inputs).filter(({ kind }) => kind !== "disk-stalled");
  });
  const { ends, problem } = await run(HANGS);
  expect(problem).toBeNull();
  expect(ends.get("disk-stalled")).toBeGreaterThan(3);
});

test("a node that goes on although its log hangs is found out", async () => {
  // In this swarm there is nothing else for which a node ends.
  vi.spyOn(Shell.prototype, "fail").mockReturnValue();
  const { problem } = await run(HANGS);
  expect(problem).toMatch(/^node [123] goes on, although its log hangs since /);
});
