// The checkers told of runs that were forged: each must be found out, and an honest one must not.

import { expect, test } from "vitest";
import { must } from "../base/assert.ts";
import { type NodeId, nodeId } from "../base/brand.ts";
import type { Command } from "../fsm/command.ts";
import { Farm } from "../fsm/farm.ts";
import type { Id, Stamped } from "../fsm/objects.ts";
import { type Weights, filamentRow, jobRow } from "../fsm/rows.ts";
import {
  changeStatus,
  createFilament,
  createJob,
  createPrinter,
  deleteFilament,
  updatePrinter,
} from "../fsm/testing/commands.ts";
import { Script } from "../fsm/testing/script.ts";
import { eventLine } from "../node/event-line.ts";
import { Checkers, type Rested, type Told } from "./checkers.ts";
import { SimClock } from "./sim-clock.ts";
import { blockOf, readyWith } from "./testing/ready.ts";
import type { Request } from "./workload.ts";
import type { WorldEvent } from "./world.ts";

const [ONE, TWO] = [nodeId(1), nodeId(2)];

/** Checkers, and what tells them. */
function watching(): { checkers: Checkers; tell: (event: WorldEvent) => void } {
  const watchers: ((event: WorldEvent) => void)[] = [];
  const checkers = new Checkers({ watch: (watcher) => void watchers.push(watcher) });
  return { checkers, tell: (event) => must(watchers[0], "watcher")(event) };
}

const leads = (node: NodeId, term: number): WorldEvent => ({
  kind: "ready",
  node,
  ready: readyWith({ role: "leader", term }),
});
const opened = (node: NodeId): WorldEvent => ({
  kind: "opened",
  node,
  base: { index: 1, term: 1 },
});
const loaded = (node: NodeId, data: string): WorldEvent => ({
  kind: "loaded",
  node,
  block: blockOf([{ index: 2, term: 2, data }]),
});
const applied = (node: NodeId, index: number, hashes: string): WorldEvent => ({
  kind: "applied",
  node,
  index,
  hashes,
});

// --- While a run goes on

test("a term is led by one node, which may say so again", () => {
  const { checkers, tell } = watching();
  for (const event of [leads(ONE, 2), leads(ONE, 2), leads(TWO, 3), leads(ONE, 4)]) tell(event);
  tell({ kind: "ready", node: TWO, ready: readyWith({ role: "candidate", term: 4 }) });
  expect(checkers.problem).toBeNull();
  expect(checkers.leaderships).toBe(3);
});

test("two leaders in one term are found", () => {
  const { checkers, tell } = watching();
  for (const event of [leads(ONE, 2), leads(TWO, 3), leads(TWO, 2)]) tell(event);
  expect(checkers.problem).toBe("nodes 1 and 2 both led term 2");
});

test("different hashes at one index are found, and the first problem stays", () => {
  const { checkers, tell } = watching();
  for (const event of [applied(ONE, 5, "x"), applied(TWO, 4, "w"), applied(TWO, 5, "y")])
    tell(event);
  expect(checkers.problem).toBe("nodes 1 and 2 differ at index 5");
  for (const event of [leads(ONE, 2), leads(TWO, 2)]) tell(event);
  expect(checkers.problem).toBe("nodes 1 and 2 differ at index 5");
});

test("different entries are found: written, and recovered", () => {
  const written = watching();
  for (const node of [ONE, TWO]) {
    written.tell(opened(node));
    const entries = [{ index: 2, term: 2, data: `of node ${node}` }];
    written.tell({ kind: "ready", node, ready: readyWith({ entries }) });
  }
  expect(written.checkers.problem).toBe("nodes 1 and 2 hold different entries at 2/2");
  const recovered = watching();
  for (const node of [ONE, TWO]) {
    recovered.tell(opened(node));
    recovered.tell(loaded(node, `of node ${node}`));
  }
  expect(recovered.checkers.problem).toBe("nodes 1 and 2 hold different entries at 2/2");
});

// --- At rest

type RestedNode = Rested["alive"][number]["life"]["node"];

/** A node that has applied these commands, with what came of each in its events. */
function nodeAfter(
  commands: readonly Command[],
  forge: (lines: string[]) => readonly string[] = (lines) => lines,
): RestedNode {
  const script = new Script();
  const lines = commands.map((command) => {
    expect(script.reply(command).ok).toBe(true);
    const recorded = must(script.events.at(-1), "event");
    return eventLine({ recorded, digest: script.machine.farm.digest() }).text;
  });
  const { farm, appliedIndex } = script.machine;
  const events = forge(lines).map((line) => ({
    line,
    ...(JSON.parse(line) as { index: number; type: string }), // as eventLine wrote it
  }));
  return {
    id: ONE,
    appliedIndex,
    farm,
    events: {
      read: (after) =>
        Promise.resolve({
          kind: "page",
          events: events.filter(({ index }) => index > after),
          through: appliedIndex,
        }),
    },
  };
}

