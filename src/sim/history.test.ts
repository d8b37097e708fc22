import { expect, test } from "vitest";
import type { Operation } from "./history.ts";
import { History, resultOf } from "./history.ts";

const CREATE: Operation = { kind: "create-printer", id: null, company: "c1-1", model: "MK4" };
const LIST: Operation = { kind: "list", collection: "printers" };

function linesOf(history: History): unknown[] {
  const text = history.text();
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

test("operations are written with their times, between a header and an end", () => {
  const history = new History("seed 12");
  const create = history.call(1, CREATE);
  const list = history.call(2, LIST);
  list.return({ kind: "ok", objects: [] });
  create.return({ kind: "ok", object: { id: 1, version: 2, company: "c1-1", model: "MK4" } });
  const printer = { id: 1, version: 2, company: "c1-1", model: "MK4" };
  expect(linesOf(history)).toEqual([
    { history: "seed 12" },
    { client: 1, call: 1, return: 4, op: CREATE, result: { kind: "ok", object: printer } },
    { client: 2, call: 2, return: 3, op: LIST, result: { kind: "ok", objects: [] } },
    { end: "seed 12" },
  ]);
  expect(history.length).toBe(2);
});

test("what never returned, or returned without an outcome, is unknown and has no return", () => {
  const history = new History("h", () => 7);
  history.call(1, CREATE);
  history.call(2, LIST).return({ kind: "unknown" });
  expect(linesOf(history).slice(1, -1)).toEqual([
    { client: 1, call: 7, return: null, op: CREATE, result: { kind: "unknown" } },
    { client: 2, call: 7, return: null, op: LIST, result: { kind: "unknown" } },
  ]);
});

test("an operation returns once", () => {
  const called = new History("h").call(1, CREATE);
  called.return({ kind: "none" });
  expect(() => called.return({ kind: "none" })).toThrow("an operation returns once");
});

test("a time that is no safe integer is refused", () => {
  expect(() => new History("h", () => 0.5).call(1, LIST)).toThrow("0.5 is no time for a history");
});

test("a reply becomes a result, a refusal with its particulars", () => {
  expect(resultOf({ ok: true, object: null })).toEqual({ kind: "ok", object: null });
  const rejection = { code: "version_mismatch", version: 9 } as const;
  expect(resultOf({ ok: false, rejection })).toEqual({
    kind: "rejected",
    code: "version_mismatch",
    detail: rejection,
  });
});
