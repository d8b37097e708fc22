// Every field of every body, wrong in every way; and every way in which a body can be broken as a
// whole. The cases are made by a generator from what each field may be, so that a new field cannot
// be forgotten: the test that the table is complete compares it with the forms.

import { describe, expect, it } from "vitest";

import { BODY_BYTES_MAX } from "../base/limits.ts";
import {
  filamentChanges,
  newFilament,
  newPrinter,
  newPrintJob,
  printerChanges,
  statusChange,
} from "./forms.ts";
import { Harness, mistakes } from "./testing/harness.ts";

const TOO_LONG = (chars: number): string => "💡".repeat(chars + 1);

/** What no field of the kind takes. */
const WRONG_TEXT = [null, 1, true, {}, ["x"], ""];
const WRONG_NUMBER = [null, "5", "", true, {}, [1], -1, 1.5, 2 ** 53, 1e300];
const WRONG_ID = [null, true, {}, [1], -1, 1.5, 2 ** 53, TOO_LONG(128)];

interface FieldCase {
  readonly wrong: readonly unknown[];
  readonly needed: boolean;
}

const text = (chars: number): FieldCase => ({
  wrong: [...WRONG_TEXT, TOO_LONG(chars)],
  needed: true,
});
const optional = (field: FieldCase): FieldCase => ({ ...field, needed: false });

const company = text(256);
const model = text(256);
const color = text(256);
const type = { wrong: [...WRONG_TEXT, "WOOD", "PLA ", "PLA,ABS", "ſla"], needed: true };
const total = { wrong: [...WRONG_NUMBER, 0], needed: true };
const remaining = { wrong: WRONG_NUMBER, needed: false };
const newId = { wrong: WRONG_ID, needed: false };
const reference = { wrong: [...WRONG_ID, ""], needed: true };

const ENDPOINTS = [
  {
    method: "POST",
    url: "/api/v1/printers",
    form: newPrinter,
    good: { id: "a", company: "Prusa Research", model: "MK4S" },
    fields: { id: newId, company, model },
  },
  {
    method: "PATCH",
    url: "/api/v1/printers/1",
    form: printerChanges,
    good: { company: "Prusa Research", model: "MK4S" },
    fields: { company: optional(company), model: optional(model) },
  },
  {
    method: "POST",
    url: "/api/v1/filaments",
    form: newFilament,
    good: {
      id: "a",
      type: "PLA",
      color: "red",
      total_weight_in_grams: 1000,
      remaining_weight_in_grams: 900,
    },
    fields: {
      id: newId,
      type,
      color,
      total_weight_in_grams: total,
      remaining_weight_in_grams: remaining,
    },
  },
  {
    method: "PATCH",
    url: "/api/v1/filaments/1",
    form: filamentChanges,
    good: {
      type: "PLA",
      color: "red",
      total_weight_in_grams: 1000,
      remaining_weight_in_grams: 900,
    },
    fields: {
      type: optional(type),
      color: optional(color),
      total_weight_in_grams: optional(total),
      remaining_weight_in_grams: remaining,
    },
  },
  {
    method: "POST",
    url: "/api/v1/print_jobs",
    form: newPrintJob,
    good: {
      id: "a",
      printer_id: 1,
      filament_id: 1,
      filepath: "/gcode/sword.gcode",
      print_weight_in_grams: 100,
      status: "Queued",
    },
    fields: {
      id: newId,
      printer_id: reference,
      filament_id: reference,
      filepath: text(4096),
      print_weight_in_grams: total,
      status: { wrong: [...WRONG_TEXT, "Running", "done", "x"], needed: false },
    },
  },
  {
    method: "POST",
    url: "/api/v1/print_jobs/1/status",
    form: statusChange,
    good: { status: "running" },
    fields: { status: { wrong: [...WRONG_TEXT, "printing", "x".repeat(99)], needed: false } },
  },
  {
    method: "PUT",
    url: "/api/v1/print_jobs/1/status",
    form: statusChange,
    good: { status: "running" },
    fields: { status: { wrong: [...WRONG_TEXT, "printing"], needed: false } },
  },
] as const;

async function shopWithFarm(): Promise<Harness> {
  const shop = new Harness();
  await shop.farm();
  await shop.job();
  return shop;
}

