import { describe, expect, test } from "vitest";
import { PROPOSALS_MAX } from "../base/limits.ts";
import type { Command } from "../fsm/command.ts";
import { Harness, TIMES } from "./testing/replica-harness.ts";

const printer = (model: string): Command => ({
  kind: "create-printer",
  id: null,
  company: "Prusa",
  model,
});

describe("writes", () => {
  test("a write taken by a follower is answered by it, once it has applied it itself", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    const request = follower.submit(printer("MK4"));
    expect(follower.replies.size).toBe(0);
    farm.settle();
    farm.tick(2);
    expect(follower.replies.get(request)).toMatchObject({
      kind: "replied",
      reply: { ok: true, object: { id: 1, model: "MK4" } },
    });
    for (const host of farm.all) expect(host.replica.machine.farm.printers.size).toBe(1);
  });

  test("nothing is answered while the disks hold the entry back", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    for (const host of farm.all) host.holdDisk = true;
    const request = leader.submit(printer("MK4"));
    farm.settle();
    farm.tick(3);
    expect(leader.replies.size).toBe(0);
    // A majority of disks is enough, and the leader's own need not be among them.
    for (const host of farm.all) if (host !== leader) host.holdDisk = false;
    farm.settle();
    farm.tick(2);
    expect(leader.replies.size).toBe(0);
    // The leader applies only what its own disk holds, and answers only what it has applied.
    leader.holdDisk = false;
    farm.settle();
    expect(leader.replies.get(request)).toMatchObject({ kind: "replied", reply: { ok: true } });
  });

  test("a proposal that is lost on the way is offered again and applied once", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    farm.passes = (from, to) => !(from === follower.id && to === leader.id);
    const request = follower.submit(printer("MK4"));
    farm.settle();
    farm.passes = () => true;
    farm.tick(TIMES.repeat - 2);
    expect(follower.replies.size).toBe(0);
    farm.tick(4);
    expect(follower.replies.get(request)).toMatchObject({ kind: "replied", reply: { ok: true } });
    expect(follower.replica.counters.repeated).toBe(1);
    expect(leader.replica.machine.farm.printers.size).toBe(1);
  });

  test("a proposal that is offered twice because its first offer was slow is applied once", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    const late: Uint8Array[] = [];
    farm.passes = (from, to, bytes) => {
      if (from !== follower.id || to !== leader.id || late.length > 0) return true;
      late.push(bytes);
      return false;
    };
    follower.submit(printer("MK4"));
    farm.settle();
    farm.tick(TIMES.repeat + 2);
    leader.step({ kind: "message", from: follower.id, bytes: late[0]! });
    farm.settle();
    farm.tick(2);
    expect(leader.replica.machine.farm.printers.size).toBe(1);
    for (const host of farm.all) expect(host.replica.machine.farm.printers.size).toBe(1);
  });

  test("without a leader a write waits its time and is told that nothing was proposed", async () => {
    const farm = await Harness.make(3);
    farm.cut.add(farm.host(2).id);
    farm.cut.add(farm.host(3).id);
    const one = farm.host(1);
    const first = one.submit(printer("MK4"));
    farm.tick(TIMES.leaderWait - 1);
    expect(one.replies.size).toBe(0);
    farm.tick(1);
    expect(one.replies.get(first)).toEqual({ kind: "unavailable", reason: "no-leader" });
    // Whoever comes after so long a time without a leader is told at once.
    const second = one.submit(printer("MK4"));
    expect(one.replies.get(second)).toEqual({ kind: "unavailable", reason: "no-leader" });
    farm.cut.clear();
    farm.elect();
    const third = one.submit(printer("MK4"));
    farm.tick(3);
    expect(one.replies.get(third)).toMatchObject({ kind: "replied" });
  });

  test("a write that was proposed to a leader who lost its majority has an unknown outcome", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    farm.cut.add(leader.id);
    const request = leader.submit(printer("MK4"));
    farm.settle();
    farm.tick(TIMES.settle - 1);
    expect(leader.replies.size).toBe(0);
    farm.tick(1);
    expect(leader.replies.get(request)).toEqual({ kind: "outcome-unknown" });
  });

  test("a write is not handed to a leader that is known to be gone: it can still be refused safely", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    for (const host of farm.all) if (host !== follower) farm.cut.add(host.id);
    follower.step({ kind: "disconnected", peer: leader.id });
    // What the leader had sent before it was gone may still be read afterwards, from another connection.
    follower.step({ kind: "message", from: leader.id, bytes: new Uint8Array(1) });
    const request = follower.submit(printer("MK4"));
    farm.tick(TIMES.leaderWait);
    expect(follower.replies.get(request)).toEqual({ kind: "unavailable", reason: "no-leader" });
  });

  test("a leader that knows it has lost its majority takes no more into its log", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const others = farm.all.filter((host) => host !== leader);
    farm.cut.add(leader.id);
    for (const { id } of others) leader.step({ kind: "unreachable", peer: id });
    const request = leader.submit(printer("MK4"));
    farm.tick(TIMES.leaderWait);
    expect(leader.replies.get(request)).toEqual({ kind: "unavailable", reason: "no-leader" });
    // One of them is enough for a majority, and is heard of again.
    farm.cut.clear();
    const next = farm.elect();
    for (const { id } of farm.all)
      if (id !== next.id) next.step({ kind: "disconnected", peer: id });
    const later = next.submit(printer("MK4"));
    farm.settle();
    expect(next.replies.size).toBe(0);
    next.step({ kind: "connected", peer: farm.all.find((host) => host !== next)!.id });
    farm.settle();
    farm.tick(2);
    expect(next.replies.get(later)).toMatchObject({ kind: "replied", reply: { ok: true } });
  });

  test("a write offered to a leader that fails is offered to the next one and happens once", async () => {
    const farm = await Harness.make(3);
    const old = farm.elect();
    const follower = farm.all.find((host) => host !== old)!;
    farm.cut.add(old.id);
    const request = follower.submit(printer("MK4"));
    farm.settle();
    const next = farm.elect();
    expect(next).not.toBe(old);
    farm.tick(3);
    expect(follower.replies.get(request)).toMatchObject({ kind: "replied", reply: { ok: true } });
    farm.cut.clear();
    farm.tick(30);
    for (const host of farm.all) expect(host.replica.machine.farm.printers.size).toBe(1);
  });

  test("more writes than a node may hold are turned away before they are proposed", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    farm.cut.add(leader.id);
    for (let n = 0; n < PROPOSALS_MAX; n++) leader.submit(printer("MK4"));
    expect(leader.replies.size).toBe(0);
    const request = leader.submit(printer("MK4"));
    expect(leader.replies.get(request)).toEqual({ kind: "unavailable", reason: "overloaded" });
  });

  test("a node that stops answers everybody: unknown if proposed, safe to retry if not", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    farm.cut.add(leader.id);
    const offered = leader.submit(printer("MK4"));
    const read = leader.read();
    const waiting = farm.host(leader.id === 1 ? 2 : 1);
    const answered = new Map<number, unknown>();
    for (const effect of leader.replica.abandonRequests()) {
      if (effect.kind === "reply" || effect.kind === "readable") {
        answered.set(effect.request, effect.result);
      }
    }
    expect(answered.get(offered)).toEqual({ kind: "outcome-unknown" });
    expect(answered.get(read)).toEqual({ kind: "unavailable", reason: "stopping" });
    expect(waiting.replica.abandonRequests()).toEqual([]);
  });
});