function asked(command: Command, outcome: Request["outcome"], created: Id | null = null): Request {
  const marker =
    command.kind === "create-printer"
      ? command.company
      : command.kind === "create-filament"
        ? command.color
        : command.kind === "create-job"
          ? command.filepath
          : command.kind;
  return { marker, command, isDoubtful: false, outcome, created };
}

/** What checkers that saw a good run say of these nodes and these clients. */
function atRest(nodes: readonly RestedNode[], told: Partial<Told> = {}): Promise<string | null> {
  const { checkers, tell } = watching();
  for (const event of [opened(ONE), loaded(ONE, "a"), leads(ONE, 2), applied(ONE, 2, "x")])
    tell(event);
  return checkers.atRest(rested(nodes), { ...NOTHING_TOLD, acknowledged: 1, ...told });
}

const NOTHING_TOLD: Told = {
  requests: [],
  violation: null,
  acknowledged: 0,
  mayBeDeleted: () => false,
};

function rested(nodes: readonly RestedNode[]): Rested {
  return {
    clock: new SimClock(),
    settled: (promise) => promise,
    alive: nodes.map((node) => ({ life: { node } })),
  };
}

const PRINTER = createPrinter({ company: "p" });
const SPOOL = createFilament({ color: "s" });
const JOB = createJob({ filepath: "j" });
const RUN = changeStatus("1", "Running");
const DONE = changeStatus("1", "Done");
const WORK = [PRINTER, SPOOL, JOB, RUN, DONE];

test("a run in which everything went well is in order", async () => {
  const requests = [
    asked(PRINTER, "done", 1),
    asked(SPOOL, "done", 1),
    asked(JOB, "unknown"),
    asked(RUN, "done"),
    asked(DONE, "done"),
    asked(createPrinter({ company: "never" }), "unavailable"),
    asked(createPrinter({ company: "taken" }), "refused"),
    asked(createPrinter({ company: "who knows" }), "unknown"),
  ];
  expect(await atRest([nodeAfter(WORK), nodeAfter(WORK)], { requests })).toBeNull();
});

test("checks that saw nothing of a run in which something was acknowledged are found", async () => {
  const world = rested([nodeAfter(WORK)]);
  const told = { ...NOTHING_TOLD, acknowledged: 1 };
  const events = [opened(ONE), loaded(ONE, "a"), leads(ONE, 2), applied(ONE, 2, "x")];
  for (const unheard of [1, 2, 3]) {
    const { checkers, tell } = watching();
    for (const event of events.toSpliced(unheard, 1)) tell(event);
    expect(await checkers.atRest(world, told)).toBe("the checks saw nothing of the run");
  }
  expect(await watching().checkers.atRest(world, NOTHING_TOLD)).toBeNull();
});

test("what was found during the run, by checkers or by clients, is said at its end", async () => {
  expect(await atRest([nodeAfter(WORK)], { violation: "a bad read" })).toBe("a bad read");
  const { checkers, tell } = watching();
  for (const event of [leads(ONE, 2), leads(TWO, 2)]) tell(event);
  expect(await checkers.atRest(rested([nodeAfter(WORK)]), NOTHING_TOLD)).toMatch(/both led/);
});

test("nodes that rest in different states are found", async () => {
  expect(await atRest([nodeAfter(WORK), nodeAfter(WORK.slice(0, -1))])).toMatch(/different states/);
});

const OTHER = createPrinter({ company: "other" });

test("an acknowledged write that is lost is found, unless somebody deleted it", async () => {
  const requests = [asked(OTHER, "done", 2)];
  const lost = "other was acknowledged and is lost";
  expect(await atRest([nodeAfter(WORK)], { requests })).toBe(lost);
  expect(await atRest([nodeAfter(WORK)], { requests, mayBeDeleted: () => true })).toBeNull();
});

test("a write that happened twice is found, whatever its client was told", async () => {
  for (const outcome of ["done", "unknown"] as const) {
    const requests = [asked(OTHER, outcome, outcome === "done" ? 1 : null)];
    const twice = "other happened 2 times";
    expect(await atRest([nodeAfter([OTHER, OTHER])], { requests })).toBe(twice);
  }
});

