import { expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import { Farm } from "../fsm/farm.ts";
import { createFilament, createPrinter, deletePrinter } from "../fsm/testing/commands.ts";
import { Script } from "../fsm/testing/script.ts";
import type { FarmReader } from "../node/api.ts";
import { History } from "./history.ts";
import { SimClock } from "./sim-clock.ts";
import { SimRandom } from "./sim-random.ts";
import { USUAL_MIX } from "./swarm.ts";
import { type Outside, type Request, Workload } from "./workload.ts";

/** Nodes that carry out every command on one machine; each reads what `farmOf` gives it. */
function worldOf(nodes: number, farmOf: (script: Script, node: number) => FarmReader): Outside {
  const script = new Script();
  const alive = Array.from({ length: nodes }, (_, at) => ({
    life: {
      gone: new Promise<"gone">(() => undefined),
      node: {
        id: nodeId(at + 1),
        get farm() {
          return farmOf(script, at + 1);
        },
        submit: (command: Request["command"]) =>
          Promise.resolve({
            kind: "replied",
            reply: script.reply(command),
            replayed: false,
          } as const),
        barrier: () => Promise.resolve({ kind: "ok" } as const),
      },
    },
  }));
  const random = new SimRandom(5);
  return { clock: new SimClock(), random, failure: null, trace: () => undefined, alive };
}

function workloadOn(world: Outside, clients: number): Workload {
  const plan = {
    clients,
    boutRequests: 10,
    thinkMsMax: 50,
    quietMsMax: 100,
    patienceMs: 1000,
    mix: USUAL_MIX,
  };
  return new Workload(world, plan, new History("h"), {
    unanswered: () => undefined,
    answered: () => undefined,
    done: () => undefined,
  });
}

test("a read that misses an acknowledged write is found, with the node that served it", async () => {
  const world = worldOf(3, (script, node) => (node === 2 ? Farm.empty() : script.machine.farm));
  const workload = workloadOn(world, 2);
  await world.clock.runUntil(() => workload.violation !== null, 60_000);
  expect(workload.violation).toMatch(/^node 2 served a read without c[12]-\d+$/);
  expect(world.failure).toBeNull();
});

test("reads of nodes that show everything are in order, deletes and all", async () => {
  const world = worldOf(3, ({ machine }) => machine.farm);
  const workload = workloadOn(world, 4);
  await world.clock.runUntil(() => workload.violation !== null, 15_000);
  expect(workload.violation).toBeNull();
  expect(workload.reads).toBeGreaterThan(200);
  const deleted = ({ command, outcome }: Request): boolean =>
    command.kind.startsWith("delete-") && outcome === "done";
  expect(workload.requests.some(deleted)).toBe(true);
});

test("what may be deleted is what somebody asked to delete and was not refused", () => {
  const workload = workloadOn(
    worldOf(1, ({ machine }) => machine.farm),
    0,
  );
  const made = createPrinter();
  const ask = (outcome: Request["outcome"]): void => {
    const command = deletePrinter("7");
    workload.requests.push({ marker: "m", command, isDoubtful: false, outcome, created: null });
  };
  for (const outcome of ["refused", "unavailable"] as const) ask(outcome);
  expect(workload.mayBeDeleted(made, 7)).toBe(false);
  for (const outcome of ["open", "unknown", "done"] as const) {
    ask(outcome);
    expect(workload.mayBeDeleted(made, 7), outcome).toBe(true);
    expect(workload.mayBeDeleted(made, 8), outcome).toBe(false);
    expect(workload.mayBeDeleted(createFilament(), 7), outcome).toBe(false);
    workload.requests.pop();
  }
});

test("clients meet the rules about ids and versions", async () => {
  const script = new Script();
  const world = worldOf(1, () => script.machine.farm);
  const codes = new Map<string, number>();
  const [{ life }] = world.alive as [Outside["alive"][number]];
  life.node.submit = (command) => {
    const reply = script.reply(command);
    const code = reply.ok ? "ok" : reply.rejection.code;
    codes.set(code, (codes.get(code) ?? 0) + 1);
    return Promise.resolve({ kind: "replied", reply, replayed: false });
  };
  const workload = workloadOn(world, 6);
  await world.clock.runUntil(() => workload.requests.length >= 1000, 600_000);
  for (const code of ["ok", "duplicate_id", "version_mismatch", "transition_not_allowed"]) {
    expect(codes.get(code) ?? 0, code).toBeGreaterThan(5);
  }
  const isMet = ({ command, outcome }: Request): boolean =>
    "expected" in command && command.expected !== null && outcome === "done";
  expect(workload.requests.filter(isMet).length).toBeGreaterThan(20);
  const ids = [...script.machine.farm.jobs.values()].map(({ id }) => String(id));
  expect(ids.some((id) => id.startsWith("own-"))).toBe(true);
});