test("entries leave in the turn that made them, none left out; what tells a commit index alone is marked", async () => {
  const farm = await Harness.make(3);
  const leader = farm.elect();
  farm.tick(20); // whoever asked for something did so long ago
  const sends = (): readonly string[] =>
    leader.takeSends().map(({ brings, to }) => `${brings} to ${to}`);
  const others = farm.all.filter((host) => host !== leader).map(({ id }) => id);
  leader.submit(printer("MK4"));
  expect(sends()).toEqual(others.map((id) => `append to ${id}`));
  leader.syncDisk();
  leader.submit(printer("MK5"));
  expect(sends()).toEqual(others.map((id) => `append to ${id}`));
  farm.tick(1); // the entries just taken are lost, and sent again
  leader.submit(printer("MK6"));
  const brought: string[] = [];
  farm.passes = (from, _to, _bytes, brings) => {
    if (from === leader.id) brought.push(brings);
    return true;
  };
  farm.settle();
  expect(brought).toContain("append");
  expect(brought).toContain("commit");
});

describe("reads", () => {
  test("a read at any node waits until that node has applied what was acknowledged before it", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    follower.holdDisk = true; // it will hear of the write and not be able to apply it
    const write = leader.submit(printer("MK4"));
    farm.settle();
    expect(leader.replies.get(write)).toMatchObject({ kind: "replied" });
    const read = follower.read();
    farm.tick(2);
    expect(follower.reads.size).toBe(0);
    follower.holdDisk = false;
    farm.settle();
    farm.tick(2);
    expect(follower.reads.get(read)).toEqual({ kind: "ok" });
    expect(follower.replica.machine.farm.printers.size).toBe(1);
  });

  test("a leader that lost its majority serves no read, even before it knows", async () => {
    const farm = await Harness.make(3);
    const old = farm.elect();
    farm.cut.add(old.id);
    const read = old.read();
    farm.settle();
    expect(old.replica.role).toBe("leader");
    expect(old.reads.size).toBe(0);
    farm.tick(TIMES.leaderWait + 1);
    expect(old.reads.get(read)).toEqual({ kind: "unavailable", reason: "no-leader" });
  });

  test("a retried round asks under a new context, and a late answer to the old one is ignored", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    const held: Uint8Array[] = [];
    farm.passes = (from, to, bytes) => {
      if (from !== leader.id || to !== follower.id) return true;
      held.push(bytes);
      return false;
    };
    const read = follower.read();
    farm.settle();
    const lateAnswer = held.slice();
    held.length = 0;
    farm.tick(TIMES.readRetry + 1);
    expect(follower.reads.size).toBe(0);
    // The answer to the abandoned round arrives after all. It may only be used by nobody.
    for (const bytes of lateAnswer) follower.step({ kind: "message", from: leader.id, bytes });
    expect(follower.reads.size).toBe(0);
    farm.passes = () => true;
    farm.tick(TIMES.readRetry + 2);
    expect(follower.reads.get(read)).toEqual({ kind: "ok" });
  });

  test("reads that come together share one round", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    farm.settle();
    const messages: number[] = [];
    farm.passes = (from) => {
      if (from === leader.id) messages.push(1);
      return true;
    };
    const first = leader.read();
    const others = Array.from({ length: 50 }, () => leader.read());
    farm.settle();
    for (const read of [first, ...others]) expect(leader.reads.get(read)).toEqual({ kind: "ok" });
    // Two rounds of heartbeats to two followers: one for the first read, one for all that gathered.
    expect(messages.length).toBe(4);
  });

  test("a single voter serves no read after a restart until an entry of its own term is applied", async () => {
    const farm = await Harness.make(1);
    const one = farm.elect();
    farm.settle();
    for (let n = 0; n < 5; n++) one.submit(printer("MK4"));
    farm.settle();
    expect(one.replies.size).toBe(5);
    // A commit index is not synced (etcd-io/raft#105): after the crash it may be as old as this.
    one.hardState = { ...one.hardState, commit: 1 };
    farm.restart(1);
    one.holdDisk = true;
    const roleOf = (): string => one.replica.role;
    for (let n = 0; n < 40 && roleOf() !== "leader"; n++) {
      one.step({ kind: "tick" });
      if (roleOf() !== "leader") one.syncDisk();
    }
    expect(roleOf()).toBe("leader");
    const read = one.read();
    one.step({ kind: "tick" });
    expect(one.reads.size).toBe(0);
    expect(one.replica.machine.farm.printers.size).toBe(0);
    one.holdDisk = false;
    farm.settle();
    farm.tick(2);
    expect(one.reads.get(read)).toEqual({ kind: "ok" });
    expect(one.replica.machine.farm.printers.size).toBe(5);
  });
});

