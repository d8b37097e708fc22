import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionError } from "../base/assert.ts";
import { SESSION_WINDOW_MAX } from "../base/limits.ts";
import type { Numbered, SessionRecord } from "./sessions.ts";
import { Sessions } from "./sessions.ts";

function number(seq: number, low = 1, start = 1, node = 1): Numbered {
  return { node, start, seq, low };
}

/** Judges, and records what is fresh, as the machine does. */
function pass(sessions: Sessions, of: Numbered): "fresh" | "duplicate" {
  const verdict = sessions.judge(of);
  if (verdict === "fresh") sessions.record(of);
  return verdict;
}

function sessionsOf(records: readonly SessionRecord[]): Sessions {
  const sessions = new Sessions();
  for (const record of records) sessions.restore(record);
  return sessions;
}

describe("sessions", () => {
  test("I8: a number is fresh once, in whatever order the numbers come", () => {
    const sessions = new Sessions();
    const verdicts = [3, 1, 3, 2, 1, 2, 5, 4].map((seq) => pass(sessions, number(seq)));
    expect(verdicts).toEqual([
      "fresh",
      "fresh",
      "duplicate",
      "fresh",
      "duplicate",
      "duplicate",
      "fresh",
      "fresh",
    ]);
    expect(sessions.records()).toEqual([{ node: 1, start: 1, low: 1, applied: [[0, 4]] }]);
  });

  test("judging records nothing", () => {
    const sessions = new Sessions();
    expect(sessions.judge(number(1))).toBe("fresh");
    expect(sessions.judge(number(1))).toBe("fresh");
    expect(sessions.records()).toEqual([]);
  });

  test("I8: a number below the low is a straggler that nobody waits for, applied or not", () => {
    const sessions = new Sessions();
    pass(sessions, number(9, 5));
    expect(pass(sessions, number(4, 1))).toBe("duplicate");
    expect(pass(sessions, number(5, 1))).toBe("fresh");
    // An entry that was proposed earlier has an older low, which does not bring the window back.
    expect(sessions.records()).toEqual([
      {
        node: 1,
        start: 1,
        low: 5,
        applied: [
          [0, 0],
          [4, 4],
        ],
      },
    ]);
  });

  test("I9: a newer start ends the older one, and nothing of the older is applied any more", () => {
    const sessions = new Sessions();
    pass(sessions, number(7, 7, 2));
    expect(pass(sessions, number(8, 8, 1))).toBe("duplicate");
    expect(pass(sessions, number(1, 1, 3))).toBe("fresh");
    expect(pass(sessions, number(9, 9, 2))).toBe("duplicate");
    expect(pass(sessions, number(1, 1, 3))).toBe("duplicate");
    expect(sessions.records()).toEqual([{ node: 1, start: 3, low: 1, applied: [[0, 0]] }]);
  });

  test("nodes have nothing to do with each other and are saved by their ids", () => {
    const sessions = new Sessions();
    expect(pass(sessions, number(1, 1, 1, 10))).toBe("fresh");
    expect(pass(sessions, number(1, 1, 1, 9))).toBe("fresh");
    expect(pass(sessions, number(1, 1, 1, 2))).toBe("fresh");
    expect(sessions.records().map((it) => it.node)).toEqual([2, 9, 10]);
  });

  test("the window is used to its last number and not beyond it", () => {
    const sessions = new Sessions();
    expect(pass(sessions, number(1))).toBe("fresh");
    expect(pass(sessions, number(SESSION_WINDOW_MAX))).toBe("fresh");
    expect(sessions.judge(number(SESSION_WINDOW_MAX + 1))).toBe("fresh");
    expect(() => sessions.record(number(SESSION_WINDOW_MAX + 1))).toThrow(AssertionError);
    // With a low that settles number 1, its place in the ring is free for the next number.
    expect(pass(sessions, number(SESSION_WINDOW_MAX + 1, 2))).toBe("fresh");
    expect(pass(sessions, number(SESSION_WINDOW_MAX + 1, 2))).toBe("duplicate");
    expect(pass(sessions, number(SESSION_WINDOW_MAX, 2))).toBe("duplicate");
    expect(pass(sessions, number(2, 2))).toBe("fresh");
  });

  test("a low that leaps over the whole window leaves no number behind", () => {
    const sessions = new Sessions();
    for (const seq of [1, 2, 3]) pass(sessions, number(seq));
    const leap = 5 * SESSION_WINDOW_MAX + 2;
    expect(pass(sessions, number(leap + 1, leap))).toBe("fresh");
    expect(pass(sessions, number(leap, leap))).toBe("fresh");
    expect(sessions.records()[0]).toMatchObject({ low: leap, applied: [[0, 1]] });
  });

  test("refuses to record what is not fresh, or was settled when it was proposed", () => {
    const sessions = new Sessions();
    sessions.record(number(1));
    expect(() => sessions.record(number(1))).toThrow(AssertionError);
    expect(() => sessions.record(number(2, 3))).toThrow(AssertionError);
  });

  test("puts back only what it could have given", () => {
    const session = { node: 1, start: 1, low: 5 };
    const wrong: SessionRecord["applied"][] = [
      [[-1, 0]],
      [[2, 1]],
      [
        [0, 1],
        [2, 3],
      ],
      [
        [3, 3],
        [1, 1],
      ],
      [[0, SESSION_WINDOW_MAX]],
    ];
    for (const applied of wrong) {
      expect(() => sessionsOf([{ ...session, applied }])).toThrow(AssertionError);
    }
    expect(() =>
      sessionsOf([
        { ...session, applied: [] },
        { ...session, applied: [] },
      ]),
    ).toThrow(AssertionError);
    sessionsOf([{ ...session, applied: [[0, SESSION_WINDOW_MAX - 1]] }]);
  });
});

