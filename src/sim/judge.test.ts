// The judge beside the real state machine. Its model and the machine were written apart from each other,
// so that each of these runs tests both.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Command } from "../fsm/command.ts";
import type { Farm } from "../fsm/farm.ts";
import { aCommand, OPENING } from "../fsm/testing/commands.ts";
import { Script } from "../fsm/testing/script.ts";
import type { Called, List, Operation, Result } from "./history.ts";
import { History, resultOf } from "./history.ts";
import { describeAnswer, Judge, problemOf } from "./judge.ts";
import { SimRandom } from "./sim-random.ts";

let judge: Judge;

beforeAll(() => {
  judge = new Judge({ steps: 1_000_000, timeoutSeconds: 60 });
});

afterAll(() => judge.close());

function rowsOf(farm: Farm, list: List): object[] {
  if (list.collection === "printers") return [...farm.printers.values()];
  if (list.collection === "filaments") return [...farm.filaments.values()];
  return [...farm.jobs.values()].filter(
    (job) =>
      (list.status === undefined || list.status.includes(job.status)) &&
      (list.printer_id === undefined || String(list.printer_id) === String(job.printer_id)) &&
      (list.filament_id === undefined || String(list.filament_id) === String(job.filament_id)),
  );
}

/** What the real machine says to an operation. */
function ask(script: Script, op: Operation): Result {
  const { farm } = script.machine;
  if (op.kind === "list") return { kind: "ok", objects: rowsOf(farm, op) };
  if (op.kind !== "get") return resultOf(script.reply(op));
  const table = op.collection === "print_jobs" ? farm.jobs : farm[op.collection];
  const object = table.get(op.key);
  return object === undefined ? { kind: "rejected", code: "not_found" } : { kind: "ok", object };
}

function drawRead(random: SimRandom): Operation {
  const collection = random.pick(["printers", "filaments", "print_jobs"] as const);
  if (random.chance(0.6)) return { kind: "get", collection, key: String(random.between(1, 6)) };
  if (collection !== "print_jobs" || random.chance(0.5)) return { kind: "list", collection };
  return random.chance(0.5)
    ? { kind: "list", collection, status: ["Queued", "Running"] }
    : { kind: "list", collection, filament_id: "1" };
}

/** Up to four operations at a time are called, done in another order, and answered in a third. */
function record(name: string, commands: readonly Command[], random: SimRandom): History {
  const history = new History(name);
  const script = new Script();
  const left: Operation[] = commands.flatMap((command) =>
    random.chance(0.4) ? [command, drawRead(random)] : [command],
  );
  while (left.length > 0) {
    const batch = left.splice(0, random.between(1, 4));
    const called = batch.map((op, client) => ({ op, called: history.call(client, op) }));
    const answers: [Called, Result][] = random
      .shuffled(called)
      .map((one) => [one.called, ask(script, one.op)]);
    for (const [one, result] of random.shuffled(answers)) {
      // Now and then an answer gets lost, and what it answered has happened all the same.
      if (!random.chance(0.03)) one.return(result);
    }
  }
  for (const collection of ["printers", "filaments", "print_jobs"] as const) {
    const op: Operation = { kind: "list", collection };
    history.call(0, op).return(ask(script, op));
  }
  return history;
}

describe("the judge beside the state machine", () => {
  const samples = fc.sample(fc.array(aCommand, { minLength: 30, maxLength: 120, size: "max" }), {
    seed: 20_261_122,
    numRuns: 120,
  });

  test("any commands to the machine, several at a time, are in order", async () => {
    const answers = await Promise.all(
      samples.map((commands, seed) =>
        judge.judge(record(`sample ${seed}`, [...OPENING, ...commands], new SimRandom(seed))),
      ),
    );
    expect(answers.filter(({ verdict }) => verdict !== "ok").map(describeAnswer)).toEqual([]);
    expect(answers.reduce((sum, { required }) => sum + required, 0)).toBeGreaterThan(8000);
  });

  test("a machine that loses an acknowledged write is found out", async () => {
    const random = new SimRandom(1);
    const history = new History("lossy");
    const script = new Script();
    for (const command of OPENING) history.call(1, command).return(ask(script, command));
    const forgotten = script.machine.farm.printers.size;
    const create: Command = { kind: "create-printer", id: null, company: "lost", model: "MK4" };
    history.call(1, create).return(ask(script, create));
    const list: List = { kind: "list", collection: "printers" };
    const objects = rowsOf(script.machine.farm, list).slice(0, forgotten);
    history.call(2, list).return({ kind: "ok", objects });
    history.call(1, drawRead(random));
    const answer = await judge.judge(history);
    expect(answer.verdict).toBe("illegal");
    expect(describeAnswer(answer)).toMatch(/the list (has|lacks) printers/);
  });
});

test("a judge that runs out of steps has found nothing, which is a problem of its own", async () => {
  const hasty = new Judge({ steps: 1 });
  const answer = await hasty.judge(record("hasty", OPENING, new SimRandom(2)));
  await hasty.close();
  expect(answer.verdict).toBe("undecided");
  expect(problemOf(answer)).toMatch(/is undecided[^]*proves nothing: give the judge more steps/);
  expect(problemOf({ ...answer, verdict: "illegal" })).not.toMatch(/proves nothing/);
  expect(problemOf({ ...answer, verdict: "ok" })).toBeNull();
});

test("a malformed history is an exception that names the line, and the judge goes on", async () => {
  const text =
    '{"history":"h"}\n{"client":1,"call":1,"return":2,"op":{"kind":"steal"}}\n{"end":"h"}\n';
  await expect(judge.judgeText(text)).rejects.toThrow(
    'history "h" is malformed: line 1: op: kind "steal"',
  );
  expect((await judge.judge(new History("empty"))).verdict).toBe("ok");
});

test("a judge that ends fails what waits for it, and what comes later, with its words", async () => {
  const other = new Judge();
  const answer = other.judgeText('{"client":1}\n');
  await expect(answer).rejects.toThrow("an operation stands before the beginning of a history");
  await expect(other.judge(new History("late"))).rejects.toThrow("the judge is gone");
  await other.close();
});