describe("snapshots", () => {
  test("a follower that was away longer than the log catches up by snapshot while writes go on", async () => {
    const farm = await Harness.make(3, { snapshotEntries: 20, trailingEntries: 5 });
    const leader = farm.elect();
    const away = farm.all.find((host) => host !== leader)!;
    farm.cut.add(away.id);
    for (let n = 0; n < 100; n++) {
      leader.submit(printer(`MK${n}`));
      farm.settle();
    }
    // CheckQuorum notes after an election timeout that the follower is away; then the log lets go.
    farm.tick(21);
    for (let n = 0; n < 150; n++) {
      leader.submit(printer(`late ${n}`));
      farm.settle();
    }
    expect(leader.replica.status().firstIndex).toBeGreaterThan(100);
    farm.cut.clear();
    for (let n = 0; n < 20; n++) {
      leader.submit(printer(`after ${n}`));
      farm.tick(1);
    }
    farm.tick(5);
    expect(away.replica.counters.snapshotsInstalled).toBe(1);
    expect(away.replica.machine.hashes()).toEqual(leader.replica.machine.hashes());
    expect(away.replica.machine.farm.printers.size).toBe(270);
  });

  test("a write that was applied inside an installed snapshot is not called lost: its key knows the answer", async () => {
    const farm = await Harness.make(3, { snapshotEntries: 10, trailingEntries: 2 });
    const leader = farm.elect();
    const away = farm.all.find((host) => host !== leader)!;
    const key = { key: "order-77", fingerprint: "f" };
    const keyed = away.submit(printer("keyed"), key);
    const bare = away.submit(printer("bare"));
    // Its proposals reach the leader, and then it hears nothing for as long as a snapshot takes.
    const outbox = away.takeSends();
    farm.cut.add(away.id);
    for (const { bytes } of outbox) leader.step({ kind: "message", from: away.id, bytes });
    farm.settle();
    farm.tick(25);
    for (let n = 0; n < 60; n++) {
      leader.submit(printer(`MK${n}`));
      farm.settle();
    }
    expect(leader.replica.machine.farm.printers.size).toBe(62);
    expect(leader.replica.status().firstIndex).toBeGreaterThan(10);
    farm.cut.clear();
    farm.tick(15);
    expect(away.replica.counters.snapshotsInstalled).toBe(1);
    expect(away.replies.get(keyed)).toMatchObject({
      kind: "replied",
      reply: { ok: true, object: { model: "keyed" } },
    });
    // Without a key all that can honestly be said is that it may have happened.
    expect(away.replies.get(bare)).toEqual({ kind: "outcome-unknown" });
    expect(leader.replica.machine.farm.printers.size).toBe(62);
  });
});