describe.each(ENDPOINTS)("a body of $method $url", ({ method, url, form, good, fields }) => {
  const table: readonly (readonly [string, FieldCase])[] = Object.entries(fields);

  it("has a case for every field of its form", () => {
    expect(Object.keys(fields)).toEqual(Object.keys(form.schema.properties));
  });

  it("is taken when it is good", async () => {
    const shop = await shopWithFarm();
    const answer = await shop.call(method, url, { body: good });
    expect(answer.status, answer.text).toBeLessThan(300);
  });

  it("is refused for every wrong value of every field, by name, and nothing is proposed", async () => {
    const shop = await shopWithFarm();
    const before = shop.node.submitted.length;
    for (const [field, { wrong }] of table) {
      for (const value of wrong) {
        const answer = await shop.call(method, url, { body: { ...good, [field]: value } });
        const what = `${field} = ${JSON.stringify(value).slice(0, 60)}`;
        expect(answer.status, what).toBe(400);
        expect(answer.json["code"], what).toBe("invalid_fields");
        expect([...mistakes(answer).keys()], what).toEqual([field]);
        expect(mistakes(answer).get(field), what).toMatch(/^must be .+, not .+$/);
        expect(answer.text.length, what).toBeLessThan(1000);
      }
    }
    expect(shop.node.submitted).toHaveLength(before);
  });

  it("is refused for numbers that JSON can write and a double cannot hold", async () => {
    const shop = await shopWithFarm();
    for (const [field, { wrong }] of table) {
      // Fields that take numbers refuse -1; the others refuse every number as such.
      const taken = wrong.includes(-1) ? ["1e400", "-1e400", "0.99999999999999999999"] : ["1"];
      for (const written of taken) {
        const rest = JSON.stringify({ ...good, [field]: "HERE" });
        const body = rest.replace('"HERE"', written);
        const answer = await shop.call(method, url, { body });
        expect([...mistakes(answer).keys()], `${field} = ${written}`).toEqual([field]);
      }
    }
  });

  it("is refused for half a surrogate pair in any text", async () => {
    const shop = await shopWithFarm();
    for (const [field] of table) {
      const body = JSON.stringify({ ...good, [field]: "x\ud83d" });
      expect(body).toContain("\\ud83d");
      const answer = await shop.call(method, url, { body });
      expect([...mistakes(answer).keys()], field).toEqual([field]);
    }
  });

  it("names all its mistakes at once, the missing and the unknown among them", async () => {
    const shop = await shopWithFarm();
    const needed = table.filter(([, field]) => field.needed).map(([name]) => name);
    const other = table.filter(([, field]) => !field.needed).map(([name]) => name);
    const wrong = Object.fromEntries(other.map((name) => [name, null]));
    const body = `{"colour":1,"__proto__":{},"constructor":2,${JSON.stringify(wrong).slice(1)}`;
    const answer = await shop.call(method, url, { body: body.replace(/,}$/, "}") });
    const errors = mistakes(answer);
    const unknown = ["colour", "__proto__", "constructor"];
    expect([...errors.keys()].toSorted()).toEqual([...needed, ...other, ...unknown].toSorted());
    for (const name of needed) expect(errors.get(name)).toMatch(/^is missing: it must be /);
    for (const name of unknown) expect(errors.get(name)).toContain("is not a field");
  });

  it("is refused when a field stands twice", async () => {
    const shop = await shopWithFarm();
    const [field] = Object.keys(good);
    const body = `{"${field}":1,${JSON.stringify(good).slice(1)}`;
    const answer = await shop.call(method, url, { body });
    expect([...mistakes(answer)]).toEqual([[field, expect.stringContaining("more than once")]]);
  });

  it.each([
    ["nothing", 400, "body_required", "", {}],
    ["an array", 400, "malformed_json", "[1]", {}],
    ["null", 400, "malformed_json", "null", {}],
    ["half an object", 400, "malformed_json", '{"company":', {}],
    ["JavaScript", 400, "malformed_json", "{company: 'x'}", {}],
    ["only a space", 400, "malformed_json", " ", {}],
    ["deep nesting", 400, "malformed_json", '{"a":'.repeat(40) + "1" + "}".repeat(40), {}],
    ["Latin-1", 400, "invalid_utf8", Buffer.from('{"company":"Jos\xe9"}', "latin1"), {}],
    ["a cut character", 400, "invalid_utf8", Buffer.from('{"a":"€').subarray(0, -1), {}],
    [
      "a form",
      415,
      "unsupported_media_type",
      "a=1",
      { "content-type": "application/x-www-form-urlencoded" },
    ],
    ["plain text", 415, "unsupported_media_type", "{}", { "content-type": "text/plain" }],
    [
      "Latin-1 by its own account",
      415,
      "unsupported_media_type",
      "{}",
      { "content-type": "application/json; charset=latin1" },
    ],
    ["no type that makes sense", 415, "unsupported_media_type", "{}", { "content-type": "///" }],
    ["gzip", 415, "unsupported_media_type", "{}", { "content-encoding": "gzip" }],
    ["too much", 413, "body_too_large", `{"a":"${"x".repeat(BODY_BYTES_MAX)}"}`, {}],
  ] as const)("is refused when it is %s: %d %s", async (_, status, code, body, headers) => {
    const shop = await shopWithFarm();
    const before = shop.node.submitted.length;
    const answer = await shop.call(method, url, { body, headers });
    // A change of status may come without a body, and then lacks the status itself.
    const mayLack = form === statusChange && code === "body_required";
    expect([answer.status, answer.json["code"]]).toEqual(
      mayLack ? [400, "invalid_fields"] : [status, code],
    );
    expect(shop.node.submitted).toHaveLength(before);
  });

  it("tells where its JSON is broken", async () => {
    const shop = await shopWithFarm();
    const answer = await shop.call(method, url, { body: '{\n  "company": "x",\n}' });
    expect(answer.json).toMatchObject({ code: "malformed_json", line: 3, column: 1 });
  });

  it("is taken with a charset, in any letter case, with a byte order mark", async () => {
    const types = [
      "application/json; charset=utf-8",
      'APPLICATION/JSON;CHARSET="UTF-8"',
      "application/json;",
    ];
    for (const contentType of types) {
      const shop = await shopWithFarm();
      const body = `\ufeff${JSON.stringify(good)}`;
      const answer = await shop.call(method, url, {
        body,
        headers: { "content-type": contentType },
      });
      expect(answer.status, contentType).toBeLessThan(300);
    }
  });

  it("does not come with query parameters that mean nothing", async () => {
    const shop = await shopWithFarm();
    const before = shop.node.submitted.length;
    const answer = await shop.call(method, `${url}?consistency=stale&force`, { body: good });
    expect(answer.json["code"]).toBe("invalid_query");
    expect([...mistakes(answer).keys()]).toEqual(["consistency", "force"]);
    expect(shop.node.submitted).toHaveLength(before);
  });
});

