import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { nodeId } from "../base/brand.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import type { Envelope } from "./command.ts";
import { encodeEnvelope } from "./envelope.ts";
import { Machine, UnknownEntryError } from "./machine.ts";
import {
  aCommand,
  changeStatus,
  createFilament,
  createJob,
  createPrinter,
  deletePrinter,
  OPENING,
  updatePrinter,
} from "./testing/commands.ts";
import { loadText, makeEnvelope, Script, scriptOf, snapshotText } from "./testing/script.ts";

const NOTHING = new Uint8Array(0);

function keyed(key: string, fingerprint = "f"): Partial<Envelope> {
  return { key, fingerprint };
}

describe("a machine", () => {
  test("applies entries one by one from the first, and says which proposal each one was", () => {
    const script = new Script();
    const applied = script.propose(createPrinter());
    const object = script.machine.farm.printers.get("1");
    expect(applied).toEqual({
      kind: "replied",
      node: 1,
      start: 1,
      seq: 1,
      reply: { ok: true, object },
      replayed: false,
      event: {
        index: 1,
        term: 1,
        at: 1_700_000_000_001,
        event: { type: "printer.created", data: { id: 1, company: "Prusa", model: "MK4S" } },
      },
    });
    expect([script.machine.appliedIndex, script.machine.appliedTerm]).toEqual([1, 1]);
  });

  test("answers a deletion with no object, and a refusal with no event", () => {
    const script = scriptOf(...OPENING);
    expect(script.propose(deletePrinter("1"))).toMatchObject({ reply: { ok: true, object: null } });
    expect(script.propose(deletePrinter("1"))).toMatchObject({
      reply: { ok: false, rejection: { code: "not_found" } },
      event: null,
    });
  });

  test("refuses an entry that is not the next one, and a term that goes back", () => {
    const machine = Machine.empty();
    const data = encodeEnvelope(makeEnvelope({ command: createPrinter() }));
    expect(() => machine.apply(2, 1, data)).toThrow(AssertionError);
    machine.apply(1, 3, data);
    expect(() => machine.apply(1, 3, data)).toThrow(AssertionError);
    expect(() => machine.apply(3, 3, NOTHING)).toThrow(AssertionError);
    expect(() => machine.apply(2, 2, NOTHING)).toThrow(AssertionError);
    expect(() => machine.applyEmpty(1, 3)).toThrow(AssertionError);
    expect(machine.applyEmpty(2, 3)).toEqual({ kind: "empty" });
    expect(machine.apply(3, 4, NOTHING)).toEqual({ kind: "empty" });
    expect([machine.appliedIndex, machine.appliedTerm]).toEqual([3, 4]);
  });

  test("I18: an entry it cannot read stops it, unchanged, with advice and the index", () => {
    const script = scriptOf(...OPENING);
    const before = snapshotText(script.machine);
    const entries: readonly [Uint8Array, number | null][] = [
      [encodeUtf8('{"v":2,"something":"new"}'), 2],
      [encodeUtf8('{"v":1}'), null],
      [Uint8Array.of(0), null],
    ];
    for (const [data, version] of entries) {
      let thrown: unknown;
      try {
        script.machine.apply(3, 1, data);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(UnknownEntryError);
      expect(thrown).toMatchObject({ index: 3, version });
      expect(String(thrown)).toMatch(/^UnknownEntryError: log entry 3 .*upgrade it/);
      expect(snapshotText(script.machine)).toBe(before);
    }
    script.accept(createPrinter());
  });
});

describe("a proposal made again", () => {
  test("I8: is applied once, and the second time it is a duplicate that nobody is told of", () => {
    const script = scriptOf(...OPENING, createJob());
    const running = { command: changeStatus("1", "Running"), seq: 9, low: 1 };
    const data = encodeEnvelope(makeEnvelope(running));
    expect(script.apply(data)).toMatchObject({ kind: "replied", seq: 9 });
    const before = script.machine.farm.digest();
    expect(script.apply(data)).toEqual({ kind: "duplicate", node: 1, start: 1, seq: 9 });
    expect(script.machine.farm.digest()).toBe(before);
    expect(script.machine.appliedIndex).toBe(5);
  });

  test("I8: with a key it is a duplicate all the same, and not a replay", () => {
    const script = new Script();
    const data = encodeEnvelope(makeEnvelope({ command: createPrinter(), ...keyed("k") }));
    expect(script.apply(data)).toMatchObject({ kind: "replied", replayed: false });
    expect(script.apply(data)).toMatchObject({ kind: "duplicate" });
    expect(script.machine.farm.printers.size).toBe(1);
  });

  test("I9: from before a restart is not applied once the restarted node was heard", () => {
    const script = new Script();
    script.accept(createPrinter(), { start: 1, seq: 1, low: 1 });
    script.accept(createPrinter(), { start: 2, seq: 1, low: 1 });
    const late = script.propose(createPrinter(), { start: 1, seq: 2, low: 1 });
    expect(late).toEqual({ kind: "duplicate", node: 1, start: 1, seq: 2 });
    expect(script.machine.farm.printers.size).toBe(2);
    script.accept(createPrinter(), { node: nodeId(2), start: 1, seq: 2, low: 1 });
  });

  test("I8: every number applies once, however often and in whatever order it is committed", () => {
    const command = fc.constantFrom(
      createPrinter(),
      createPrinter({ id: "a" }),
      updatePrinter("1", { model: "XL" }),
    );
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 1, maxLength: 20 }),
        fc.array(fc.nat({ max: 19 }), { maxLength: 60, size: "max" }),
        (commands, order) => {
          const script = new Script();
          const answered = new Map<number, number>();
          for (const pick of order) {
            const seq = (pick % commands.length) + 1;
            const it = commands[seq - 1] ?? createPrinter();
            const applied = script.apply(encodeEnvelope(makeEnvelope({ command: it, seq })));
            if (applied.kind === "replied") answered.set(seq, (answered.get(seq) ?? 0) + 1);
          }
          const proposed = new Set(order.map((pick) => (pick % commands.length) + 1));
          expect(new Set(answered.keys())).toEqual(proposed);
          expect([...answered.values()].every((times) => times === 1)).toBe(true);
        },
      ),
      { seed: 88, numRuns: 100 },
    );
  });
});

