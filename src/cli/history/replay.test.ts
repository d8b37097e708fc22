import { describe, expect, test } from "vitest";
import { openShop } from "../testing/shop.ts";
import { Replay } from "./replay.ts";

const { lines, machine } = openShop();
const TEXTS = lines.map((line) => line.text);

/** Folds all the lines, or up to the first that does not fit; its index. */
function foldAll(texts: readonly string[]): { replay: Replay; differsAt: number | null } {
  const replay = new Replay();
  for (const text of texts) {
    const difference = replay.push(text);
    if (difference !== null) return { replay, differsAt: difference.index };
  }
  return { replay, differsAt: null };
}

describe("replaying the history", () => {
  test("gives the state that the commands gave, at every step and at the end", () => {
    const { differsAt, replay } = foldAll(TEXTS);
    expect(differsAt).toBeNull();
    expect(replay.hash).toBe(machine.farm.digest());
    expect(replay.events).toBe(TEXTS.length);
    expect(replay.index).toBe(lines.at(-1)?.index);
    expect(Object.fromEntries(replay.counts)).toMatchObject({
      "printer.created": 2,
      "print_job.created": 2,
      "print_job.done": 1,
    });
    expect(replay.farm.filaments.get("red")?.remaining_weight_in_grams).toBe(820);
  });

  test("a line from the disk, with its checksum behind the hash, is the same line", () => {
    const sealed = TEXTS.map((text) => `${text.slice(0, -1)},"crc":"00000000"}`);
    expect(foldAll(sealed).differsAt).toBeNull();
  });

  test("a line whose event was changed is named, whatever was changed in it", () => {
    const changes: readonly (readonly [RegExp, string])[] = [
      [/"hash":"./, '"hash":"x'],
      [/:30:/, ":31:"],
      [/"company":"[^"]+"/, '"company":"Other"'],
      [/"print_weight_in_grams":80/, '"print_weight_in_grams":81'],
      [/"deducted_weight_in_grams":80/, '"deducted_weight_in_grams":79'],
      [/"id":"red"/, '"id":"blue"'],
      [/"term":1/, '"term":-1'],
      [/"type":"print_job/, '"type":"printjob'],
      [/"data":\{/, '"data":[{'],
      [/^\{/, ""],
    ];
    let changed = 0;
    for (const [pattern, replacement] of changes) {
      for (const [at, text] of TEXTS.entries()) {
        if (!pattern.test(text)) continue;
        changed += 1;
        const altered = TEXTS.with(at, text.replace(pattern, replacement));
        const { differsAt } = foldAll(altered);
        // A line that is no JSON any more cannot name its index.
        const isReadable = altered[at]!.startsWith("{") && !replacement.includes("[");
        expect(differsAt, altered[at]).toBe(isReadable ? lines[at]!.index : 0);
      }
    }
    expect(changed).toBeGreaterThan(30);
  });

  test("a line that is left out is noticed at the next one, and one that comes twice at once", () => {
    for (const at of TEXTS.keys()) {
      const next = lines[at + 1]?.index ?? null;
      expect(foldAll(TEXTS.toSpliced(at, 1)).differsAt).toBe(next);
      expect(foldAll(TEXTS.toSpliced(at, 0, TEXTS[at]!)).differsAt).toBe(lines[at]!.index);
    }
  });
});