test("a write that was said not to have happened, and did, is found", async () => {
  const node = nodeAfter([OTHER]);
  expect(await atRest([node], { requests: [asked(OTHER, "refused")] })).toBe(
    "other was refused and happened",
  );
  expect(await atRest([node], { requests: [asked(OTHER, "unavailable")] })).toBe(
    'other was "never proposed" and happened',
  );
});

test("an acknowledged end of a job that was undone is found, and so is its beginning", async () => {
  const running = nodeAfter(WORK.slice(0, 4));
  expect(await atRest([running], { requests: [asked(DONE, "done")] })).toMatch(/it is Running/);
  const queued = nodeAfter(WORK.slice(0, 3));
  expect(await atRest([queued], { requests: [asked(RUN, "done")] })).toMatch(/was undone/);
  expect(await atRest([queued], { requests: [asked(RUN, "unknown")] })).toBeNull();
});

// --- Weights

/** A node whose farm holds what no events lead to: a job, and a spool with these weights. */
function nodeHolding(weights: Partial<Weights>, status: "Queued" | "Done"): RestedNode {
  const stampOf = (index: number): Stamped => {
    return { created_index: index, version: index, created_ms: 0, updated_ms: 0 };
  };
  const all = {
    total_weight_in_grams: 1000,
    remaining_weight_in_grams: 1000,
    reserved_weight_in_grams: 0,
    ...weights,
  };
  const job = { ...JOB, id: 1 };
  const farm = Farm.empty();
  farm.insert("filament", filamentRow({ id: 1, type: "PLA", color: "s" }, all, stampOf(1)));
  farm.insert("print_job", jobRow(job, status, stampOf(2)));
  return { ...nodeAfter([]), farm };
}

test("weight that went elsewhere than into finished jobs is found", async () => {
  expect(await atRest([nodeHolding({ remaining_weight_in_grams: 800 }, "Done")])).toBe(
    "spool 1 holds 800 of 1000 − 100",
  );
  expect(await atRest([nodeHolding({}, "Done")])).toBe("spool 1 holds 1000 of 1000 − 100");
});

test("reservations that are not what the open jobs take are found, and more than there is", async () => {
  expect(await atRest([nodeHolding({ reserved_weight_in_grams: 50 }, "Queued")])).toBe(
    "spool 1 reserves wrongly",
  );
  const tiny = {
    total_weight_in_grams: 60,
    remaining_weight_in_grams: 60,
    reserved_weight_in_grams: 100,
  };
  expect(await atRest([nodeHolding(tiny, "Queued")])).toBe("spool 1 is promised 100 of 60");
});

const DELETE_SPOOL = deleteFilament("1");

test("weight that was wrong for a while is found, though nothing shows it at rest", async () => {
  // That a spool comes with less than its total is not among what these clients ask for.
  const opened = createFilament({ remaining_weight_in_grams: 900 });
  expect(await atRest([nodeAfter([opened, DELETE_SPOOL])])).toBe(
    "node 1: after event 1: spool 1 holds 900 of 1000 − 0",
  );
});

test("the jobs of a spool that is gone do not count against another one under its id", async () => {
  const again = createFilament({ id: 1, color: "again" });
  expect(await atRest([nodeAfter([...WORK, DELETE_SPOOL, again])])).toBeNull();
});

// --- Events

/** Of events that were tampered with. */
function eventsOf(forge: (lines: string[]) => readonly string[]): Promise<string | null> {
  const rename = updatePrinter("1", { model: "MK5" });
  return atRest([nodeAfter([...WORK, rename], forge)]);
}

test("an event that does not lead to the state it names is found", async () => {
  const forged = eventsOf((lines) => lines.map((line) => line.replace("MK5", "MK6")));
  expect(await forged).toBe("node 1: event 6 does not lead to the state it names");
});

test("events that end before the state, or do not follow each other, are found", async () => {
  expect(await eventsOf((lines) => lines.slice(0, -1))).toBe(
    "node 1: its events do not lead to its state",
  );
  expect(await eventsOf((lines) => lines.toSpliced(2, 1))).toMatch(
    /^node 1: event 4 cannot follow those before it: /,
  );
  expect(await eventsOf((lines) => lines.toSpliced(2, 0, must(lines[1], "line")))).toBe(
    "node 1: event 2 comes after 2",
  );
});

test("events that a node does not have are found", async () => {
  const gone = { read: () => Promise.resolve({ kind: "gone", oldest: 4 } as const) };
  expect(await atRest([{ ...nodeAfter(WORK), events: gone }])).toBe(
    "node 1: its events after 0 are gone",
  );
});
