import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeUtf8 } from "../base/bytes.ts";
import type { Command } from "./command.ts";
import { encodeEnvelope } from "./envelope.ts";
import { Machine } from "./machine.ts";
import { MachineLoader, snapshotBlocks, snapshotParts } from "./snapshot.ts";
import { SECTIONS, SnapshotContentError } from "./snapshot-lines.ts";
import {
  aCommand,
  changeStatus,
  createFilament,
  createJob,
  createPrinter,
  deleteFilament,
  deletePrinter,
  OPENING,
  updateFilament,
  updatePrinter,
} from "./testing/commands.ts";
import { loadText, makeEnvelope, NODE, Script, snapshotText } from "./testing/script.ts";

/** A machine that has something in every section, and an answer with every kind of reply. */
function fullScript(): Script {
  const script = new Script();
  const commands: readonly Command[] = [
    ...OPENING,
    createJob(),
    createJob({ id: "x", printer_id: "1" }),
    createJob({ printer_id: 9 }),
    createJob({ id: 1 }),
    createJob({ print_weight_in_grams: 5000 }),
    changeStatus("1", "Done"),
    changeStatus("1", "Running"),
    changeStatus("1", "Running", [1]),
    changeStatus("none", "Running"),
    updatePrinter("1", { model: "XL" }),
    updateFilament("1", { remaining_weight_in_grams: 1 }),
    deletePrinter("1"),
    createFilament({ id: "gone" }),
    deleteFilament("gone"),
  ];
  for (const [at, command] of commands.entries()) {
    script.propose(command, { key: `key ${at}`, fingerprint: "f", low: Math.max(1, at - 5) });
  }
  return script;
}

/** What a loader says of a text; "" if it takes it. */
function complaint(text: string): string {
  try {
    loadText(text);
    return "";
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SnapshotContentError);
    return (thrown as Error).message;
  }
}

