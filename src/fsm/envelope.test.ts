import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { SESSION_WINDOW_MAX, WALL_MS_MAX } from "../base/limits.ts";
import type { Command } from "./command.ts";
import { decodeEnvelope, encodeEnvelope } from "./envelope.ts";
import {
  aCommand,
  changeStatus,
  createFilament,
  createJob,
  createPrinter,
  deleteFilament,
  deletePrinter,
  updateFilament,
  updatePrinter,
} from "./testing/commands.ts";
import { makeEnvelope } from "./testing/script.ts";

const EVERY_COMMAND: readonly Command[] = [
  createPrinter({ id: "p" }),
  updatePrinter("p", { company: "c", model: "m" }, [1]),
  deletePrinter("p"),
  createFilament(),
  updateFilament(
    "1",
    { type: "ABS", color: "c", total_weight_in_grams: 5, remaining_weight_in_grams: 0 },
    [],
  ),
  deleteFilament("1", [1, 2]),
  createJob({ id: 0 }),
  changeStatus("1", "Done"),
];

function decodeJson(value: unknown) {
  return decodeEnvelope(encodeUtf8(JSON.stringify(value)));
}

function reasonOf(value: unknown): string {
  const decoded = decodeJson(value);
  return decoded.kind === "malformed" ? decoded.reason : `not malformed: ${decoded.kind}`;
}