describe("a client that tries again under its key", () => {
  test("I10: gets the first reply again, as it was, though the object has changed since", () => {
    const script = new Script();
    const first = script.reply(createPrinter({ id: "a" }), keyed("k"));
    script.accept(updatePrinter("a", { model: "XL" }));
    const digest = script.machine.farm.digest();
    const again = script.propose(createPrinter({ id: "a" }), keyed("k"));
    expect(again).toMatchObject({ kind: "replied", seq: 3, replayed: true, event: null });
    expect(again.kind === "replied" && again.reply).toBe(first);
    expect(first).toMatchObject({ object: { model: "MK4S", version: 1 } });
    expect(script.machine.farm.digest()).toBe(digest);
  });

  test("I10: gets a refusal again, even if the command could be carried out by now", () => {
    const script = scriptOf(createFilament());
    const first = script.reply(createJob(), keyed("k"));
    expect(first).toMatchObject({ ok: false, rejection: { code: "unknown_reference" } });
    script.accept(createPrinter());
    expect(script.propose(createJob(), keyed("k"))).toMatchObject({ reply: first, replayed: true });
    expect(script.machine.farm.jobs.size).toBe(0);
    script.accept(createJob(), keyed("another"));
  });

  test("I10: takes its job to Done once, so that the grams are taken off once", () => {
    const script = scriptOf(...OPENING, createJob(), changeStatus("1", "Running"));
    const replies = [1, 2, 3].map(() => script.reply(changeStatus("1", "Done"), keyed("done")));
    expect(replies.map((it) => it.ok)).toEqual([true, true, true]);
    expect(script.machine.farm.filaments.get("1")?.remaining_weight_in_grams).toBe(900);
  });

  test("I11: with another request is refused, and that is not remembered", () => {
    const script = new Script();
    const first = script.reply(createPrinter(), keyed("k", "one"));
    const refusal = { ok: false, rejection: { code: "idempotency_key_reused" } };
    const wrong = script.propose(createPrinter({ id: "b" }), keyed("k", "two"));
    expect(wrong).toMatchObject({ kind: "replied", reply: refusal, replayed: false, event: null });
    expect(script.reply(createPrinter({ id: "b" }), keyed("k", "two"))).toEqual(refusal);
    expect(script.reply(createPrinter(), keyed("k", "one"))).toBe(first);
    expect(script.machine.farm.printers.size).toBe(1);
    expect(script.machine.view().answers.size).toBe(1);
  });

  test("I10: a replay uses up its number, so the same proposal made again is a duplicate", () => {
    const script = new Script();
    script.accept(createPrinter(), keyed("k"));
    const replay = encodeEnvelope(
      makeEnvelope({ command: createPrinter(), seq: 7, ...keyed("k") }),
    );
    expect(script.apply(replay)).toMatchObject({ kind: "replied", replayed: true });
    expect(script.apply(replay)).toMatchObject({ kind: "duplicate" });
  });

  test("I10, I13: gets it from a machine that was restored from a snapshot, too", () => {
    const script = scriptOf(...OPENING);
    const accepted = script.reply(createJob(), keyed("good"));
    const refused = script.reply(createJob({ print_weight_in_grams: 5000 }), keyed("bad"));
    const restored = loadText(snapshotText(script.machine));
    expect(restored.recall("good", "f")).toEqual({ kind: "replay", reply: accepted });
    expect(restored.recall("bad", "f")).toEqual({ kind: "replay", reply: refused });
    expect(restored.recall("good", "g")).toEqual({ kind: "reused" });
    expect(restored.recall("none", "f")).toEqual({ kind: "unknown" });
    const data = encodeEnvelope(makeEnvelope({ command: createJob(), seq: 50, ...keyed("good") }));
    expect(restored.apply(5, 1, data)).toMatchObject({ reply: accepted, replayed: true });
  });

  test("I20: is a new client once its key was pushed out, after a snapshot as well", () => {
    const script = new Script(Machine.empty({ answersMax: 2 }));
    for (const key of ["a", "b", "c"]) script.accept(createPrinter(), keyed(key));
    expect(script.propose(createPrinter(), keyed("b"))).toMatchObject({ replayed: true });
    expect(script.propose(createPrinter(), keyed("a"))).toMatchObject({ replayed: false });
    expect(script.propose(createPrinter(), keyed("b"))).toMatchObject({ replayed: false });
    expect(script.machine.farm.printers.size).toBe(5);
    // The bound came with the snapshot, though the constant of the code is another one.
    const restored = loadText(snapshotText(script.machine));
    expect(restored.view().answersMax).toBe(2);
    expect(restored.recall("c", "f").kind).toBe("unknown");
    expect(restored.recall("b", "f").kind).toBe("replay");
  });
});