describe("a snapshot", () => {
  test("of an empty machine is three lines that anybody can read", () => {
    const text = snapshotText(Machine.empty({ answersMax: 5 }));
    expect(text).toMatchInlineSnapshot(`
      "{"header":{"format":"raft3d-machine","version":1,"index":0,"term":0}}
      {"counters":{"printer":1,"filament":1,"print_job":1,"answers_max":5}}
      {"footer":{"sessions":0,"answers":0,"printers":0,"filaments":0,"print_jobs":0,"chain":"0000000000000000","farm":"6c482c0150b3fafe"}}
      "
    `);
    expect(loadText(text).hashes()).toEqual(Machine.empty().hashes());
  });

  test("of a story is these lines for ever: old snapshots load in later versions", () => {
    const script = new Script(Machine.empty({ answersMax: 5 }));
    const key = { key: "k", fingerprint: "f" };
    for (const command of [...OPENING, createJob()]) script.accept(command);
    script.accept(changeStatus("1", "Running"), { ...key, low: 2 });
    script.refuse(createJob({ printer_id: "nobody" }), { key: "l", fingerprint: "g" });
    expect(snapshotText(script.machine)).toMatchInlineSnapshot(`
      "{"header":{"format":"raft3d-machine","version":1,"index":5,"term":1}}
      {"counters":{"printer":2,"filament":2,"print_job":2,"answers_max":5}}
      {"session":{"node":1,"start":1,"low":5,"applied":[[0,0]]}}
      {"answer":{"id":"k","created_index":4,"fingerprint":"f","reply":{"ok":true,"object":{"id":1,"printer_id":1,"filament_id":1,"filepath":"bracket.gcode","print_weight_in_grams":100,"status":"Running","created_index":3,"version":4,"created_ms":1700000000003,"updated_ms":1700000000004}}}}
      {"answer":{"id":"l","created_index":5,"fingerprint":"g","reply":{"ok":false,"rejection":{"code":"unknown_reference","fields":[{"field":"printer_id","id":"nobody"}]}}}}
      {"printer":{"id":1,"company":"Prusa","model":"MK4S","created_index":1,"version":1,"created_ms":1700000000001,"updated_ms":1700000000001}}
      {"filament":{"id":1,"type":"PLA","color":"black","total_weight_in_grams":1000,"remaining_weight_in_grams":1000,"reserved_weight_in_grams":100,"created_index":2,"version":3,"created_ms":1700000000002,"updated_ms":1700000000003}}
      {"print_job":{"id":1,"printer_id":1,"filament_id":1,"filepath":"bracket.gcode","print_weight_in_grams":100,"status":"Running","created_index":3,"version":4,"created_ms":1700000000003,"updated_ms":1700000000004}}
      {"footer":{"sessions":1,"answers":2,"printers":1,"filaments":1,"print_jobs":1,"chain":"76cc99b5724c898c","farm":"2979ab0c491d6cb0"}}
      "
    `);
    expect(loadText(snapshotText(script.machine)).hashes()).toEqual(script.machine.hashes());
  });

  test("I13: loads into a machine that saves the same bytes, with every section filled", () => {
    const { machine } = fullScript();
    const text = snapshotText(machine);
    const lines = text.split("\n");
    for (const section of SECTIONS) {
      expect(lines.some((line) => line.startsWith(`{"${section}":`))).toBe(true);
    }
    const loaded = loadText(text);
    expect(snapshotText(loaded)).toBe(text);
    expect(loaded.hashes()).toEqual(machine.hashes());
    expect([loaded.appliedIndex, loaded.appliedTerm]).toEqual([machine.appliedIndex, 1]);
    expect(loaded.farm.activeJobs("printer", "1")).toBe(machine.farm.activeJobs("printer", "1"));
    expect(machine.farm.activeJobs("printer", "1")).toBeGreaterThan(0);
  });

  test("I13, I14: taken at any point, its machine goes on exactly like the first one", () => {
    const proposals = fc.array(fc.tuple(aCommand, fc.option(fc.constantFrom("a", "b", "c", "d"))), {
      maxLength: 80,
      size: "max",
    });
    const anyBlock = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(proposals, fc.nat({ max: 80 }), anyBlock, (list, cut, blockBytes) => {
        const script = new Script(Machine.empty({ answersMax: 3 }));
        for (const command of OPENING) script.accept(command);
        let copy: Machine | null = null;
        for (const [at, [command, key]] of list.entries()) {
          if (at === cut) copy = loadText(snapshotText(script.machine, blockBytes));
          const fingerprint = key === null ? null : command.kind;
          const over = {
            key,
            fingerprint,
            low: Math.max(1, at - 4),
            seq: at + 1 + (at % 3),
            start: 2,
          };
          const applied = script.propose(command, over);
          const data = script.entries.at(-1) ?? new Uint8Array();
          if (copy === null) continue;
          expect(copy.apply(script.machine.appliedIndex, 1, data)).toEqual(applied);
          expect(copy.hashes()).toEqual(script.machine.hashes());
        }
        if (copy === null) return;
        expect(snapshotText(copy)).toBe(snapshotText(script.machine));
      }),
      { seed: 13, numRuns: 100 },
    );
  });

  test("I17: is of the moment of its view, though entries are applied while it is written", () => {
    const script = fullScript();
    const { machine } = script;
    const whole = snapshotText(machine, 256);
    const index = machine.appliedIndex;
    const blocks = snapshotBlocks(machine.view(), 256);
    const written: string[] = [];
    for (const block of blocks) {
      written.push(new TextDecoder().decode(block));
      script.propose(createPrinter());
      script.propose(createJob({ print_weight_in_grams: 1 }), {
        key: `${written.length}`,
        fingerprint: "f",
      });
      script.propose(updateFilament("1", { color: `shade ${written.length}` }));
    }
    expect(written.length).toBeGreaterThan(10);
    expect(written.join("")).toBe(whole);
    expect(loadText(whole).appliedIndex).toBe(index);
  });
});

