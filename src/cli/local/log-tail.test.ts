import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LOG_TAIL_BYTES } from "../../base/limits.ts";
import { nodeDisk } from "../../env/node/disk.ts";
import { LogTail } from "./log-tail.ts";

async function logOf(before: string) {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "log");
  appendFileSync(path, before);
  const tail = await LogTail.open(nodeDisk(folder), "log", Buffer.byteLength(before));
  onTestFinished(() => tail.close());
  return { tail, add: (text: string) => appendFileSync(path, text) };
}

test("only what is added is read, each line once and only when it is whole", async () => {
  const { add, tail } = await logOf("of an earlier run\n");
  expect(await tail.lines()).toEqual([]);
  add("one\ntwo\nthr");
  expect(await tail.lines()).toEqual(["one", "two"]);
  expect(await tail.lines()).toEqual([]);
  add("ee – ");
  add("and more\n\n");
  expect(await tail.lines()).toEqual(["three – and more"]);
});

test("two readers at the same time do not read a line twice", async () => {
  const { add, tail } = await logOf("");
  add("one\ntwo\n");
  expect(await Promise.all([tail.lines(), tail.lines()])).toEqual([["one", "two"], []]);
});

test("a line without an end does not hold up the tail for ever, nor does much at once", async () => {
  const { add, tail } = await logOf("");
  add("x".repeat(LOG_TAIL_BYTES));
  expect(await tail.lines()).toEqual(["x".repeat(LOG_TAIL_BYTES)]);
  const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}`);
  add(`\n${lines.join("\n")}\n`);
  expect(await tail.lines()).toEqual(lines);
});
