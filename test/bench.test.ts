// What the benchmark decides by itself: when requests are due and what lateness counts, how rounds are compared,
// and what is said of the targets and of growth. What it measures is measured by running it.

import { describe, expect, test } from "vitest";
import { parseRates } from "./bench/fixed-rate.ts";
import { type Slice, diskGrowth, memoryGrowth } from "./bench/growth.ts";
import { OpenLoop } from "./bench/open-loop.ts";
import { type Sample, ratio } from "./bench/samples.ts";
import { TARGETS, isMet, reached, verdict } from "./bench/verdict.ts";
import type { Closed } from "./bench/wrk.ts";

/** An open loop whose time and answers a test gives; `carried` is what is on each connection. */
function openLoop(connections: number, perSecond: number, seconds: number, warmUpSeconds = 0) {
  const sent: { readonly n: number; readonly connection: number }[] = [];
  const loop = new OpenLoop({ perSecond, seconds, warmUpSeconds }, (connection, n) =>
    sent.push({ n, connection }),
  );
  for (let at = 0; at < connections; at++) loop.opened(at, 0);
  return { loop, sent };
}

describe("an open loop", () => {
  test("sends when a request is due, whether or not those before it are answered", () => {
    const { loop, sent } = openLoop(4, 100, 0.04);
    expect(sent).toEqual([{ n: 0, connection: 0 }]);
    expect(loop.nextMs).toBe(10);
    loop.advance(9);
    expect(sent).toHaveLength(1);
    loop.advance(25); // two are due by now
    expect(sent.map(({ n }) => n)).toEqual([0, 1, 2]);
    loop.advance(30);
    expect(loop.nextMs).toBe(null);
    expect(loop.isDone).toBe(false);
    for (let at = 0; at < 4; at++) loop.answered(at, true, 31);
    expect(loop.isDone).toBe(true);
    expect(loop.result()).toMatchObject({ asked: 100, requests: 4, failed: 0, broken: 0 });
  });

  test("spreads requests over all connections, so that none idles", () => {
    const { loop, sent } = openLoop(3, 1000, 0.006);
    for (let n = 0; n < 6; n++) {
      loop.advance(n);
      loop.answered(sent.at(-1)!.connection, true, n + 0.5);
    }
    expect(sent.map(({ connection }) => connection)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("counts from when a request was due: a stop is charged to all that came meanwhile", () => {
    const { loop } = openLoop(1, 1000, 0.1);
    // The first answer takes 100 ms, all others half of one. A closed loop would find one slow request.
    loop.answered(0, true, 100);
    for (let n = 1; n < 100; n++) loop.answered(0, true, 100 + n / 2);
    const { max, p50, requests, us } = loop.result();
    expect(requests).toBe(100);
    // The request n was due after n ms, and answered after 100 + n / 2.
    expect(p50 / 1000).toBeCloseTo(75, 0);
    expect(max / 1000).toBeCloseTo(100, 0);
    // The rate was not kept, and that shows.
    expect(us / 1000).toBeCloseTo(149.5, 5);
  });

  test("tells its own lateness from the wait for a connection", () => {
    const late = openLoop(2, 1000, 0.002);
    late.loop.advance(4);
    late.loop.answered(0, true, 5);
    late.loop.answered(1, true, 5);
    expect(late.loop.result().late99 / 1000).toBeCloseTo(3, 1);
    const waited = openLoop(1, 1000, 0.002);
    waited.loop.advance(1);
    waited.loop.answered(0, true, 4);
    waited.loop.answered(0, true, 5);
    expect(waited.loop.result().late99).toBeLessThan(10);
    expect(waited.loop.result().max / 1000).toBeCloseTo(4, 1);
  });

  test("does not count the warm-up", () => {
    const { loop, sent } = openLoop(1, 1000, 0.002, 0.002);
    loop.answered(0, false, 50);
    loop.answered(0, true, 51);
    loop.answered(0, true, 52);
    loop.answered(0, true, 53);
    expect(sent).toHaveLength(4);
    expect(loop.isDone).toBe(true);
    expect(loop.result()).toMatchObject({ requests: 2, failed: 0 });
    expect(loop.result().max / 1000).toBeCloseTo(50, 0);
  });

  test("tells failures from answers, and what broke from both; a broken connection is not used", () => {
    const { loop, sent } = openLoop(2, 1000, 0.004);
    loop.advance(1);
    loop.answered(0, false, 1);
    loop.broke(1, 2); // with a request on it
    loop.advance(2);
    loop.answered(0, true, 2);
    loop.broke(0, 3); // idle
    loop.advance(3);
    expect(loop.nextMs).toBe(null);
    loop.opened(1, 4);
    expect(sent.at(-1)).toEqual({ n: 3, connection: 1 });
    loop.answered(1, true, 4);
    expect(loop.isDone).toBe(true);
    expect(loop.result()).toMatchObject({ requests: 2, failed: 1, broken: 1 });
  });

  test("ends without answers: all that were asked for have waited until then", () => {
    const { loop } = openLoop(1, 1000, 0.01);
    loop.giveUp(500);
    expect(loop.isDone).toBe(true);
    const { broken, max, p50, requests } = loop.result();
    expect({ broken, requests }).toEqual({ broken: 10, requests: 0 });
    expect(p50 / 1000).toBeGreaterThan(490);
    expect(max / 1000).toBeCloseTo(500, 0);
  });
});

test("rates are shares, rates, or none", () => {
  expect(parseRates("25%,1000")).toEqual([
    { name: "25%", share: 0.25 },
    { name: "1000", perSecond: 1000 },
  ]);
  expect(parseRates("none")).toEqual([]);
  for (const wrong of ["", "0", "ten", "5%,", "-1"]) {
    expect(() => parseRates(wrong)).toThrow("neither a rate nor a share");
  }
});

/** A second of a closed loop. */
function sample(of: Partial<Sample>, requests: number, p99 = 1000): Sample {
  const closed = { requests, us: 1e6, p99 } as Closed;
  return {
    system: "raft3d",
    operation: "create",
    through: "leader",
    connections: 64,
    round: 1,
    closed,
    cpu: [],
    syncsPerRequest: null,
    residentMib: [],
    ...of,
  };
}

describe("comparing", () => {
  const requests = ({ closed }: Sample): number => closed.requests;

  test("a ratio is the median of the ratios of the rounds, each with its own", () => {
    const of = [1, 2, 3].map((round) => sample({ round }, 100 * round));
    const to = [3, 2, 1].map((round) => sample({ round }, [100, 50, 300][round - 1]!));
    expect(ratio(of, to, requests)).toBe(1); // of 1, 4 and 1
    expect(ratio(of, to.slice(1), requests)).toBe(null);
    expect(ratio([], to, requests)).toBe(null);
  });

  test("a target is met from its bound on, by what was measured at its own place", () => {
    const samples = [
      sample({}, 350, 900),
      sample({ system: "etcd" }, 100, 1000),
      sample({ operation: "get" }, 600),
      sample({ operation: "get", through: "follower" }, 499),
      sample({ operation: "get", system: "bare node:http" }, 1000),
      sample({ system: "bare node:http" }, 10),
    ];
    const met = TARGETS.flatMap((target) => {
      const [value] = reached(target, samples);
      return value === undefined ? [] : [[target.what, value, isMet(target, value)]];
    });
    expect(met).toEqual([
      ["creates at 64 connections, of etcd", 3.5, true],
      ["p99 of creates at 64 connections, of etcd", 0.9, true],
      ["linearizable reads at the leader at 64, of bare node:http", 0.6, true],
      ["linearizable reads at a follower at 64, of bare node:http", 0.499, false],
    ]);
    expect(verdict(samples).match(/not measured/g)).toHaveLength(TARGETS.length - met.length);
  });

  test("a verdict is on the median round, and shows all of them", () => {
    const rounds = [300, 360, 900].flatMap((requests, at) => [
      sample({ round: at + 1 }, requests),
      sample({ round: at + 1, system: "etcd" }, 100),
    ]);
    const row = verdict(rounds).match(/^.* creates at 64 connections, of etcd .*$/m)?.[0];
    expect(row).toMatch(/≥ 3.50 \| +3.60 \| 3.00 3.60 9.00 \| +yes \|$/);
    expect(verdict(rounds.slice(0, 5))).not.toContain("3.00");
  });
});

describe("growth", () => {
  /** Two nodes for ten minutes, the second one with more or less of everything. */
  const slices = (of: (seconds: number) => number): readonly Slice[] =>
    Array.from({ length: 20 }, (_, at) => {
      const seconds = (at + 1) * 30.01; // a slice of load takes a little longer than it was asked to
      return { seconds, residentMib: [200, of(seconds)], keptMib: [48, of(seconds)] };
    });
  const isWithin = (growths: ReturnType<typeof memoryGrowth>) =>
    growths?.map((growth) => growth.isWithin);

  test("memory is compared from the second minute on: what comes before is no leak", () => {
    const settles = slices((seconds) => (seconds < 60 ? 100 : 200));
    expect(memoryGrowth(settles)?.[1]).toEqual({ beforeMib: 200, afterMib: 200, isWithin: true });
    expect(isWithin(memoryGrowth(slices((seconds) => 200 + seconds / 10)))).toEqual([true, false]);
    expect(isWithin(memoryGrowth(slices((seconds) => 300 - seconds / 10)))).toEqual([true, true]);
  });

  test("one slice with more memory than others decides nothing", () => {
    const peak = slices((seconds) => (seconds > 599 ? 900 : 200));
    expect(isWithin(memoryGrowth(peak))).toEqual([true, true]);
  });

  test("the disk may swing by a segment, and not by more", () => {
    const swings = slices((seconds) => (seconds > 400 && seconds < 450 ? 64 : 48));
    expect(isWithin(diskGrowth(swings))).toEqual([true, true]);
    expect(isWithin(diskGrowth(slices((seconds) => seconds / 5)))).toEqual([true, false]);
  });

  test("a short run is not judged", () => {
    expect(memoryGrowth(slices(() => 1).slice(0, 6))).toBe(null);
    expect(diskGrowth(slices(() => 1).slice(0, 6))).toBe(null);
    expect(memoryGrowth([])).toBe(null);
  });
});
