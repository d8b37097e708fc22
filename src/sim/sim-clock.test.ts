import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sleep } from "../env/clock.ts";
import { ProcessClock } from "./process-clock.ts";
import { SimClock } from "./sim-clock.ts";

describe("the simulated clock", () => {
  it("runs events by time, and at one time in the order in which they were scheduled", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (delays) => {
        const clock = new SimClock();
        const ran: [number, number][] = [];
        delays.forEach((delay, i) => clock.after(delay, () => ran.push([clock.monotonicMs(), i])));
        while (clock.step());
        const expected = delays
          .map((delay, i): [number, number] => [delay, i])
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(ran).toEqual(expected);
      }),
      { seed: 1 },
    );
  });

  it("moves on at every wait, also one that is lost in the rounding of a sum", async () => {
    const clock = new SimClock();
    await clock.advance(25_599.976);
    const before = clock.monotonicMs();
    clock.after(1e-13, () => undefined);
    clock.step();
    expect(clock.monotonicMs()).toBeGreaterThan(before);
  });

  it("ends a run in which time stands still, instead of running for ever", () => {
    const clock = new SimClock();
    const again = (): void => clock.defer(again);
    clock.defer(again);
    expect(() => {
      while (clock.step());
    }).toThrow("time stands still at 0 ms");
  });

  it("never runs a cancelled event, whenever and however often it is cancelled", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ delay: fc.nat(50), cancelAt: fc.option(fc.nat(50)) }), {
          maxLength: 100,
        }),
        (plan) => {
          const clock = new SimClock();
          const ran = new Set<number>();
          const timers = plan.map(({ delay }, i) => clock.after(delay, () => void ran.add(i)));
          plan.forEach(({ cancelAt }, i) => {
            if (cancelAt === null) return;
            clock.after(cancelAt, () => {
              timers[i]!.cancel();
              timers[i]!.cancel();
            });
          });
          while (clock.step());
          // The cancelling event was scheduled later, so at the same time it comes too late.
          plan.forEach(({ delay, cancelAt }, i) => {
            expect(ran.has(i)).toBe(cancelAt === null || delay <= cancelAt);
          });
          expect(clock.pending).toBe(0);
        },
      ),
      { seed: 2 },
    );
  });

  it("keeps the order when many cancelled events have been swept out", () => {
    const clock = new SimClock();
    const ran: number[] = [];
    for (let i = 0; i < 5000; i += 1) {
      const timer = clock.after((i * 7919) % 5000, () => ran.push(clock.monotonicMs()));
      if (i % 10 !== 0) timer.cancel();
    }
    expect(clock.pending).toBe(500);
    while (clock.step());
    expect(ran).toHaveLength(500);
    expect(ran).toEqual([...ran].sort((a, b) => a - b));
  });

  it("lets what follows an event in promises finish before the next event", async () => {
    const clock = new SimClock();
    const story: string[] = [];
    clock.after(10, () => {
      void (async () => {
        for (let i = 0; i < 50; i += 1) await Promise.resolve();
        story.push("after the first");
      })();
    });
    clock.after(10, () => story.push("second"));
    await clock.advance(10);
    expect(story).toEqual(["after the first", "second"]);
  });

  it("advances past every event that comes up on the way, and to the full time", async () => {
    const clock = new SimClock();
    const woken: number[] = [];
    const sleeper = (async () => {
      for (let i = 0; i < 3; i += 1) {
        await sleep(clock, 30);
        woken.push(clock.monotonicMs());
      }
    })();
    await clock.advance(70);
    expect(woken).toEqual([30, 60]);
    expect(clock.monotonicMs()).toBe(70);
    await clock.advance(20);
    await sleeper;
    expect(woken).toEqual([30, 60, 90]);
  });

  it("stops as soon as a condition holds, and says so if it never does", async () => {
    const clock = new SimClock();
    let done = false;
    clock.after(40, () => {
      done = true;
    });
    clock.after(41, () => expect.unreachable("ran on"));
    expect(await clock.runUntil(() => done, 100)).toBe(true);
    expect(clock.monotonicMs()).toBe(40);
    const idle = new SimClock();
    expect(await idle.runUntil(() => false, 100)).toBe(false);
    expect(idle.monotonicMs()).toBe(100);
  });

  it("runs deferred work after what was waiting for the same moment", () => {
    const clock = new SimClock();
    const story: string[] = [];
    clock.after(5, () => {
      clock.defer(() => story.push("deferred"));
      story.push("timer");
    });
    clock.after(5, () => story.push("input"));
    while (clock.step());
    expect(story).toEqual(["timer", "input", "deferred"]);
    expect(clock.monotonicMs()).toBe(5);
  });

  it("moves the wall clock alone when that jumps", async () => {
    const clock = new SimClock(1000);
    const own = new ProcessClock(clock, 50);
    await clock.advance(10);
    clock.shiftWall(-500);
    own.shiftWall(5);
    expect([clock.monotonicMs(), clock.wallMs()]).toEqual([10, 510]);
    expect([own.monotonicMs(), own.wallMs()]).toEqual([10, 565]);
  });
});

describe("a process's clock", () => {
  it("does nothing more once the process is killed, and leaves the others alone", () => {
    const world = new SimClock();
    const dead = new ProcessClock(world);
    const alive = new ProcessClock(world);
    const ran: string[] = [];
    dead.after(1, () => ran.push("before"));
    dead.after(5, () => ran.push("dead"));
    alive.after(5, () => ran.push("alive"));
    world.after(3, () => {
      dead.halt();
      dead.after(1, () => ran.push("dead"));
      dead.defer(() => ran.push("dead"));
    });
    while (world.step());
    expect(ran).toEqual(["before", "alive"]);
    expect(dead.pending).toBe(0);
  });

  it("counts what it has still to do", () => {
    const world = new SimClock();
    const clock = new ProcessClock(world);
    const first = clock.after(1, () => undefined);
    clock.after(2, () => undefined);
    expect(clock.pending).toBe(2);
    first.cancel();
    expect(clock.pending).toBe(1);
    while (world.step());
    expect(clock.pending).toBe(0);
  });

  it("that stood still does late what was due, in order, but for what was cancelled", () => {
    const world = new SimClock();
    const clock = new ProcessClock(world);
    const ran: string[] = [];
    const note = (what: string) => (): void => void ran.push(`${what} at ${world.monotonicMs()}`);
    clock.after(30, note("second"));
    clock.after(20, note("first"));
    const cancelled = clock.after(25, note("never"));
    clock.after(200, note("third"));
    world.after(10, () => clock.freeze());
    world.after(50, () => cancelled.cancel());
    world.after(100, () => {
      clock.thaw();
      clock.defer(note("deferred"));
      expect(clock.pending).toBe(4);
    });
    while (world.step());
    expect(ran).toEqual(["first at 100", "second at 100", "deferred at 100", "third at 200"]);
    expect(clock.pending).toBe(0);
  });
});
