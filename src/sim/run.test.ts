import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { runSeed } from "./run.ts";
import { drawSwarm } from "./swarm.ts";

let core: WebAssembly.Module;
beforeAll(async () => {
  core = await WebAssembly.compile(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
});

/**
 * Seeds that are run every time. Each stands for what it caught, or for what its swarm covers:
 * 26, 58, 98, 112: an acknowledgement before the sync was planted; 1, 6, 8, 9, 112, 142: a read without
 * ReadIndex; 6, 9, 14, 142: a proposal applied twice; 1, 2, 4, 142: "never proposed" said of a proposal;
 * 142 itself: time stood still at a wait shorter than the clock can tell. 1, 112 and 142 run the
 * transport over simulated byte streams; 31 is a single node.
 */
const CORPUS = [1, 2, 4, 6, 8, 9, 14, 26, 31, 58, 98, 112, 142];

describe("a whole cluster from one seed", () => {
  test.each(CORPUS)(
    "seed %i: nothing acknowledged is lost, doubled or read stale",
    async (seed) => {
      const result = await runSeed(seed, core);
      expect(result.problem).toBeNull();
      expect(result.acknowledged).toBeGreaterThan(0);
    },
  );

  test("the same seed twice gives the same trace to the byte, another seed another one", async () => {
    const first: string[] = [];
    const second: string[] = [];
    await runSeed(9, core, (line) => first.push(line));
    await runSeed(9, core, (line) => second.push(line));
    expect(first.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
    const other = await runSeed(10, core);
    const digest = (await runSeed(9, core)).traceDigest;
    expect(other.traceDigest).not.toBe(digest);
  });

  test("what a seed stands for is drawn from it and nothing else", () => {
    expect(drawSwarm(77)).toEqual(drawSwarm(77));
    const sizes = new Set(Array.from({ length: 60 }, (_, seed) => drawSwarm(seed).size));
    expect([...sizes].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
  });
});