/** The same rules with sets, which remember everything and search all of it. */
class NaiveSessions {
  readonly #applied = new Set<string>();
  readonly #start = new Map<number, number>();
  readonly #low = new Map<string, number>();

  pass({ node, start, seq, low }: Numbered): "fresh" | "duplicate" {
    const session = `${node}/${start}`;
    const settled = this.#low.get(session) ?? 0;
    const isOld = start < (this.#start.get(node) ?? 0);
    if (isOld || seq < settled || this.#applied.has(`${session}/${seq}`)) return "duplicate";
    this.#start.set(node, start);
    this.#low.set(session, Math.max(settled, low));
    this.#applied.add(`${session}/${seq}`);
    return "fresh";
  }
}

describe("sessions beside plain sets", () => {
  // A proposer in miniature: it gives out numbers, settles some, and everything it proposed may be
  // committed late, out of order and more than once.
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant("propose" as const) },
    { weight: 3, arbitrary: fc.constant("settle" as const) },
    { weight: 1, arbitrary: fc.constant("leap" as const) },
    { weight: 1, arbitrary: fc.constant("restart" as const) },
  );
  const delays = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 20, size: "max" });

  test("I8, I9: every proposal is judged alike, however late or often it is committed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), step), { maxLength: 300, size: "max" }),
        delays,
        fc.nat({ max: 300 }),
        (steps, order, cut) => {
          const nodes = new Map<number, { start: number; next: number; low: number }>();
          const log: { readonly of: Numbered; readonly at: number }[] = [];
          for (const [at, [node, kind]] of steps.entries()) {
            const it = nodes.get(node) ?? { start: 1, next: 1, low: 1 };
            nodes.set(node, it);
            if (kind === "settle") it.low = Math.min(it.low + 1, it.next);
            if (kind === "leap") it.low = it.next += SESSION_WINDOW_MAX - 1;
            if (kind === "restart") nodes.set(node, { start: it.start + 1, next: 1, low: 1 });
            if (kind !== "propose") continue;
            const of = { node, start: it.start, seq: it.next, low: it.low };
            it.next += 1;
            log.push({ of, at: at + ((order[at % order.length] ?? 0) % 50) });
            log.push({ of, at: at + ((order[(at * 7) % order.length] ?? 0) % 200) });
          }
          let sessions = new Sessions();
          const naive = new NaiveSessions();
          for (const [at, { of }] of log.toSorted((a, b) => a.at - b.at).entries()) {
            expect(pass(sessions, of)).toBe(naive.pass(of));
            if (at % 50 !== cut % 50) continue;
            const records = sessions.records();
            sessions = sessionsOf(records);
            expect(sessions.records()).toEqual(records);
          }
        },
      ),
      { seed: 8, numRuns: 100 },
    );
  });
});
