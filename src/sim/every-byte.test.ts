// A sample of `npm run every-byte`: every file gone, and of all other damage what a fresh seed picks. The
// seed is in the name of a failure; EVERY_BYTE_SEED=… has it again.

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { FatalError, type FatalReason } from "../node/fatal.ts";
import { type Damage, describeDamage, sampleOf } from "./every-byte-damage.ts";
import { wrongAboutEvents, wrongRefusal } from "./every-byte-place.ts";
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

describe("the judge takes a refusal only", () => {
  const ADVICE = 'See docs/operations.md, "A node with a damaged disk".';
  let whole: EveryByte["folder"];
  let segments: readonly string[];
  let judge: (damage: Damage, place: string, reason?: FatalReason) => string | null;

  beforeAll(async () => {
    whole = (await EveryByte.make({ ...FOLDERS[0]!, seed: 1, core })).folder;
    segments = whole.files.filter((path) => path.endsWith(".wal"));
    judge = (damage, place, reason = "directory-refused") =>
      wrongRefusal(whole, damage, new FatalError(reason, `${whole.root}/${place}: bad. ${ADVICE}`));
  });

  test("with the damaged file, and a byte of what is damaged in it", () => {
    const [first = "", second = ""] = segments;
    const header: Damage = { kind: "flip", path: first, at: 300, mask: 1 };
    expect(judge(header, `${first}, byte 0`)).toBeNull();
    const batch: Damage = { kind: "flip", path: first, at: 600, mask: 1 };
    expect(judge(batch, `${first}, byte 512`)).toBeNull();
    expect(judge(batch, `${first}, byte 0`)).toMatch(/before the damaged part/);
    expect(judge(batch, `${first}, byte 601`)).toMatch(/behind the damage/);
    expect(judge(batch, `${second}, byte 512`)).toBe("another file is named");
    const slot: Damage = { kind: "flip", path: "wal/synced", at: 4100, mask: 1 };
    expect(judge(slot, "wal/synced, byte 0")).toMatch(/before the damaged part/);
    const event: Damage = { kind: "flip", path: "events/0000000000000002.ndjson", at: 7, mask: 1 };
    expect(judge(event, "events/0000000000000002.ndjson, byte 0")).toBe("it could have started");
  });

  test("with the file that is gone, or where the log does not go on", () => {
    const [first = "", second = "", third = ""] = segments;
    expect(judge({ kind: "gone", path: "wal/synced" }, "wal/synced, byte 0")).toBeNull();
    expect(judge({ kind: "gone", path: "wal/synced" }, `${first}, byte 0`)).not.toBeNull();
    expect(judge({ kind: "gone", path: second }, `${third}, byte 0`)).toBeNull();
    expect(judge({ kind: "gone", path: second }, `${first}, byte 0`)).not.toBeNull();
    expect(judge({ kind: "gone", path: third }, `${second}, byte 0`)).not.toBeNull();
    expect(judge({ kind: "emptied", path: "wal" }, "wal/synced, byte 0")).toBeNull();
    expect(judge({ kind: "emptied", path: "wal" }, "node.json, byte 0")).not.toBeNull();
  });

  test("with advice that is true: there is no other version to look for", () => {
    const damage: Damage = { kind: "flip", path: "node.json", at: 14, mask: 1 };
    expect(judge(damage, "node.json, byte 0", "version-unknown")).toBe("ended as version-unknown");
    const text = `${whole.root}/node.json, byte 0: bad. Start the version that wrote it.`;
    const error = new FatalError("directory-refused", text);
    expect(wrongRefusal(whole, damage, error)).toBe("no advice");
  });

  test("and missing events only with the file, the line and exactly what is missing", () => {
    const path = "events/0000000000000002.ndjson";
    const line = Buffer.from(whole.peek(path)).indexOf("\n") + 1;
    const damage: Damage = { kind: "flip", path, at: line + 9, mask: 1 };
    const says = (missing: readonly number[], fields: object): string | null =>
      wrongAboutEvents(whole, damage, missing, [`warn events ${JSON.stringify(fields)}`]);
    const place = { file: path, offset: line };
    expect(says([4, 5, 6], { ...place, from: 4, to: 6 })).toBeNull();
    expect(says([4, 5, 6], { from: 4, to: 6 })).toMatch(/does not say where/);
    expect(says([4, 5, 6], { ...place, offset: 0, from: 4, to: 6 })).toMatch(/does not say where/);
    expect(says([4, 5, 6], { ...place, from: 4, to: 7 })).toMatch(/says 4 to 7/);
    expect(says([4, 6], { ...place, from: 4, to: 6 })).toMatch(/more than one/);
    expect(says([3, 4], { ...place, from: 3, to: 4 })).toMatch(/event 3 is missing/);
    expect(says([], { ...place, from: 3, to: 4 })).toMatch(/says 3 to 4/);
  });
});
