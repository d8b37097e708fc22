import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CORPUS, FAILED_ONCE } from "./corpus.ts";
import { Judge } from "./judge.ts";
import { runJudged } from "./judged.ts";
import { runSeed } from "./run.ts";
import { drawSwarm } from "./swarm.ts";

const FRESH_SEEDS = 10;

let core: WebAssembly.Module;
let judge: Judge;
beforeAll(async () => {
  judge = new Judge();
  core = await WebAssembly.compile(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
});

afterAll(() => judge.close());

describe("a whole cluster from one seed", () => {
  const seen = { stallLooks: 0, diskFailures: 0, diskHangs: 0, installs: 0, leaderships: 0 };
  const ends = new Map<string, number>();
  test.each([...CORPUS, ...FAILED_ONCE])(
    "seed %i: nothing acknowledged is lost, doubled or read stale",
    async (seed) => {
      const result = await runJudged(seed, core, judge);
      expect(result.problem).toBeNull();
      expect(result.answer?.verdict).toBe("ok");
      seen.stallLooks += result.stallLooks;
      seen.diskFailures += result.diskFailures;
      seen.diskHangs += result.diskHangs;
      seen.installs += result.installs;
      seen.leaderships += result.leaderships;
      for (const [reason, count] of result.ends) ends.set(reason, (ends.get(reason) ?? 0) + count);
    },
  );

  test("these seeds leave clusters without an excuse, and their disks do fail and hang", () => {
    const { installs, ...often } = seen;
    for (const [what, count] of Object.entries(often)) expect(count, what).toBeGreaterThan(20);
    expect(installs, "installed snapshots").toBeGreaterThan(3);
    for (const reason of ["disk-stalled", "disk-failed", "directory-refused"]) {
      expect(ends.get(reason), `nodes that end themselves: ${reason}`).toBeGreaterThan(3);
    }
  });

  test("fresh seeds hold, too: others every time", async () => {
    const first = randomInt(1_000_000, 1_000_000_000);
    for (let seed = first; seed < first + FRESH_SEEDS; seed++) {
      const result = await runJudged(seed, core, judge);
      expect(result.problem, `npm run sim -- --seed ${seed} --trace`).toBeNull();
    }
  });

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
