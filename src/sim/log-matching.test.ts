import { expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import { LogMatching } from "./log-matching.ts";
import { type ForgedEntry, blockOf, readyWith } from "./testing/ready.ts";

const [ONE, TWO] = [nodeId(1), nodeId(2)];
const FOUNDING = { index: 1, term: 1 };

/** Two nodes with the log that a founding leaves. */
function founded(): LogMatching {
  const logs = new LogMatching();
  for (const node of [ONE, TWO]) logs.opened(node, FOUNDING);
  return logs;
}

function write(logs: LogMatching, node: typeof ONE, ...entries: ForgedEntry[]): string | null {
  return logs.ready(node, readyWith({ entries }));
}

const A2 = { index: 2, term: 2, data: "a" };
const B2 = { index: 2, term: 2, data: "b" };
const A3 = { index: 3, term: 2, data: "c" };

test("the same entries on two nodes are in order, also where one has another tail in the meantime", () => {
  const logs = founded();
  expect(write(logs, ONE, A2, A3)).toBeNull();
  expect(write(logs, TWO, A2)).toBeNull();
  expect(write(logs, TWO, { index: 3, term: 3 }, { index: 4, term: 3 })).toBeNull();
  expect(write(logs, ONE, { index: 3, term: 3 }, { index: 4, term: 3 })).toBeNull();
  expect(logs.entries).toBe(4);
});

test("a Ready that wants nothing written says nothing", () => {
  expect(founded().ready(ONE, readyWith({}))).toBeNull();
});

test("two different entries at one index and term are found", () => {
  const logs = founded();
  write(logs, ONE, A2);
  expect(write(logs, TWO, B2)).toBe("nodes 1 and 2 hold different entries at 2/2");
});

test("so are two that differ in their type alone", () => {
  const logs = founded();
  write(logs, ONE, A2);
  expect(write(logs, TWO, { ...A2, type: 1 })).toBe("nodes 1 and 2 hold different entries at 2/2");
});

test("so is the same entry behind entries of different terms", () => {
  const logs = founded();
  write(logs, ONE, A2, { index: 3, term: 4 });
  expect(write(logs, TWO, { index: 2, term: 3 }, { index: 3, term: 4 })).toBe(
    "nodes 1 and 2 hold different entries at 3/4",
  );
});

test("what a node recovers from its disk is compared with what was written elsewhere", () => {
  const logs = founded();
  write(logs, ONE, A2, A3);
  logs.opened(TWO, FOUNDING);
  expect(logs.loaded(TWO, blockOf([A2]))).toBeNull();
  expect(logs.loaded(TWO, blockOf([{ ...A3, data: "rotten" }]))).toBe(
    "nodes 1 and 2 hold different entries at 3/2",
  );
});

test("what was recovered is known, and so is the term before it", () => {
  const logs = founded();
  logs.opened(ONE, { index: 7, term: 3 });
  expect(logs.loaded(ONE, blockOf([{ index: 8, term: 4 }]))).toBeNull();
  logs.opened(TWO, { index: 7, term: 2 });
  expect(write(logs, TWO, { index: 8, term: 4 })).toBe(
    "nodes 1 and 2 hold different entries at 8/4",
  );
});

test("a snapshot takes the place of a log, and the entry behind it follows it", () => {
  const logs = founded();
  write(logs, ONE, A2, A3, { index: 4, term: 2 });
  const snapshot = { index: 3, term: 2 };
  const entries = [{ index: 4, term: 2 }];
  expect(logs.ready(TWO, readyWith({ snapshot, entries }))).toBeNull();
  const other = { index: 3, term: 1 };
  expect(logs.ready(TWO, readyWith({ snapshot: other, entries }))).toBe(
    "nodes 1 and 2 hold different entries at 4/2",
  );
});

test("an entry behind a hole is found: after a cut tail, behind a start, without any log", () => {
  const logs = founded();
  write(logs, ONE, A2, A3, { index: 4, term: 2 });
  write(logs, ONE, { index: 2, term: 3 });
  expect(write(logs, ONE, { index: 5, term: 3 })).toBe("node 1 holds entry 5 behind a hole");
  logs.opened(TWO, FOUNDING);
  expect(logs.loaded(TWO, blockOf([A3]))).toBe("node 2 holds entry 3 behind a hole");
  expect(write(logs, nodeId(3), A2)).toBe("node 3 has entries before it has a log");
});
