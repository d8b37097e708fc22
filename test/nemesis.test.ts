// The nemesis itself: its plans come from the seed alone, and its checks find what is wrong. What the plans do
// to a cluster is tried in test/system/nemesis.test.ts.

import { expect, test } from "vitest";
import { SimRandom } from "../src/sim/sim-random.ts";
import { FAULT_KINDS, MENU, drawPlan } from "./nemesis/plan.ts";
import { type Farm, wrongObjects, wrongSums } from "./nemesis/verdict.ts";

const OPTIONS = { size: null, kinds: FAULT_KINDS, episodes: 60 };

test("a seed gives a plan, the same each time", () => {
  const draw = (seed: number) => drawPlan(new SimRandom(seed), seed, OPTIONS);
  expect(draw(7)).toEqual(draw(7));
  expect(draw(8)).not.toEqual(draw(7));
});

test("a long plan has every fault in it; what must be alone is, and no two lay hands on the same", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { episodes } = drawPlan(new SimRandom(seed), seed, OPTIONS);
    const kinds = new Set(episodes.flatMap(({ steps }) => steps.map(({ kind }) => kind)));
    expect([...kinds].toSorted()).toEqual([...FAULT_KINDS].toSorted());
    for (const { steps } of episodes) {
      const rows = steps.map(({ kind }) => MENU[kind]);
      expect(new Set(rows.map(({ on }) => on)).size).toBe(rows.length);
      if (rows.some(({ alone }) => alone === true)) expect(rows.length).toBe(1);
    }
  }
});

const SPOOL = {
  id: 1,
  color: "1-1",
  total_weight_in_grams: 1000,
  remaining_weight_in_grams: 900,
  reserved_weight_in_grams: 50,
};
const DONE = { id: 1, filament_id: 1, filepath: "1-2", print_weight_in_grams: 100, status: "Done" };
const QUEUED = { ...DONE, id: 2, filepath: "1-3..", print_weight_in_grams: 50, status: "Queued" };
const FARM = {
  printers: [{ id: "own-1-4", company: "1-4" }],
  filaments: [SPOOL],
  print_jobs: [DONE, QUEUED],
} as Farm;

test("weights that do not add up are found", () => {
  expect(wrongSums(FARM)).toEqual([]);
  const spoiled = [
    { ...FARM, filaments: [{ ...SPOOL, remaining_weight_in_grams: 901 }] },
    { ...FARM, filaments: [{ ...SPOOL, reserved_weight_in_grams: 49 }] },
    { ...FARM, print_jobs: [DONE] },
    { ...FARM, print_jobs: [DONE, QUEUED, { ...DONE, id: 3, filepath: "2-1" }] },
  ] as readonly Farm[];
  for (const farm of spoiled) expect(wrongSums(farm)).toHaveLength(1);
});

test("what was acknowledged and is missing is found, and what is there twice", () => {
  const kept = [
    { collection: "printers", id: "own-1-4", marker: "1-4" },
    { collection: "filaments", id: 1, marker: "1-1" },
    { collection: "print_jobs", id: 2, marker: "1-3" },
  ] as const;
  const told = { kept, deleted: new Set<string>() };
  expect(wrongObjects(FARM, told)).toEqual([]);
  expect(wrongObjects({ ...FARM, printers: [] }, told)).toEqual([
    "printers/own-1-4 was acknowledged and is lost",
  ]);
  const asked = new Set(["printers/own-1-4"]);
  expect(wrongObjects({ ...FARM, printers: [] }, { kept, deleted: asked })).toEqual([]);
  // Another object under the same id is not the one that was acknowledged.
  const other = { ...FARM, printers: [{ id: "own-1-4", company: "9-9" }] };
  expect(wrongObjects(other, told)).toHaveLength(1);
  const twice = { ...FARM, print_jobs: [...FARM.print_jobs, { ...FARM.print_jobs[1]!, id: 3 }] };
  expect(wrongObjects(twice, told)).toEqual(["print_jobs: 1-3 is there twice"]);
});
