// Entries of the log, changed in any way, at a state machine. Whatever is committed, every node must be
// able to apply it, and all must come to the same: an entry is applied, passed over, or of a later version.

import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../base/bytes.ts";
import { Fuzz } from "../sim/fuzz.ts";
import { mutated, mutatedJson } from "../sim/mutation.ts";
import type { Command } from "./command.ts";
import { encodeEnvelope } from "./envelope.ts";
import { Machine, UnknownEntryError } from "./machine.ts";
import { makeEnvelope } from "./testing/script.ts";

const COMMANDS: readonly Command[] = [
  { kind: "create-printer", id: null, company: "Prusa", model: "MK4" },
  {
    kind: "create-filament",
    id: "spool",
    type: "PLA",
    color: "red",
    total_weight_in_grams: 1000,
    remaining_weight_in_grams: 900,
  },
  {
    kind: "create-job",
    id: null,
    printer_id: 1,
    filament_id: "spool",
    filepath: "/a.gcode",
    print_weight_in_grams: 10,
  },
  { kind: "change-job-status", key: "1", expected: null, to: "Running" },
  { kind: "change-job-status", key: "1", expected: [3, 4], to: "Done" },
  { kind: "update-filament", key: "spool", expected: null, changes: { color: "blue" } },
  { kind: "delete-printer", key: "1", expected: [2] },
];
/** Entries, before two new machines take the place of those that have grown. */
const ENTRIES_MAX = 500;

describe("an entry changed in any way", () => {
  it("is applied alike by two machines, or refused by both as of a later version", async () => {
    const fuzz = new Fuzz("entries of the log", { runs: 10_000 });
    const corpus = COMMANDS.map((command, at) => {
      const keyed = at % 2 === 0 ? { key: `key ${at}`, fingerprint: "f" } : {};
      return encodeEnvelope(makeEnvelope({ command, seq: at + 1, ...keyed }));
    });
    const texts = corpus.map((bytes) => Buffer.from(bytes).toString());
    const said = new Map<string, number>();
    let machines = [Machine.empty(), Machine.empty()] as const;
    let index = 0;
    await fuzz.run(
      (random) => {
        const text = random.pick(texts).replace(/"seq":\d+/, `"seq":${index + 1}`);
        const bytes = random.chance(0.3)
          ? encodeUtf8(text)
          : random.chance(0.6)
            ? mutatedJson([text, ...texts], random)
            : mutated(corpus, random);
        return { bytes, show: { bytes } };
      },
      ({ bytes }) => {
        if (index >= ENTRIES_MAX) {
          machines = [Machine.empty(), Machine.empty()];
          index = 0;
        }
        index += 1;
        const [one, other] = machines.map((machine) => {
          try {
            return machine.apply(index, 1, bytes).kind;
          } catch (thrown) {
            // The node ends over this one, and nothing of it was applied.
            if (!(thrown instanceof UnknownEntryError)) throw thrown;
            machine.applyEmpty(index, 1);
            return "of a later version";
          }
        });
        said.set(one!, (said.get(one!) ?? 0) + 1);
        expect(other).toBe(one);
        expect(machines[1].hashes()).toEqual(machines[0].hashes());
      },
    );
    fuzz.note(JSON.stringify(Object.fromEntries(said)));
    expect(said.get("replied") ?? 0).toBeGreaterThan(500);
    expect(said.size).toBeGreaterThan(1);
  });
});
