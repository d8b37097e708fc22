// How each step of a plan is carried out. A step begins, holds, and undoes what it did, whatever happens in
// between; what it did is counted, so that a run can say what its cluster has been through.

import { existsSync, renameSync, rmSync } from "node:fs";
import { unreachable } from "../../src/base/assert.ts";
import { EXIT_CODES } from "../../src/node/fatal.ts";
import type { Operation } from "../../src/sim/history.ts";
import { until } from "../system/process-cluster.ts";
import type { Fleet } from "./fleet.ts";
import type { FaultKind, Step, Target } from "./plan.ts";
import type { Shop } from "./shop.ts";
import { type Window, createdIn, isCreatedAmong } from "./window.ts";
import { type Link, WHOLE } from "./wire.ts";

/** Ends a wait that would last for ever: it is what the wait is for that fails, not the clock. */
const BOUND_MS = 180_000;
/** A disk that hangs ends its node after 10 s; more is a violation. */
const STALLED_MS_MAX = 60_000;
/** A rolling restart hands leadership over; a client that asks on hears an answer within this. */
const ROLLING_ANSWER_MS_MAX = 20_000;
const CUT_OFF = '"msg":"requests were cut off';
const RECEIVING = '"msg":"receiving a snapshot"';
const REPLACED = '"msg":"state replaced by a snapshot from the leader"';

const CUT: Link = { ...WHOLE, cut: true };

export interface Scene {
  readonly fleet: Fleet;
  readonly shop: Shop;
  readonly report: (violation: string) => void;
  /** What was done, for the log of the round. */
  readonly note: (what: string) => void;
  /** Beside the kinds of faults: what came of some of them. */
  readonly counts: Map<string, number>;
}

export async function carryOut(scene: Scene, step: Step): Promise<void> {
  count(scene, step.kind);
  switch (step.kind) {
    case "kill":
      return kill(scene, step);
    case "pause":
      return pauseNodes(scene, step);
    case "storm":
      return storm(scene, step);
    case "rolling-restart":
      return rollingRestart(scene);
    case "partition":
      return partition(scene, step);
    case "loss":
      return weather(scene, { ...WHOLE, loss: step.loss, twice: step.twice }, step.holdMs);
    case "delay":
      return weather(scene, { ...WHOLE, delay: step.delay, jitter: step.jitter }, step.holdMs);
    case "slow-disk":
      return slowDisk(scene, step);
    case "hung-disk":
      return hungDisk(scene, step);
    case "dead-disk":
      return deadDisk(scene, step);
    case "failed-sync":
      return failedSync(scene, step);
    case "full-disk":
      return fullDisk(scene, step);
    case "killed-install":
      return killedInstall(scene, step);
    case "wiped-folder":
      return wipedFolder(scene, step);
    case "clock-jump":
      return clockJump(scene, step);
    default:
      return unreachable(step);
  }
}

type Of<Kind extends FaultKind> = Extract<Step, { readonly kind: Kind }>;

export function count({ counts }: Pick<Scene, "counts">, what: string, times = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + times);
}

