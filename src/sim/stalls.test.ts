// The check for stalls is itself checked: clusters with nothing wrong with them are made to stand still.

import { readFileSync } from "node:fs";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { PrintFarmNode } from "../node/print-farm-node.ts";
import { PacketNetwork } from "./packet-network.ts";
import { type RunResult, runSwarm } from "./run.ts";
import { FATE_KINDS, type FateWeights, type Swarm, drawSwarm } from "./swarm.ts";

let core: WebAssembly.Module;
beforeAll(async () => {
  core = await WebAssembly.compile(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
});

afterEach(() => void vi.restoreAllMocks());

/** A minute in which nothing happens but that links are said to heal. */
const CALM: Swarm = {
  ...drawSwarm(1),
  size: 3,
  wire: "packets",
  tickMs: 50,
  faultsMs: 60_000,
  fateMs: 10_000,
  lullMs: 0,
  load: { clients: 3, boutRequests: 10, thinkMsMax: 50, quietMsMax: 8000, patienceMs: 2000 },
  links: { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 2 },
  diskSlowness: 1,
  powerOnAcknowledge: 0,
  powerOnLine: 0,
  // Object.fromEntries forgets which keys it was given.
  weights: Object.fromEntries(
    FATE_KINDS.map((kind) => [kind, kind === "heal" ? 1 : 0]),
  ) as FateWeights,
};

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
