import { describe, expect, test } from "vitest";
import { APPLIED_TOGETHER_BYTES_MAX, APPLIED_TOGETHER_MAX } from "../base/limits.ts";
import type { Command } from "../fsm/command.ts";
import type { ApplyWork } from "../raft/messages.ts";
import { Backlog } from "./backlog.ts";
import { CHECKPOINT_ENTRIES } from "./divergence.ts";
import { Harness, type Host } from "./testing/replica-harness.ts";

const printer = (model: string): Command => ({
  kind: "create-printer",
  id: null,
  company: "Prusa",
  model,
});

function work(ticket: number, from: number, count: number, type = 0, bytes = 1): ApplyWork {
  const data = new Uint8Array(bytes);
  const entries = Array.from({ length: count }, (_, at) => ({
    index: from + at,
    term: 1,
    type,
    data,
  }));
  return { ticket, entries };
}

describe("a backlog", () => {
  test("is taken as one piece of work, in the order of the log, under the last ticket", () => {
    const backlog = new Backlog();
    expect(backlog.take()).toBeNull();
    backlog.add(work(7, 2, 3));
    backlog.add(work(8, 5, 2));
    const taken = backlog.take();
    expect(taken?.ticket).toBe(8);
    expect(taken?.entries.map(({ index }) => index)).toEqual([2, 3, 4, 5, 6]);
    expect(backlog.isEmpty).toBe(true);
    expect(backlog.take()).toBeNull();
  });

  test("is due when it is long enough", () => {
    const backlog = new Backlog();
    backlog.add(work(1, 2, APPLIED_TOGETHER_MAX - 1));
    expect(backlog.isDue).toBe(false);
    backlog.add(work(2, APPLIED_TOGETHER_MAX + 1, 1));
    expect(backlog.isDue).toBe(true);
  });

  test("is due when it is large enough, however few entries that are", () => {
    const backlog = new Backlog();
    backlog.add(work(1, 2, 1, 0, APPLIED_TOGETHER_BYTES_MAX - 1));
    expect(backlog.isDue).toBe(false);
    backlog.add(work(2, 3, 1));
    expect(backlog.isDue).toBe(true);
    backlog.take();
    backlog.add(work(3, 4, 1));
    expect(backlog.isDue).toBe(false);
  });

  test("is due at once when the members change, and not any more when that was taken", () => {
    const backlog = new Backlog();
    backlog.add(work(1, 2, 1, 2));
    backlog.add(work(2, 3, 1));
    expect(backlog.isDue).toBe(true);
    backlog.take();
    backlog.add(work(3, 4, 1));
    expect(backlog.isDue).toBe(false);
  });
});

