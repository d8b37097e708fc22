import { expect, test } from "vitest";
import { APPLY_WAIT_MS } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Command } from "../fsm/command.ts";
import type { EventLog } from "../storage/events/event-log.ts";
import type { Log } from "../storage/wal/log.ts";
import type { Transport } from "../transport/transport.ts";
import type { EventService } from "./event-service.ts";
import { Shell } from "./shell.ts";
import { Harness } from "./testing/replica-harness.ts";

const PRINTER: Command = { kind: "create-printer", id: null, company: "Prusa", model: "MK4" };

interface FakeTimer {
  readonly delayMs: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** A shell around a follower that holds back three committed entries, with a world that does nothing by itself. */
async function shellThatHoldsBack() {
  const farm = await Harness.make(3);
  const leader = farm.elect();
  farm.settle();
  farm.holdsBack = true;
  const host = farm.all.find((one) => one !== leader)!;
  for (let n = 0; n < 3; n++) {
    leader.submit(PRINTER);
    farm.settle();
  }
  farm.tick();
  const { replica } = host;
  expect(replica.holdsBack).toBe(true);

  const timers: FakeTimer[] = [];
  const turns: (() => void)[] = [];
  const did: string[] = [];
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: (delayMs, run) => {
      const timer = { delayMs, run, isCancelled: false };
      timers.push(timer);
      return { cancel: () => void (timer.isCancelled = true) };
    },
    defer: (run) => void turns.push(run),
  };
  const transport = {
    peers: () => farm.all.filter((one) => one !== host).map(({ id }) => ({ id })),
    send: () => void did.push("sent"),
    flush: () => undefined,
  };
  const events = {
    append: (all: readonly unknown[]) => void did.push(`applied ${all.length}`),
  };
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const shell = new Shell({
    id: host.id,
    clock,
    logger: quiet as unknown as Logger,
    tickMs: 100,
    diskStallTicks: 50,
    replica,
    log: { append: () => new Promise(() => undefined) } as unknown as Log,
    eventLog: {} as EventLog,
    events: events as unknown as EventService,
    transport: transport as unknown as Transport,
    onFatal: () => undefined,
    onApplied: null,
  });
  const turn = (): void => {
    for (const run of turns.splice(0)) run();
  };
  const waits = (): FakeTimer[] =>
    timers.filter(({ delayMs, isCancelled }) => delayMs === APPLY_WAIT_MS && !isCancelled);
  return { did, replica, shell, turn, turns, waits };
}

test("what nobody waits for is applied after a moment, for which there is one timer", async () => {
  const { did, replica, shell, turn, waits } = await shellThatHoldsBack();
  for (let n = 0; n < 3; n++) {
    shell.enqueue({ kind: "tick" });
    turn();
  }
  expect(waits().length).toBe(1);
  expect(replica.holdsBack).toBe(true);
  expect(did.filter((what) => what !== "sent")).toEqual([]);
  waits()[0]?.run();
  turn();
  expect(did.filter((what) => what !== "sent")).toEqual(["applied 3"]);
  expect(replica.holdsBack).toBe(false);
});

test("a read asks the other nodes before what was held back is applied, which does not wait for a timer", async () => {
  const { did, shell, turn, turns, waits } = await shellThatHoldsBack();
  void shell.barrier();
  turn();
  expect(did).toEqual(["sent"]);
  expect(turns.length).toBeGreaterThan(0);
  turn();
  expect(did).toEqual(["sent", "applied 3"]);
  expect(waits().length).toBe(0);
});

test("a shell that ends leaves no timer behind", async () => {
  for (const end of ["stop", "fail"] as const) {
    const { did, shell, turn, waits } = await shellThatHoldsBack();
    shell.enqueue({ kind: "tick" });
    turn();
    expect(waits().length).toBe(1);
    if (end === "stop") shell.stop();
    else shell.fail(new Error("the disk is gone"));
    expect(waits().length).toBe(0);
    turn();
    expect(did.filter((what) => what !== "sent")).toEqual([]);
  }
});
