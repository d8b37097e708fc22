// A sample of `npm run every-byte`: every file gone, and of all other damage what a fresh seed picks. The
// seed is in the name of a failure; EVERY_BYTE_SEED=… has it again.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { describeDamage, sampleOf } from "./every-byte-damage.ts";
import { EveryByte, FOLDERS, Tally } from "./every-byte.ts";
import { SimRandom } from "./sim-random.ts";

const SEED = Number(process.env["EVERY_BYTE_SEED"] ?? Date.now());
const CASES = 70;

let core: WebAssembly.Module;
beforeAll(async () => {
  core = await WebAssembly.compile(readFileSync(new URL("../../dist/core.wasm", import.meta.url)));
});

describe("a node whose folder was damaged comes back as it was, or says what is wrong", () => {
  test.each(FOLDERS)("$name", async (folder) => {
    const everyByte = await EveryByte.make({ ...folder, seed: 1, core });
    const tally = new Tally();
    for (const damage of sampleOf(everyByte.damages, CASES, new SimRandom(SEED))) {
      tally.add(folder.name, await everyByte.run(damage));
    }
    expect(tally.findings, `EVERY_BYTE_SEED=${SEED}`).toEqual([]);
    // Both must occur: a judge that calls everything refused, or everything the same, is none.
    expect(tally.texts("refused").length).toBeGreaterThan(3);
    expect(tally.texts("same").length).toBeGreaterThan(0);
  });

  test("what is damaged is all there is: each byte, each length, each file, each folder", async () => {
    const everyByte = await EveryByte.make({ ...FOLDERS[0]!, seed: 1, core });
    const { damages, folder } = everyByte;
    const bytes = folder.files.reduce((sum, path) => sum + folder.peek(path).length, 0);
    const count = (kind: string): number => damages.filter((one) => one.kind === kind).length;
    expect(count("flip")).toBe(3 * bytes);
    expect(count("cut")).toBe(bytes);
    expect(count("gone")).toBe(folder.files.length);
    expect(count("zero")).toBeGreaterThan(count("unwrite"));
    expect(count("unwrite")).toBeGreaterThan(10);
    expect(count("emptied")).toBe(4); // the folder itself, events/, snapshots/ and wal/
    expect(new Set(damages.map(describeDamage)).size).toBe(damages.length);
  });
});