describe("an envelope", () => {
  test("is JSON with its fields in one order, whatever order they were given in", () => {
    const envelope = makeEnvelope({ command: createPrinter(), seq: 3, low: 2 });
    const shuffled = Object.fromEntries(Object.entries(envelope).toReversed());
    const text = new TextDecoder().decode(encodeEnvelope(shuffled as unknown as typeof envelope));
    expect(text).toBe(
      '{"v":1,"node":1,"start":1,"seq":3,"low":2,"at":1700000000000,' +
        '"key":null,"fingerprint":null,' +
        '"command":{"kind":"create-printer","id":null,"company":"Prusa","model":"MK4S"}}',
    );
  });

  test("comes back as it was, with any command and any text in it", () => {
    const aKey = fc.option(fc.string({ minLength: 1, unit: "binary" }));
    fc.assert(
      fc.property(aCommand, aKey, fc.integer({ min: 1, max: 50 }), (command, key, seq) => {
        const fingerprint = key === null ? null : "0123";
        const envelope = makeEnvelope({ command, key, fingerprint, seq });
        const bytes = encodeEnvelope(envelope);
        expect(decodeEnvelope(bytes)).toEqual({ kind: "envelope", envelope });
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  test("of another format is told apart before anything else is looked at", () => {
    expect(decodeJson({ v: 2 })).toEqual({ kind: "unknown-version", version: 2 });
    expect(decodeJson({ ...makeEnvelope({ command: createPrinter() }), v: 7 })).toEqual({
      kind: "unknown-version",
      version: 7,
    });
    for (const v of [null, "1", 1.5, -1, undefined]) {
      expect(reasonOf({ ...makeEnvelope({ command: createPrinter() }), v })).toMatch(/field v$/);
    }
  });

  test("that is not JSON in UTF-8, or not an object, is malformed", () => {
    const notUtf8 = Uint8Array.of(0x22, 0xff, 0x22);
    const texts = ["", "{", "nonsense", '{"v":1', "\0"].map((text) => encodeUtf8(text));
    for (const bytes of [notUtf8, ...texts]) {
      expect(decodeEnvelope(bytes)).toEqual({
        kind: "malformed",
        reason: "it is not JSON in UTF-8",
      });
    }
    for (const value of [1, null, "v", [], [1]]) {
      expect(reasonOf(value)).toBe("the envelope is not an object");
    }
  });

  test("with a field missing, added or of another kind is malformed, and names it", () => {
    const envelope = makeEnvelope({ command: createPrinter() });
    for (const field of Object.keys(envelope)) {
      const { [field as "v"]: _, ...without } = envelope;
      expect(reasonOf(without)).toBe(`the envelope has no field ${field}`);
      if (field === "v") continue;
      expect(reasonOf({ ...envelope, [field]: [true] })).toBe(
        `the envelope has a bad field ${field}`,
      );
    }
    expect(reasonOf({ ...envelope, more: 1 })).toBe("the envelope has unknown fields");
  });

  test("has numbers in their ranges", () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      node: [0, -1, 1.5, 2 ** 32, "1"],
      start: [-1, 0.5, 2 ** 53, null],
      seq: [0, -1, 2 ** 53],
      low: [0, -1],
      at: [-1, WALL_MS_MAX + 1, 0.5],
      key: ["", 5],
      fingerprint: ["", 5],
    };
    const envelope = makeEnvelope({ command: createPrinter(), key: "k", fingerprint: "f" });
    for (const [field, values] of Object.entries(wrong)) {
      for (const value of values) {
        expect(reasonOf({ ...envelope, [field]: value })).toBe(
          `the envelope has a bad field ${field}`,
        );
      }
    }
    expect(decodeJson({ ...envelope, start: 0, at: WALL_MS_MAX }).kind).toBe("envelope");
  });

  test("has its number within its own window, and a key with a fingerprint or neither", () => {
    const command = createPrinter();
    const of = (over: object) => reasonOf({ ...makeEnvelope({ command }), ...over });
    expect(of({ seq: 4, low: 5 })).toBe("the envelope has a number below its own low");
    const beyond = { seq: 5 + SESSION_WINDOW_MAX, low: 5 };
    expect(of(beyond)).toBe("the envelope has a number beyond its window");
    expect(of({ ...beyond, low: 6 })).toBe("not malformed: envelope");
    expect(of({ key: "k" })).toBe("the envelope has half a key");
    expect(of({ fingerprint: "f" })).toBe("the envelope has half a key");
  });
});

describe("a command in an envelope", () => {
  for (const command of EVERY_COMMAND) {
    test(`${command.kind}: every field missing, added or wrong is malformed and named`, () => {
      const of = (value: unknown) => reasonOf({ ...makeEnvelope({ command }), command: value });
      expect(of(command)).toBe("not malformed: envelope");
      for (const field of Object.keys(command)) {
        if (field === "kind") continue;
        const { [field as "kind"]: _, ...without } = command;
        expect(of(without)).toBe(`the command ${command.kind} has no field ${field}`);
        for (const value of [true, -1, {}, [null], 0.5, [-1]]) {
          if (field === "changes" && JSON.stringify(value) === "{}") continue;
          const bad = of({ ...command, [field]: value });
          expect(bad).toBe(`the command ${command.kind} has a bad field ${field}`);
        }
      }
      expect(of({ ...command, more: 1 })).toBe(`the command ${command.kind} has unknown fields`);
    });
  }

  test("has a kind that is known", () => {
    for (const kind of ["", "destroy-printer", "constructor", "__proto__", 5, null, undefined]) {
      const command = { ...createPrinter(), kind };
      expect(reasonOf({ ...makeEnvelope({ command: createPrinter() }), command })).toBe(
        "the command is of an unknown kind",
      );
    }
  });

  test("changes only fields that there are, to values that they can have", () => {
    const changes = [{ more: 1 }, { color: "" }, { color: null }, { type: "pla" }, { id: 1 }];
    const filaments = [...changes, { total_weight_in_grams: 0 }, { reserved_weight_in_grams: 1 }];
    for (const change of filaments) {
      const command = { ...updateFilament("1", {}), changes: change };
      expect(reasonOf({ ...makeEnvelope({ command: createPrinter() }), command })).toBe(
        "the command update-filament has a bad field changes",
      );
    }
    const proto: unknown = JSON.parse('{"__proto__":1}');
    const command = { ...updatePrinter("1", {}), changes: proto };
    expect(reasonOf({ ...makeEnvelope({ command: createPrinter() }), command })).toBe(
      "the command update-printer has a bad field changes",
    );
  });

  test("does not create a spool that holds more than its total", () => {
    const command = createFilament({ total_weight_in_grams: 5, remaining_weight_in_grams: 6 });
    expect(reasonOf(makeEnvelope({ command }))).toBe("the spool exceeds its total");
  });
});

describe("encoding", () => {
  test("asserts what decoding checks, so that a wrong command ends its proposer alone", () => {
    const wrong = [
      makeEnvelope({ command: createPrinter({ company: "" }) }),
      makeEnvelope({ command: createJob({ print_weight_in_grams: Number.NaN }) }),
      makeEnvelope({ command: createJob({ print_weight_in_grams: 0.5 }) }),
      makeEnvelope({ command: createPrinter(), seq: 0 }),
      makeEnvelope({ command: createPrinter(), key: "k" }),
      makeEnvelope({ command: { ...createPrinter(), more: 1 } as Command }),
    ];
    for (const envelope of wrong) {
      expect(() => encodeEnvelope(envelope)).toThrow(AssertionError);
      expect(decodeJson(envelope).kind).toBe("malformed");
    }
  });
});