describe("a body with merge-patch's media type", () => {
  it("is taken by PATCH and by nothing else", async () => {
    const shop = await shopWithFarm();
    const headers = { "content-type": "application/merge-patch+json" };
    expect((await shop.patch("/api/v1/printers/1", { model: "X" }, headers)).status).toBe(200);
    const post = await shop.post("/api/v1/printers", { company: "A", model: "B" }, headers);
    expect(post.status).toBe(415);
  });
});

describe("fields that only the cluster sets", () => {
  it.each([
    ["/api/v1/printers", { version: 1, created_at: "x" }, "is kept by the cluster"],
    ["/api/v1/filaments", { reserved_weight_in_grams: 1 }, "follows from the print jobs"],
    ["/api/v1/filaments", { available_weight_in_grams: 1 }, "follows from the print jobs"],
    ["/api/v1/print_jobs", { updated_at: "x" }, "is kept by the cluster"],
  ])("are refused in POST %s with the reason: %j", async (url, fields, reason) => {
    const answer = await new Harness().post(url, fields);
    for (const field of Object.keys(fields)) expect(mistakes(answer).get(field)).toContain(reason);
  });

  it("are refused in a PATCH, the id among them", async () => {
    const shop = await shopWithFarm();
    const answer = await shop.patch("/api/v1/printers/1", { id: 2, version: 1 });
    expect(mistakes(answer).get("id")).toContain("cannot be changed");
    expect([...mistakes(answer).keys()]).toEqual(["id", "version"]);
  });
});

