import { describe, expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import type { GroupStatus, PeerProgress } from "../raft/messages.ts";
import { Compaction } from "./compaction.ts";

function peer(id: number, match: number, recentlyActive = true): PeerProgress {
  return { id, match, next: match + 1, state: 1, recentlyActive };
}

function leaderOf(progress: readonly PeerProgress[]): GroupStatus {
  return {
    role: "leader",
    leader: 1,
    hardState: { term: 2, vote: 1, commit: 1000 },
    transferee: 0,
    firstIndex: 2,
    lastIndex: 1000,
    snapshotIndex: 1,
    confState: {
      voters: [1, 2, 3],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    },
    progress,
  };
}

function at(snapshotIndex: number, id = 5): Compaction {
  const [snapshotEntries, trailingEntries] = [100, 20];
  return new Compaction({ nodeId: nodeId(id), snapshotEntries, trailingEntries, snapshotIndex });
}

describe("when a snapshot is taken", () => {
  test("after as many entries as asked for, and not twice at once", () => {
    const compaction = at(1);
    expect(compaction.wantsSnapshot(100, 0)).toBe(false);
    expect(compaction.wantsSnapshot(101, 0)).toBe(true);
    compaction.began();
    expect(compaction.wantsSnapshot(500, 0)).toBe(false);
    expect(compaction.taken(101)).toBe(true);
    expect(compaction.wantsSnapshot(200, 0)).toBe(false);
    expect(compaction.wantsSnapshot(201, 0)).toBe(true);
  });

  test("only when half as many entries have come as there are objects to be written", () => {
    expect(at(1).wantsSnapshot(2000, 4000)).toBe(false);
    expect(at(1).wantsSnapshot(2001, 4000)).toBe(true);
  });

  test("of a large farm when there are as many as a start can apply again in a few seconds", () => {
    for (const objects of [250_000, 1_000_000]) {
      expect(at(1).wantsSnapshot(40_000, objects)).toBe(false);
      expect(at(1).wantsSnapshot(40_001, objects)).toBe(true);
    }
  });

  test("after a rest as long as the last one took, if not twice as many entries come meanwhile", () => {
    const took = 30;
    const rested = (ticks: number): Compaction => {
      const compaction = at(1);
      const tick = (): boolean => compaction.tick(40_001, 1_000_000);
      expect(compaction.wantsSnapshot(40_001, 1_000_000)).toBe(true);
      compaction.began();
      for (let n = 0; n < took; n++) tick();
      expect(compaction.taken(40_001)).toBe(true);
      for (let n = 0; n < ticks; n++) tick();
      return compaction;
    };
    expect(rested(took - 1).wantsSnapshot(80_001, 1_000_000)).toBe(false);
    expect(rested(took).wantsSnapshot(80_001, 1_000_000)).toBe(true);
    expect(rested(took - 1).wantsSnapshot(120_000, 1_000_000)).toBe(false);
    expect(rested(took - 1).wantsSnapshot(120_001, 1_000_000)).toBe(true);
  });

  test("without a rest if it falls quiet, or if the newest one cannot be read any more", () => {
    for (const why of ["quiet", "lost"] as const) {
      const compaction = at(1);
      compaction.began();
      for (let n = 0; n < 60; n++) compaction.tick(2000, 4000);
      expect(compaction.taken(2001)).toBe(true);
      expect(compaction.wantsSnapshot(4001, 4000)).toBe(false);
      if (why === "lost") {
        compaction.lost(2001);
        expect(compaction.wantsSnapshot(2100, 4000)).toBe(true);
        continue;
      }
      const quiet = Array.from({ length: 45 }, () => compaction.tick(2200, 4000));
      expect(quiet).toContain(true);
    }
  });

  test("of a small farm after a rest, too, and after twice the entries that were asked for at the latest", () => {
    const compaction = at(1);
    compaction.began();
    for (let n = 0; n < 5; n++) compaction.tick(100, 0);
    expect(compaction.taken(101)).toBe(true);
    expect(compaction.wantsSnapshot(300, 0)).toBe(false);
    expect(compaction.wantsSnapshot(301, 0)).toBe(true);
  });

  test("of a large farm at another index by each node, so that they are not all slow at once", () => {
    const due = [1, 2, 3, 4, 5].map((id) => {
      const compaction = at(1, id);
      for (let index = 1; ; index += 1) if (compaction.wantsSnapshot(index, 2000)) return index - 1;
    });
    expect(due).toEqual([1100, 1200, 1300, 1400, 1000]);
    expect([1, 2, 3].map((id) => at(1, id).wantsSnapshot(101, 0))).toEqual([true, true, true]);
  });

  test("of a large farm earlier where it is quiet, when there is a fiftieth to be applied again", () => {
    const ticks = (compaction: Compaction, appliedIndex: number, objects: number): boolean[] =>
      Array.from({ length: 40 }, () => compaction.tick(appliedIndex, objects));
    // The first look finds that all of these have just come.
    expect(ticks(at(1), 1101, 50_000).filter(Boolean)).toHaveLength(1);
    expect(ticks(at(1), 1101, 50_000).slice(0, 30)).not.toContain(true);
    expect(ticks(at(1), 1000, 50_000)).not.toContain(true);
    expect(ticks(at(1), 100, 0)).not.toContain(true);
    const busy = at(1);
    const whileBusy = Array.from({ length: 400 }, (_, n) => busy.tick(2000 + 10 * n, 50_000));
    expect(whileBusy).not.toContain(true);
    const underWay = at(1);
    underWay.began();
    expect(ticks(underWay, 5000, 0)).not.toContain(true);
  });

  test("one that failed is tried again after a quarter of the distance, not at once", () => {
    const compaction = at(1);
    compaction.began();
    compaction.failed(150);
    expect(compaction.wantsSnapshot(174, 0)).toBe(false);
    expect(compaction.wantsSnapshot(175, 0)).toBe(true);
  });

  test("a new one at once, even of the same state, when the file of the newest is lost", () => {
    const compaction = at(100);
    compaction.lost(50);
    expect(compaction.wantsSnapshot(100, 0)).toBe(false);
    compaction.lost(100);
    expect(compaction.wantsSnapshot(100, 0)).toBe(true);
    compaction.began();
    expect(compaction.wantsSnapshot(100, 0)).toBe(false);
    expect(compaction.taken(100)).toBe(false);
    expect(compaction.wantsSnapshot(199, 0)).toBe(false);
  });

  test("one that was overtaken by an installed snapshot is not counted", () => {
    const compaction = at(1);
    compaction.began();
    compaction.installed(300);
    expect(compaction.taken(101)).toBe(false);
    expect(compaction.snapshotIndex).toBe(300);
  });
});

describe("what the log may forget", () => {
  test("everything but the entries kept behind the snapshot, when all followers are up to date", () => {
    expect(at(500).compactThrough(leaderOf([peer(2, 990), peer(3, 1000)]))).toBe(480);
  });

  test("nothing that a follower who is a little behind still needs", () => {
    expect(at(500).compactThrough(leaderOf([peer(2, 300), peer(3, 1000)]))).toBe(300);
  });

  test("a follower who is away does not hold the log", () => {
    expect(at(500).compactThrough(leaderOf([peer(2, 3, false), peer(3, 1000)]))).toBe(480);
  });

  test("a follower who stays behind holds it for four snapshots and no longer", () => {
    expect(at(1000).compactThrough(leaderOf([peer(2, 3), peer(3, 1000)]))).toBe(580);
  });

  test("nothing behind a snapshot that is on its way to a follower, until it has arrived", () => {
    const compaction = at(500);
    compaction.transferBegan(nodeId(2), 400);
    expect(compaction.compactThrough(leaderOf([peer(3, 1000)]))).toBe(400);
    compaction.transferEnded(nodeId(2));
    expect(compaction.compactThrough(leaderOf([peer(3, 1000)]))).toBe(480);
  });

  test("nothing behind a snapshot on its way when the next one is taken, however far from it that is", () => {
    const compaction = at(1);
    for (const index of [1, 2, 3].map((n) => n * 100_000)) {
      compaction.began();
      if (index === 200_000) compaction.transferBegan(nodeId(2), 100_000);
      compaction.taken(index);
      expect(compaction.compactThrough(leaderOf([peer(3, 400_000)]))).toBe(
        index === 100_000 ? 99_980 : 100_000,
      );
    }
    compaction.taken(400_000);
    expect(compaction.compactThrough(leaderOf([peer(3, 400_000)]))).toBe(199_980);
  });

  test("nothing at all before the first snapshots are further than what is kept", () => {
    expect(at(10).compactThrough(leaderOf([peer(2, 10)]))).toBe(0);
  });
});