describe("the blocks of a snapshot", () => {
  const decoder = new TextDecoder();

  test("are whole lines within the bound, and a line beyond it is a block of its own", () => {
    const { machine } = fullScript();
    const text = snapshotText(machine);
    for (const bound of [1, 100, 300, 1000, 1_000_000]) {
      const blocks = Array.from(snapshotBlocks(machine.view(), bound), (block) => block.slice());
      expect(blocks.map((block) => decoder.decode(block)).join("")).toBe(text);
      for (const [at, block] of blocks.entries()) {
        const lines = decoder.decode(block).split("\n");
        expect(lines.pop()).toBe("");
        expect(lines.length).toBeGreaterThan(0);
        if (lines.length > 1) expect(block.length).toBeLessThanOrEqual(bound);
        // No block could have taken the first line of the next one as well.
        const [next = ""] = decoder.decode(blocks[at + 1]).split("\n");
        if (at + 1 === blocks.length) continue;
        expect(block.length + encodeUtf8(`${next}\n`).length).toBeGreaterThan(bound);
      }
    }
  });

  test("count bytes and not characters", () => {
    const script = new Script();
    for (let n = 0; n < 40; n += 1) script.accept(createPrinter({ company: "𝔎".repeat(60) }));
    for (const block of snapshotBlocks(script.machine.view(), 1000)) {
      expect(block.length).toBeLessThanOrEqual(1000);
    }
  });

  test("are made when they are asked for and not before", () => {
    const script = new Script();
    for (let n = 0; n < 3000; n += 1) script.accept(createPrinter());
    const view = script.machine.view();
    let read = 0;
    function* counting<T>(rows: Iterable<T>): Generator<T> {
      for (const row of rows) {
        read += 1;
        yield row;
      }
    }
    const rows = view.farm.printers;
    const counted = {
      ...view,
      farm: {
        ...view.farm,
        printers: {
          size: rows.size,
          after: (index: number) => rows.after(index),
          values: () => rows.values(),
          *parts() {
            for (const part of rows.parts()) yield { of: part.of, rows: counting(part.rows) };
          },
        },
      },
    };
    const blocks = snapshotBlocks(counted, 1000);
    const reads = [1, 2, 3].map(() => {
      blocks.next();
      const before = read;
      read = 0;
      return before;
    });
    for (const rowsRead of reads) expect(rowsRead).toBeLessThan(12);
  });

  test("come in parts, and parts of one object are equal in snapshots of different times", () => {
    const script = new Script();
    const bytesOf = new Map<object, string>();
    let repeated = 0;
    const take = (): void => {
      const parts: string[] = [];
      for (const { of, blocks } of snapshotParts(script.machine.view(), 10_000)) {
        const text = Array.from(blocks(), (block) => decoder.decode(block)).join("");
        parts.push(text);
        if (of === null) continue;
        const known = bytesOf.get(of);
        if (known !== undefined) repeated += 1;
        expect(text).toBe(known ?? text);
        bytesOf.set(of, text);
      }
      expect(parts.join("")).toBe(snapshotText(script.machine));
    };
    script.accept(createPrinter());
    script.accept(createFilament({ total_weight_in_grams: 10_000_000 }));
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 700; n += 1) {
        script.accept(createPrinter());
        script.accept(createJob({ print_weight_in_grams: 1 }));
        script.propose(createPrinter(), { key: `${round} ${n}`, fingerprint: "f" });
      }
      take();
      script.accept({
        kind: "change-job-status",
        key: `${round + 1}`,
        expected: null,
        to: "Running",
      });
      script.accept({
        kind: "update-printer",
        key: "9",
        expected: null,
        changes: { model: `m${round}` },
      });
    }
    expect(repeated).toBeGreaterThan(3);
  });

  test("hold until the next one is asked for, and the loader does not go on using them", () => {
    const { machine } = fullScript();
    const loader = new MachineLoader();
    for (const block of snapshotBlocks(machine.view(), 300)) {
      loader.push(block);
      block.fill(0);
    }
    expect(loader.finish().hashes()).toEqual(machine.hashes());
  });
});

