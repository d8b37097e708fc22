// Content that no correct node writes, under checksums that hold (DESIGN.md, "Where the log ends", 10).

import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../base/bytes.ts";
import {
  FOUNDERS,
  type TestEntry,
  decodeEntries,
  encodeEntries,
  entriesFrom,
} from "../../sim/storage-world.ts";
import {
  type HardState,
  type SnapshotMark,
  writeEntries,
  writeHardState,
  writeMark,
} from "./items.ts";
import { Replay } from "./replay.ts";

const FOUNDING: SnapshotMark = { kind: "founding", index: 1, term: 1, confState: FOUNDERS };

interface Content {
  readonly hard?: HardState;
  readonly mark?: SnapshotMark;
  readonly carried?: boolean;
  readonly entries?: readonly TestEntry[];
}

function payload({ hard, mark, carried, entries }: Content): Uint8Array {
  const writer = new ByteWriter();
  writeHardState(writer, hard ?? { term: 1, vote: 0, commit: 1 });
  if (mark !== undefined) writeMark(writer, mark, carried ?? false);
  if (entries !== undefined) writeEntries(writer, encodeEntries(entries));
  return writer.take();
}

function local(index: number, term = 1): SnapshotMark {
  return { kind: "local", index, term, confState: FOUNDERS };
}

/** A log with entries 2 to 6 of term 1, of which 4 are committed. */
function started(): Replay {
  const replay = new Replay();
  expect(replay.apply(payload({ mark: FOUNDING }))).toBeNull();
  const entries = entriesFrom(2, 1, ["a", "b", "c", "d", "e"]);
  expect(replay.apply(payload({ hard: { term: 2, vote: 1, commit: 4 }, entries }))).toBeNull();
  return replay;
}

const HARD: HardState = { term: 2, vote: 1, commit: 4 };

describe("the content of a log", () => {
  it("is taken in as it comes: entries, conflicts, marks", () => {
    const replay = started();
    expect(replay.apply(payload({ hard: HARD, mark: local(4) }))).toBeNull();
    const entries = entriesFrom(5, 2, ["D"]);
    expect(replay.apply(payload({ hard: { term: 2, vote: 1, commit: 5 }, entries }))).toBeNull();
    expect(replay.lastIndex).toBe(5);
    expect(replay.marks).toEqual([FOUNDING, local(4)]);
    expect(decodeEntries(replay.entries.blocks(4, 100)).map(({ text }) => text)).toEqual([
      "c",
      "D",
    ]);
  });

  it.each<readonly [string, Content, string]>([
    [
      "the beginning of what is committed, and no more",
      { hard: HARD, entries: entriesFrom(2, 1, ["a", "b"]) },
      "entry 4 is dropped although it was settled",
    ],
    [
      "a snapshot of what was long before",
      { hard: HARD, mark: { kind: "installed", index: 3, term: 1, confState: FOUNDERS } },
      "takes the place of entries settled up to 4",
    ],
    ["a gap", { hard: HARD, entries: entriesFrom(8, 2, ["x"]) }, "a gap"],
    [
      "a committed entry written over",
      { hard: HARD, entries: entriesFrom(4, 2, ["x"]) },
      "settled",
    ],
    ["a term that goes back", { hard: { term: 1, vote: 1, commit: 4 } }, "goes back"],
    ["a commit index behind the end", { hard: { term: 2, vote: 1, commit: 9 } }, "committed"],
    ["a snapshot behind the end", { hard: HARD, mark: local(7) }, "snapshot at index 7"],
    ["a snapshot of another term than its entry", { hard: HARD, mark: local(4, 2) }, "terms"],
    ["two snapshots at one index", { hard: HARD, mark: local(1, 2) }, "different terms"],
  ])("is refused with %s", (_, content, what) => {
    expect(started().apply(payload(content))).toContain(what);
  });

  it("is refused with an entry at or below an installed snapshot", () => {
    const replay = started();
    const mark: SnapshotMark = { kind: "installed", index: 20, term: 2, confState: FOUNDERS };
    const hard = { term: 2, vote: 1, commit: 20 };
    expect(replay.apply(payload({ hard, mark }))).toBeNull();
    expect(replay.apply(payload({ hard, entries: entriesFrom(20, 2, ["x"]) }))).toContain(
      "settled",
    );
    expect(replay.apply(payload({ hard, entries: entriesFrom(22, 2, ["x"]) }))).toContain("a gap");
  });

  it("does not lose entries to a mark that is only carried along", () => {
    const replay = started();
    const mark: SnapshotMark = { kind: "installed", index: 3, term: 1, confState: FOUNDERS };
    expect(replay.apply(payload({ hard: HARD, mark, carried: true }))).toBeNull();
    expect(replay.lastIndex).toBe(6);
    expect(replay.entries.firstIndex).toBe(2);
  });

  it("is refused where it does not begin with a hard state, ends early, or has unknown parts", () => {
    const good = payload({ hard: HARD, mark: local(4), entries: entriesFrom(7, 2, ["x"]) });
    for (let length = 1; length < good.length; length++) {
      const outcome = started().apply(good.subarray(0, length));
      // Some beginnings are whole items; they say less, and nothing wrong.
      if (outcome !== null) expect(outcome, `${length} bytes`).toContain("cannot be read");
    }
    const marksOnly = new ByteWriter();
    writeMark(marksOnly, local(4), false);
    expect(started().apply(marksOnly.take())).toContain("hard state");
    expect(started().apply(Uint8Array.from([...payload({ hard: HARD }), 9]))).toContain("item 9");
    const badKind = payload({ hard: HARD, mark: local(4) });
    badKind[26] = 7;
    expect(started().apply(badKind)).toContain("kind of mark");
  });
});