describe("a replica whose clients wait for nothing", () => {
  async function held(writes: number): Promise<{ farm: Harness; leader: Host; follower: Host }> {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    farm.settle();
    farm.holdsBack = true;
    const follower = farm.all.find((host) => host !== leader)!;
    for (let n = 0; n < writes; n++) {
      leader.submit(printer(`MK${n}`));
      farm.settle();
    }
    // Followers hear of the last commit with what comes next.
    farm.tick();
    return { farm, leader, follower };
  }

  const printers = ({ replica }: Host): number => replica.machine.farm.printers.size;

  test("holds back what is committed until it is told to apply it; the one that is waited at does not", async () => {
    const { leader, follower } = await held(5);
    expect(printers(leader)).toBe(5);
    expect(leader.replica.holdsBack).toBe(false);
    expect(printers(follower)).toBe(0);
    expect(follower.replica.holdsBack).toBe(true);
    follower.step({ kind: "apply" });
    expect(printers(follower)).toBe(5);
    expect(follower.replica.holdsBack).toBe(false);
    expect(follower.replica.machine.hashes()).toEqual(leader.replica.machine.hashes());
    const applied = follower.effects.filter((effect) => effect.kind === "applied").at(-1);
    expect(applied?.events.length).toBe(5);
  });

  test("asks the leader for a read first, then applies, and answers only then", async () => {
    const { farm, follower } = await held(5);
    const read = follower.read();
    expect(follower.replica.isAwaited).toBe(true);
    expect(printers(follower)).toBe(0);
    expect(follower.effects.some((effect) => effect.kind === "send")).toBe(true);
    farm.settle();
    expect(follower.reads.get(read)).toEqual({ kind: "ok" });
    expect(printers(follower)).toBe(5);
  });

  test("applies what else is committed while a write of its own is under way", async () => {
    const { farm, leader, follower } = await held(5);
    farm.passes = (from, to) => !(from === follower.id && to === leader.id);
    const request = follower.submit(printer("its own"));
    expect(follower.replica.isAwaited).toBe(true);
    farm.passes = () => true;
    leader.submit(printer("another"));
    farm.settle();
    expect(printers(follower)).toBeGreaterThanOrEqual(5);
    expect(follower.replica.holdsBack).toBe(false);
    farm.tick(25);
    expect(follower.replies.get(request)).toMatchObject({ reply: { object: { id: 7 } } });
  });

  test("holds back also where it leads, if all clients are at other nodes", async () => {
    const { farm, leader, follower } = await held(0);
    const request = follower.submit(printer("MK4"));
    farm.tick();
    expect(follower.replies.get(request)).toMatchObject({ kind: "replied", reply: { ok: true } });
    expect(leader.replica.holdsBack).toBe(true);
    expect(printers(leader)).toBe(0);
  });

  test("applies it before a write of its own, which is answered with what came before it", async () => {
    const { farm, follower } = await held(5);
    const request = follower.submit(printer("its own"));
    farm.tick();
    expect(follower.replies.get(request)).toMatchObject({ reply: { object: { id: 6 } } });
    expect(printers(follower)).toBe(6);
  });

  test("applies by itself what has become long", async () => {
    const { farm, leader, follower } = await held(1);
    const count = APPLIED_TOGETHER_MAX;
    for (let n = 0; n < count; n++) leader.submit(printer(`late ${n}`));
    farm.settle();
    farm.tick();
    expect(printers(follower)).toBe(count + 1);
  });

  test("leads with what it held back applied, when somebody asks it", async () => {
    const { farm, leader } = await held(5);
    farm.cut.add(leader.id);
    let next: Host | undefined;
    while (next === undefined) {
      farm.tick();
      next = farm.all.find((host) => host !== leader && host.replica.role === "leader");
    }
    const read = next.read();
    farm.tick(2);
    expect(next.reads.get(read)).toEqual({ kind: "ok" });
    expect(printers(next)).toBe(5);
  });
});

test("a single voter that held back the first entry of its term answers a read when that is applied", async () => {
  const farm = await Harness.make(1);
  farm.holdsBack = true;
  const only = farm.elect();
  farm.settle();
  expect(only.replica.holdsBack).toBe(true);
  const read = only.read();
  expect(only.reads.size).toBe(0);
  // What the shell does for whoever waits.
  only.step({ kind: "apply" });
  farm.settle();
  expect(only.reads.get(read)).toEqual({ kind: "ok" });
});

test("hashes are noted at every checkpoint of what was applied together", async () => {
  const farm = await Harness.make(3);
  const leader = farm.elect();
  farm.settle();
  farm.holdsBack = true;
  const follower = farm.all.find((host) => host !== leader)!;
  for (let n = 0; n < 3 * CHECKPOINT_ENTRIES; n++) leader.submit(printer(`MK${n}`));
  farm.settle();
  farm.tick();
  follower.step({ kind: "apply" });
  const noted = follower.effects.flatMap((effect) =>
    effect.kind === "applied" ? effect.checkpoints.map(({ index }) => index) : [],
  );
  expect(noted).toEqual([1, 2, 3].map((n) => n * CHECKPOINT_ENTRIES));
});

test("a follower that holds entries back when a snapshot comes applies them before the snapshot's record is written", async () => {
  const farm = await Harness.make(3, { snapshotEntries: 10, trailingEntries: 2 });
  const leader = farm.elect();
  farm.settle();
  const follower = farm.all.find((host) => host !== leader)!;
  farm.holdsBack = true;
  leader.submit(printer("held"));
  farm.tick();
  expect(follower.replica.holdsBack).toBe(true);
  farm.cut.add(follower.id);
  for (let n = 0; n < 60; n++) {
    leader.submit(printer(`MK${n}`));
    farm.settle();
  }
  farm.tick(25);
  for (let n = 0; n < 60; n++) {
    leader.submit(printer(`late ${n}`));
    farm.settle();
  }
  follower.effects.length = 0;
  farm.cut.clear();
  farm.tick(15);
  expect(follower.replica.counters.snapshotsInstalled).toBe(1);
  const applied = follower.effects.findIndex((effect) => effect.kind === "applied");
  const recorded = follower.effects.findIndex(
    (effect) => effect.kind === "append" && effect.snapshot !== null,
  );
  expect(applied).toBeGreaterThanOrEqual(0);
  expect(applied).toBeLessThan(recorded);
  follower.step({ kind: "apply" });
  expect(follower.replica.machine.farm.printers.size).toBe(121);
});