describe("a loader refuses", () => {
  const text = snapshotText(fullScript().machine);
  const lines = text.slice(0, -1).split("\n");
  const joined = (some: readonly string[]) => some.map((line) => `${line}\n`).join("");

  test("a snapshot of a later format, with its number and the advice to upgrade", () => {
    let thrown: unknown;
    try {
      loadText(text.replace('"version":1', '"version":2'));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SnapshotContentError);
    expect(thrown).toMatchObject({ version: 2 });
    expect(String(thrown)).toMatch(/format 2.*upgrade/);
  });

  test("a text that is none of ours", () => {
    expect(complaint("\n")).toMatch(/line 1: a line is not JSON/);
    expect(complaint("{}\n")).toMatch(/no known section/);
    expect(complaint("[]\n")).toMatch(/no known section/);
    expect(complaint('{"header":{},"more":1}\n')).toMatch(/no known section/);
    expect(complaint('{"toString":{}}\n')).toMatch(/no known section/);
    expect(complaint(text.replace("raft3d-machine", "raft3d-others"))).toMatch(/bad field format/);
    expect(complaint(text.slice(0, -1))).toMatch(/does not end with its line/);
    expect(complaint("")).toMatch(/does not end with its line/);
    const loader = new MachineLoader();
    expect(() => loader.push(Uint8Array.of(0x7b, 0xff, 0x0a))).toThrow(/not UTF-8/);
  });

  test("a snapshot in which any one line is missing, doubled or moved", () => {
    for (const [at, line] of lines.entries()) {
      const without = lines.toSpliced(at, 1);
      expect(complaint(joined(without)), `without line ${at + 1}`).not.toBe("");
      expect(complaint(joined(lines.toSpliced(at, 0, line))), `line ${at + 1} twice`).not.toBe("");
      for (const to of lines.keys()) {
        if (to === at) continue;
        expect(complaint(joined(without.toSpliced(to, 0, line))), `${at} to ${to}`).not.toBe("");
      }
    }
  });

  test("a snapshot that stops after any line", () => {
    for (let count = 0; count < lines.length; count += 1) {
      const loader = new MachineLoader();
      if (count > 0) loader.push(encodeUtf8(joined(lines.slice(0, count))));
      expect(() => loader.finish()).toThrow(/no header, no counters or no footer/);
    }
  });

  test("a text with the same meaning that this version would not have written", () => {
    const wrong = [
      text.replace('{"header":{', '{"header": {'),
      text.replace('"index":', '"index":0,"index":'),
      text.replace('"company":"Prusa"', '"company":"\\u0050rusa"'),
      text.replace(
        /"printer":\{"id":1,("company":"Prusa"),("model":"XL")/,
        '"printer":{"id":1,$2,$1',
      ),
      text.replace('"total_weight_in_grams":1000', '"total_weight_in_grams":1e3'),
    ];
    for (const it of wrong) {
      expect(it).not.toBe(text);
      expect(complaint(it)).toMatch(/not as this version writes it/);
    }
  });

  test("any change of any number or text of an object", () => {
    const rows = lines.flatMap((line, at) =>
      /^\{"(printer|filament|print_job)"/.test(line) ? [at] : [],
    );
    expect(rows.length).toBeGreaterThanOrEqual(4);
    for (const at of rows) {
      const line = lines[at] ?? "";
      for (const value of line.matchAll(/:(\d+|"[^"]*")[,}]/g)) {
        const old = value[1] ?? "";
        const changed = old.startsWith('"') ? `"${old.slice(1, -1)}x"` : `${Number(old) + 1}`;
        const place = value.index + 1;
        const spoilt = line.slice(0, place) + changed + line.slice(place + old.length);
        const reason = complaint(joined(lines.with(at, spoilt)));
        expect(reason, spoilt).not.toBe("");
      }
    }
  });

  test("weights that do not agree with the jobs, as a bug could have written them", () => {
    // A machine whose spool has lost its reservation, with a digest that is right for what it
    // holds.
    const script = new Script();
    for (const command of [...OPENING, createPrinter()]) script.accept(command);
    const good = snapshotText(script.machine);
    const spool = script.machine.farm.filaments.get("1");
    if (spool === undefined) throw new Error("no spool");
    script.machine.farm.replace("filament", { ...spool, reserved_weight_in_grams: 1, version: 3 });
    expect(snapshotText(script.machine)).not.toBe(good);
    expect(complaint(snapshotText(script.machine))).toMatch(/weights of filament 1 do not agree/);
  });

  test("an active job whose printer or spool is gone, as a bug could have written it", () => {
    for (const kind of ["printer", "filament"] as const) {
      const script = new Script();
      for (const command of [...OPENING, createJob()]) script.accept(command);
      script.machine.farm.remove(kind, "1");
      expect(complaint(snapshotText(script.machine))).toMatch(/job 1 is active on a printer or/);
    }
  });

  test("a version beyond the index that the snapshot covers", () => {
    const index = `"index":${lines.length}`;
    const early = text.replace(/"index":\d+/, '"index":3');
    expect(early).not.toBe(index);
    expect(complaint(early)).toMatch(/version \d+ does not fit index 3/);
  });

  test("more answers than there may be, and answers or sessions that no machine has", () => {
    expect(complaint(text.replace('"answers_max":262144', '"answers_max":3'))).toMatch(
      /more answers than there may be/,
    );
    expect(complaint(text.replace('"code":"not_found"', '"code":"lost"'))).toMatch(/unknown code/);
    expect(complaint(text.replace('"reply":{"ok":true', '"reply":{"ok":1'))).toMatch(/neither/);
    expect(complaint(text.replace('"fingerprint":"f"', '"fingerprint":""'))).toMatch(/fingerprint/);
    expect(complaint(text.replace('"node":1', '"node":0'))).toMatch(/bad field node/);
    expect(complaint(text.replace('"applied":[[', '"applied":[[3,2],['))).toMatch(
      /run from 3 to 2/,
    );
    expect(complaint(text.replace('"applied":[[', '"applied":[[1],['))).toMatch(/field applied/);
  });

  test("next ids that are taken, or lie below what the objects have passed", () => {
    expect(complaint(text.replace('"counters":{"printer":2', '"counters":{"printer":1'))).toMatch(
      /is taken/,
    );
    const script = new Script();
    for (const id of [1, 5]) script.accept(createPrinter({ id }));
    const taken = snapshotText(script.machine).replace('"printer":2', '"printer":5');
    expect(complaint(taken)).toMatch(/is taken/);
  });
});

describe("a machine of many objects", () => {
  test("is saved block by block and comes back whole", () => {
    const script = new Script();
    for (const command of OPENING) script.accept(command);
    for (let n = 0; n < 5000; n += 1) {
      const command =
        n % 7 === 3 ? deletePrinter(`${n - 3}`) : createPrinter({ model: `model ${n}` });
      script.propose(command);
    }
    const { machine } = script;
    const loader = new MachineLoader();
    for (const block of snapshotBlocks(machine.view(), 64 * 1024)) loader.push(block);
    const loaded = loader.finish();
    expect(loaded.hashes()).toEqual(machine.hashes());
    expect(loaded.farm.printers.size).toBe(machine.farm.printers.size);
    const data = encodeEnvelope(
      makeEnvelope({ command: createPrinter(), node: NODE, start: 9, seq: 1 }),
    );
    const next = machine.appliedIndex + 1;
    expect(loaded.apply(next, 1, data)).toEqual(machine.apply(next, 1, data));
  });
});