/** Who plays the part now. Where nobody leads, anybody stands in for the leader. */
async function resolve({ fleet }: Scene, { part, pick }: Target): Promise<readonly number[]> {
  const size = fleet.servers.length;
  const ids = fleet.servers.map(({ id }) => id);
  const any = ids[pick % size]!;
  const leader = (await fleet.leader()) ?? any;
  const turned = [...ids.slice(pick % size), ...ids.slice(0, pick % size)];
  const minority = Math.floor((size - 1) / 2);
  switch (part) {
    case "leader":
      return [leader];
    case "follower":
      return [turned.find((id) => id !== leader) ?? leader];
    case "any":
      return [any];
    case "minority":
      return turned.slice(0, minority);
    case "majority":
      return turned.slice(0, size - minority);
    case "all":
      return ids;
    default:
      return unreachable(part);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((go) => setTimeout(go, ms));
}

// --- Processes

async function kill(scene: Scene, { holdMs, target }: Of<"kill">): Promise<void> {
  const ids = await resolve(scene, target);
  scene.note(`kill ${ids.join()}`);
  await Promise.all(ids.map((id) => scene.fleet.stop(id, "SIGKILL")));
  count(scene, "processes killed", ids.length);
  await sleep(holdMs);
  for (const id of ids) scene.fleet.start(id);
}

async function pauseNodes(scene: Scene, { holdMs, target }: Of<"pause">): Promise<void> {
  const ids = await resolve(scene, target);
  scene.note(`pause ${ids.join()} for ${holdMs} ms`);
  const servers = ids.map((id) => scene.fleet.cluster.server(id));
  for (const server of servers) server.signal("SIGSTOP");
  await sleep(holdMs);
  for (const server of servers) server.signal("SIGCONT");
}

async function storm(scene: Scene, { everyMs, holdMs }: Of<"storm">): Promise<void> {
  const { fleet } = scene;
  scene.note(`restart a node every ${everyMs} ms for ${holdMs} ms`);
  const end = performance.now() + holdMs;
  for (let n = 0; performance.now() < end; n++) {
    // Nodes in turn, the leader in between: nobody gets to rest.
    const turn = fleet.servers[n % fleet.servers.length]!.id;
    const id = n % 3 === 2 ? ((await fleet.leader()) ?? turn) : turn;
    await fleet.stop(id, "SIGKILL");
    fleet.start(id);
    count(scene, "processes killed");
    await sleep(everyMs);
  }
}

/** As docs/operations.md says: one after the other, each ready before the next. No request fails. */
async function rollingRestart(scene: Scene): Promise<void> {
  const { fleet, report, shop } = scene;
  scene.note("rolling restart");
  for (const { id } of fleet.servers) await fleet.waitReady(id);
  const cutOff = timesCutOff(fleet);
  const window = shop.openWindow();
  for (const { id } of fleet.servers) {
    await shop.rush(id);
    const began = performance.now();
    await fleet.stop(id, "SIGTERM");
    fleet.start(id);
    await fleet.waitReady(id);
    count(scene, "graceful restarts");
    scene.note(`node ${id} restarted in ${Math.round(performance.now() - began)} ms`);
  }
  shop.closeWindow();
  const closed = performance.now();
  while (!window.isOver && performance.now() - closed < ROLLING_ANSWER_MS_MAX) await sleep(20);
  if (timesCutOff(fleet) > cutOff) report("a node cut off requests when it was asked to stop");
  judgeAnswers(scene, window);
  await judgeBroken(scene, window);
}

function timesCutOff({ servers }: Fleet): number {
  return servers.reduce((times, { log }) => times + log.split(CUT_OFF).length - 1, 0);
}

/** Every request has an answer, and soon, unless nobody may ask for it again. */
function judgeAnswers({ note, report }: Scene, window: Window): void {
  const worst = Math.round(window.worstMs);
  note(`rolling restart done, ${window.size} requests, the worst answer took ${worst} ms`);
  if (worst >= ROLLING_ANSWER_MS_MAX) report(`a request took ${worst} ms in a rolling restart`);
  for (const { doubts, key, op } of window.unanswered) {
    const tries = doubts.length === 0 ? "" : ` (${doubts.join(", ")})`;
    report(`${op.kind} (key: ${key ?? "none"}) got no answer in a rolling restart${tries}`);
  }
}

/**
 * A connection may break under a request without the node breaking its word: it closes the idle ones, and on
 * one of these, or on one not accepted yet, a request may be on its way that it has not read (RFC 9112 §9.3.1
 * and §9.5). That is counted. A node that carries a write out has read it, and owes its answer.
 */
async function judgeBroken(scene: Scene, window: Window): Promise<void> {
  const { fleet, note, report } = scene;
  const { broken, carriedOutAndCut, doubtful } = window;
  count(scene, "rolling: connections broken under a request", broken);
  const cut = carriedOutAndCut.map(({ op }) => op.kind);
  for (const { doubts, op } of doubtful) {
    const [doubt] = doubts;
    count(scene, `rolling: write without a key in doubt: ${doubt}`);
    if (doubt === "the connection broke" && (await wasCreated(fleet, op))) cut.push(op.kind);
  }
  note(
    `${broken} connections broke under a request, ${doubtful.length} writes without a key in doubt`,
  );
  if (cut.length === 0) return;
  const what = [...new Set(cut)].join(", ");
  report(`nodes that were asked to stop carried out ${cut.length} writes unanswered: ${what}`);
}

/** Who has no key looks before asking again. */
async function wasCreated({ servers: [server] }: Fleet, op: Operation): Promise<boolean> {
  const collection = createdIn(op);
  if (server === undefined || collection === null) return false;
  const { body, status } = await server.get(`/api/v1/${collection}`);
  return status === 200 && isCreatedAmong(op, body);
}

/** A follower that needs a snapshot is killed when its log says that one is on its way. */
async function killedInstall(scene: Scene, { pick, times }: Of<"killed-install">): Promise<void> {
  const { fleet, shop } = scene;
  const [id = 1] = await resolve(scene, { part: "follower", pick });
  const server = fleet.cluster.server(id);
  const seen = (what: string): number => server.log.split(what).length - 1;
  scene.note(`node ${id} is kept away until it needs a snapshot, and killed while it gets it`);
  for (let n = 0; n < times; n++) {
    await fleet.stop(id, "SIGKILL");
    await outrun(scene, id);
    const [begun, done] = [seen(RECEIVING), seen(REPLACED)];
    fleet.start(id);
    await until("a snapshot is on its way", () => seen(RECEIVING) > begun, BOUND_MS);
    await fleet.stop(id, "SIGKILL");
    count(scene, seen(REPLACED) === done ? "installs cut short" : "kills behind an install");
  }
  fleet.start(id);
  const writes = shop.writes;
  await until("writes go on", () => shop.writes > writes, BOUND_MS);
}

/** Waits until no node's log reaches back to where this one is. */
async function outrun({ fleet, shop }: Scene, id: number): Promise<void> {
  const others = fleet.servers.filter((server) => server.id !== id);
  const taken = (): readonly number[] =>
    others.map((server) => server.log.split(SNAPSHOT_TAKEN).length - 1);
  const before = taken();
  await until(
    `the log has left node ${id} behind`,
    async () => {
      await shop.churn();
      return taken().every((now, at) => now >= before[at]! + 2);
    },
    BOUND_MS,
  );
}

const SNAPSHOT_TAKEN = '"msg":"snapshot taken"';

/** A node that comes back with an empty folder must be refused (and may come back with its own). */
async function wipedFolder(scene: Scene, { pick }: Of<"wiped-folder">): Promise<void> {
  const { fleet, report } = scene;
  const [id = 1] = await resolve(scene, { part: "follower", pick });
  const server = fleet.cluster.server(id);
  scene.note(`node ${id} comes back with an empty folder`);
  await fleet.stop(id, "SIGKILL");
  const aside = `${server.data}-aside`;
  renameSync(server.data, aside);
  await fleet.allowing("refused-by-cluster", async () => {
    fleet.start(id);
    await until(`node ${id} has ended`, () => fleet.isDown(id), BOUND_MS);
  });
  const code = server.exitCode;
  if (code !== EXIT_CODES["refused-by-cluster"] || !server.log.includes("data-replaced")) {
    report(`node ${id} came back with an empty folder, and ended with ${code}`);
  }
  if (existsSync(server.data)) rmSync(server.data, { recursive: true });
  renameSync(aside, server.data);
  fleet.start(id);
  await fleet.waitReady(id);
}

// --- The network

async function partition(scene: Scene, step: Of<"partition">): Promise<void> {
  const [who = 1] = await resolve(scene, step.target);
  scene.note(`partition: ${step.cut}, around node ${who}, for ${step.holdMs} ms`);
  await shaped(scene, step.holdMs, linkOf(step, who, scene.fleet.servers.length));
}

/** Which links are cut. */
function linkOf({ cut }: Of<"partition">, who: number, size: number) {
  const place = (id: number): number => (id - who + size) % size;
  const half = Math.floor(size / 2);
  const isCut = (from: number, to: number): boolean => {
    switch (cut) {
      // Nobody hears of it, and it hears of nobody.
      case "alone":
        return from === who || to === who;
      // One way only: it speaks and hears nothing, or the other way round.
      case "deaf":
        return to === who;
      case "mute":
        return from === who;
      case "halves":
        return place(from) <= half !== place(to) <= half;
      // Everybody sees a majority, and no two the same one. Of three nodes, two do not see each other.
      case "ring": {
        const apart = (place(to) - place(from) + size) % size;
        if (size === 3) return place(from) !== 0 && place(to) !== 0;
        return apart !== 1 && apart !== size - 1;
      }
      // Two sides, and one node that sees both.
      case "bridge":
        return from !== who && to !== who && place(from) <= half !== place(to) <= half;
      default:
        return unreachable(cut);
    }
  };
  return (from: number, to: number): Link => (isCut(from, to) ? CUT : WHOLE);
}

function weather(scene: Scene, link: Link, holdMs: number): Promise<void> {
  const { delay, jitter, loss, twice } = link;
  scene.note(`lost ${loss}, twice ${twice} of 1000; ${delay} to ${delay + jitter} ms`);
  return shaped(scene, holdMs, () => link);
}

async function shaped(
  { fleet: { wire } }: Scene,
  holdMs: number,
  link: (from: number, to: number) => Link,
): Promise<void> {
  if (wire === null) throw new Error("a plan without a wire has no network faults");
  await wire.shape(link);
  await sleep(holdMs);
  await wire.heal();
}

// --- The disk and the clock

async function slowDisk(scene: Scene, { holdMs, ms, target }: Of<"slow-disk">): Promise<void> {
  const ids = await resolve(scene, target);
  scene.note(`syncs of ${ids.join()} take ${ms} ms longer`);
  // Four threads share the syncs, and a start needs a dozen in a row: slow is not dead.
  for (const id of ids) scene.fleet.shim(id).slow(ms);
  await sleep(holdMs);
  for (const id of ids) scene.fleet.shim(id).heal();
}

async function hungDisk(scene: Scene, { holdMs, target }: Of<"hung-disk">): Promise<void> {
  const ids = await resolve(scene, target);
  scene.note(`syncs of ${ids.join()} hang for ${holdMs} ms`);
  for (const id of ids) scene.fleet.shim(id).hang();
  await sleep(holdMs);
  for (const id of ids) scene.fleet.shim(id).heal();
}

/** A disk that never comes back ends its node, within a bound. */
async function deadDisk(scene: Scene, { target }: Of<"dead-disk">): Promise<void> {
  const { fleet, report } = scene;
  const [id = 1] = await resolve(scene, target);
  const shim = fleet.shim(id);
  scene.note(`syncs of ${id} hang until it ends itself`);
  const { hung } = shim.counts();
  await fleet.allowing("disk-stalled", async () => {
    shim.hang();
    const wrote = (): boolean => shim.counts().hung > hung;
    await until("the disk hangs", () => wrote() || fleet.isDown(id), BOUND_MS);
    const began = performance.now();
    while (!fleet.isDown(id) && performance.now() - began < STALLED_MS_MAX) await sleep(50);
    if (!fleet.isDown(id)) {
      report(`the disk of node ${id} has hung for ${STALLED_MS_MAX} ms, and it goes on`);
    }
  });
  shim.heal();
  fleet.start(id);
}

/** A sync that fails is never repeated: the node ends, and comes back when the disk is well. */
async function failedSync(scene: Scene, { target }: Of<"failed-sync">): Promise<void> {
  const { fleet } = scene;
  const ids = await resolve(scene, target);
  scene.note(`syncs of ${ids.join()} fail`);
  const before = new Map(ids.map((id) => [id, fleet.shim(id).counts().failed]));
  await fleet.allowing("disk-failed", async () => {
    for (const id of ids) fleet.shim(id).fail();
    // Without a majority nothing is written; who was touched must end, the others need not.
    const touched = (id: number): boolean => fleet.shim(id).counts().failed > before.get(id)!;
    await until("a sync failed", () => ids.some((id) => touched(id) || fleet.isDown(id)), BOUND_MS);
    await until(
      "who could not sync has ended",
      () => ids.every((id) => !touched(id) || fleet.isDown(id)),
      BOUND_MS,
    );
    for (const id of ids) fleet.shim(id).heal();
    await sleep(200); // who was touched in the last moment is ending itself
  });
  for (const id of ids) fleet.start(id);
}

async function fullDisk(scene: Scene, { holdMs, target }: Of<"full-disk">): Promise<void> {
  const { fleet } = scene;
  const ids = await resolve(scene, target);
  scene.note(`the disks of ${ids.join()} are full for ${holdMs} ms`);
  await fleet.allowing("disk-failed", async () => {
    const free = ids.map((id) => fleet.fillDisk(id));
    await sleep(holdMs);
    for (const makeRoom of free) makeRoom();
    await sleep(200);
  });
  for (const id of ids) fleet.start(id);
}

async function clockJump(scene: Scene, { holdMs, ms, target }: Of<"clock-jump">): Promise<void> {
  const ids = await resolve(scene, target);
  scene.note(`the clocks of ${ids.join()} jump by ${ms} ms`);
  for (const id of ids) scene.fleet.shim(id).shiftClock(ms);
  await sleep(holdMs);
  // And back again: a jump the other way.
  for (const id of ids) scene.fleet.shim(id).shiftClock(0);
}