describe("the hashes", () => {
  /** An entry for each kind of outcome; `n` makes it unlike others. */
  const anEntry = fc
    .record({
      command: aCommand,
      seq: fc.integer({ min: 1, max: 30 }),
      node: fc.integer({ min: 1, max: 3 }).map(nodeId),
      start: fc.integer({ min: 1, max: 2 }),
      key: fc.option(fc.constantFrom("k1", "k2", "k3")),
      fingerprint: fc.constantFrom("f", "g"),
    })
    .map(({ key, fingerprint, ...rest }) =>
      encodeEnvelope(
        makeEnvelope({ ...rest, key, fingerprint: key === null ? null : fingerprint }),
      ),
    );
  const entries = fc.array(fc.oneof({ weight: 9, arbitrary: anEntry }, fc.constant(NOTHING)), {
    maxLength: 80,
    size: "max",
  });

  test("I14: of two machines that are fed the same entries are equal at every index", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const one = Machine.empty();
        const two = Machine.empty();
        for (const [at, data] of list.entries()) {
          const applied = one.apply(at + 1, 1, data);
          expect(two.apply(at + 1, 1, data.slice())).toEqual(applied);
          expect(two.hashes()).toEqual(one.hashes());
        }
        expect(snapshotText(two)).toBe(snapshotText(one));
      }),
      { seed: 14, numRuns: 100 },
    );
  });

  test("show at which index they are taken, and a chain that moves with every entry", () => {
    const machine = Machine.empty();
    const chains = new Set<string>();
    for (let index = 1; index <= 50; index += 1) {
      machine.applyEmpty(index, 1);
      chains.add(machine.chain);
      expect(machine.hashes()).toEqual({
        index,
        chain: machine.chain,
        farm: Machine.empty().farm.digest(),
      });
    }
    expect(chains.size).toBe(50);
  });

  test("show for ever that one entry was another one, though the farms are equal", () => {
    const one = scriptOf(createPrinter({ id: "a" }), deletePrinter("a"));
    const two = scriptOf(createPrinter({ id: "b" }), deletePrinter("b"));
    expect(one.machine.farm.digest()).toBe(two.machine.farm.digest());
    expect(one.machine.chain).not.toBe(two.machine.chain);
    one.accept(createPrinter());
    two.accept(createPrinter());
    expect(one.machine.chain).not.toBe(two.machine.chain);
  });

  // In what follows the farms are equal, and stay so: the entry is a refusal, or has no effect.
  const text = snapshotText(scriptOf(...OPENING, createJob()).machine);
  const refused = encodeEnvelope(
    makeEnvelope({ command: createJob({ printer_id: "no" }), seq: 20, ...keyed("k") }),
  );

  /** The text of a machine that has answered key k with this, to this request. */
  function answered(reply: string, fingerprint = "f"): string {
    const answer = `{"id":"k","created_index":3,"fingerprint":"${fingerprint}","reply":${reply}}`;
    return text
      .replace('\n{"printer":', `\n{"answer":${answer}}\n{"printer":`)
      .replace('"answers":0', '"answers":1');
  }

  /** The chain after the machine of this text has applied an entry. */
  function chainAfter(of: string, data = refused, term = 1): string {
    const machine = loadText(of);
    machine.apply(machine.appliedIndex + 1, term, data);
    return machine.chain;
  }

  test("show in the chain that an index, a term or a byte of an entry is another one", () => {
    const late = text.replace('"index":3', '"index":4');
    const other = encodeUtf8(new TextDecoder().decode(refused).replace('"at":1', '"at":2'));
    const chains = [
      chainAfter(text),
      chainAfter(late),
      chainAfter(text, refused, 2),
      chainAfter(text, other),
      chainAfter(text, NOTHING),
      chainAfter(late, NOTHING),
      chainAfter(text, NOTHING, 2),
    ];
    expect(new Set(chains).size).toBe(chains.length);
    expect(chainAfter(text)).toBe(chains[0]);
  });

  test("show in the chain what became of an entry, and of a replay which one it was", () => {
    const printer = (model: string) =>
      `{"ok":true,"object":{"id":1,"company":"c","model":"${model}","created_index":1,` +
      '"version":1,"created_ms":1,"updated_ms":1}}';
    const mismatch = (version: number) =>
      `{"ok":false,"rejection":{"code":"version_mismatch","version":${version}}}`;
    const chains = [
      chainAfter(text),
      // This node believes that number 20 was applied.
      chainAfter(text.replace('"applied":[[0,0]]', '"applied":[[0,0],[17,17]]')),
      // These believe that they have answered the key: another request, or this one like this.
      chainAfter(answered('{"ok":true,"object":null}', "another")),
      chainAfter(answered('{"ok":true,"object":null}')),
      chainAfter(answered(printer("m"))),
      chainAfter(answered(printer("n"))),
      chainAfter(answered(mismatch(2))),
      chainAfter(answered(mismatch(3))),
    ];
    expect(new Set(chains).size).toBe(chains.length);
  });

  test("show in the chain at the next entry that a farm is not what it should be", () => {
    const machine = loadText(text);
    const printer = machine.farm.printers.get("1");
    if (printer === undefined) throw new Error("no printer");
    machine.farm.replace("printer", { ...printer, company: "Voron", version: 3 });
    expect(machine.chain).toBe(loadText(text).chain);
    machine.applyEmpty(4, 1);
    expect(machine.chain).not.toBe(chainAfter(text, NOTHING));
  });
});