describe("a PATCH", () => {
  it("without any field asks for nothing, and is refused", async () => {
    const shop = await shopWithFarm();
    for (const url of ["/api/v1/printers/1", "/api/v1/filaments/1"]) {
      const answer = await shop.patch(url, {});
      expect(answer.json["code"]).toBe("invalid_fields");
      expect(mistakes(answer).get("")).toContain("at least one of");
    }
  });
});

describe("a filament's weights", () => {
  it("may be equal, and the remaining one may not exceed the total", async () => {
    const shop = await shopWithFarm();
    const weights = { total_weight_in_grams: 10, remaining_weight_in_grams: 11 };
    const answers = [
      await shop.post("/api/v1/filaments", { type: "PLA", color: "red", ...weights }),
      await shop.patch("/api/v1/filaments/1", weights),
    ];
    for (const answer of answers) {
      expect([...mistakes(answer).keys()]).toEqual(["remaining_weight_in_grams"]);
    }
    await shop.filament({ ...weights, remaining_weight_in_grams: 10 });
  });

  it("are zero where -0 is written, in the log as well", async () => {
    const shop = new Harness();
    const body =
      '{"id":-0,"type":"PLA","color":"red","total_weight_in_grams":1.0,"remaining_weight_in_grams":-0}';
    expect((await shop.call("POST", "/api/v1/filaments", { body })).status).toBe(201);
    expect(shop.node.submitted).toEqual([
      {
        kind: "create-filament",
        id: 0,
        type: "PLA",
        color: "red",
        total_weight_in_grams: 1,
        remaining_weight_in_grams: 0,
      },
    ]);
  });
});

describe("a change of status", () => {
  it("takes the status from the query, the body, or both when they agree", async () => {
    const cases = [
      ["?status=running", undefined],
      ["?status=%22Running%22", undefined],
      ["?status='RUNNING'", undefined],
      ["", { status: "'running'" }],
      ["?status=running", { status: "Running" }],
      ["?status=running", {}],
    ] as const;
    for (const [query, body] of cases) {
      const shop = await shopWithFarm();
      const answer = await shop.call("POST", `/api/v1/print_jobs/1/status${query}`, { body });
      expect(answer.json["status"], query).toBe("Running");
    }
  });

  it("is refused when the two disagree, when neither is given, and when one is wrong", async () => {
    const shop = await shopWithFarm();
    const before = shop.node.submitted.length;
    const cases = [
      ["?status=running", { status: "done" }, "invalid_fields", /same in the query \(Running\)/],
      ["", undefined, "invalid_fields", /is missing/],
      ["", {}, "invalid_fields", /is missing/],
      ["?status=", undefined, "invalid_query", /not an empty string/],
      ["?status=printing", undefined, "invalid_query", /must be one of Queued/],
      ["?status=running&status=running", undefined, "invalid_query", /only once/],
      ["?status=running", { status: null }, "invalid_fields", /not null/],
    ] as const;
    for (const [query, body, code, message] of cases) {
      const answer = await shop.call("PUT", `/api/v1/print_jobs/1/status${query}`, { body });
      expect(answer.json["code"], query).toBe(code);
      expect(mistakes(answer).get("status"), query).toMatch(message);
    }
    expect(shop.node.submitted).toHaveLength(before);
  });
});

describe("a body full of unknown fields", () => {
  it("gets an answer of bounded size", async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`f${n}`, 0]));
    const answer = await new Harness().post("/api/v1/printers", many);
    expect(answer.json["errors"]).toHaveLength(103);
    expect(mistakes(answer).get("")).toBe("and 4900 more unknown fields");
    const long = await new Harness().post("/api/v1/printers", { ["x".repeat(60_000)]: 1 });
    expect(long.text.length).toBeLessThan(2000);
  });
});

describe("a body where none is needed", () => {
  it("is ignored, whatever it is", async () => {
    const shop = await shopWithFarm();
    const body = "{not json";
    expect((await shop.call("GET", "/api/v1/printers/1", { body })).status).toBe(200);
    expect((await shop.call("DELETE", "/api/v1/printers/2", { body })).status).toBe(404);
    await shop.printer({ id: 2 });
    expect((await shop.call("DELETE", "/api/v1/printers/2", { body })).status).toBe(204);
    expect((await shop.call("POST", "/nowhere", { body })).status).toBe(404);
    expect((await shop.call("PUT", "/api/v1/printers", { body })).status).toBe(405);
  });
});