describe("the disk", () => {
  test("an append that does not end is reported once, while the node still ticks", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    leader.holdDisk = true;
    leader.submit(printer("MK4"));
    farm.tick(TIMES.diskStall + 20);
    const stalls = leader.effects.filter((effect) => effect.kind === "disk-stalled");
    expect(stalls.length).toBe(1);
  });

  test("a vote counts when it is on the disk and not before: with all disks held up nobody is elected", async () => {
    const farm = await Harness.make(3);
    for (const host of farm.all) host.holdDisk = true;
    farm.tick(60);
    expect(farm.all.map((host) => host.replica.role)).not.toContain("leader");
    expect(farm.all.some((host) => host.pendingAppends.length > 0)).toBe(true);
    for (const host of farm.all) host.holdDisk = false;
    const { term } = farm.elect().hardState;
    expect(term).toBeGreaterThan(1);
  });

  test("a node killed before its disk took an entry comes back without it and gets it again", async () => {
    const farm = await Harness.make(3);
    const leader = farm.elect();
    const follower = farm.all.find((host) => host !== leader)!;
    follower.holdDisk = true;
    const request = leader.submit(printer("MK4"));
    farm.settle();
    expect(leader.replies.get(request)).toMatchObject({ kind: "replied" });
    follower.holdDisk = false;
    farm.restart(follower.id);
    expect(follower.replica.machine.farm.printers.size).toBe(0);
    farm.tick(3);
    expect(follower.replica.machine.farm.printers.size).toBe(1);
    expect(follower.replica.machine.hashes()).toEqual(leader.replica.machine.hashes());
  });
});
