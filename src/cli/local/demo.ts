// `raft3d demo`: the promise of the program, kept before one's eyes. Every step is checked, and one
// that does not hold ends the demonstration with exit code 1. Whatever happens, nothing of it stays
// behind.

import { must } from "../../base/assert.ts";
import { nodeNetwork } from "../../env/node/network.ts";
import { onInterrupt, temporaryFolder } from "../../env/node/process.ts";
import { randomHex } from "../../env/random.ts";
import { Client, bodyOf } from "../client/client.ts";
import { PRINTERS } from "../client/collections.ts";
import { probe } from "../client/probe.ts";
import { Failure } from "../failure.ts";
import { fieldText, isObject } from "../json.ts";
import type { OptionsOf } from "../options/table.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { LocalCluster } from "./local-cluster.ts";
import { type LocalNode, freePorts, planCluster } from "./plan.ts";
import { Story } from "./story.ts";
import { waitFor } from "./wait.ts";

const NODES = 3;
/** A step that takes longer has failed; each takes seconds at most. */
const STEP_MS_MAX = 30_000;

/** As a shell reports a process that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Created before the leader dies, and while there is none. */
const BEFORE = { company: "Creality", model: "Ender 3" };
const DURING = { company: "Prusa", model: "MK4" };

export async function demo(session: Session, options: OptionsOf<"demo">): Promise<number> {
  const { random, terminal } = session;
  const folder = temporaryFolder("raft3d-demo-");
  const ports = await freePorts(nodeNetwork, random, NODES);
  const plan = planCluster(folder.path, ports, `demo-${randomHex(random, 8)}`, options.logLevel);
  const troubles: string[] = [];
  const cluster = new LocalCluster({
    session,
    plan,
    throwAway: true,
    onLog: (node, line) => {
      if (line.level === "error") troubles.push(`${node.name}: ${line.message}`);
    },
  });
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Failure("Interrupted.", INTERRUPTED));
  });
  onInterrupt(() => interrupt());
  const story = new Story(session);
  try {
    const played = play(session, cluster, story);
    played.catch(() => undefined); // reported below, unless the interrupt came first
    await Promise.race([played, interrupted]);
    terminal.out(
      `\n${paint(terminal, "green", "All of it held.")} \`raft3d up\` starts a cluster that stays.\n`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    story.failed(error.message);
    for (const trouble of troubles) terminal.err(`  ${trouble}\n`);
    return error.exitCode;
  } finally {
    // In this order: a node that still runs would write into the folder that is being removed.
    await cluster.stop();
    folder.remove();
  }
}

async function play(session: Session, cluster: LocalCluster, story: Story): Promise<void> {
  const { http, clock, random } = session;
  const clientOf = (nodes: readonly LocalNode[]): Client => {
    const endpoints = nodes.map((node) => node.origin);
    return new Client({ endpoints, timeoutMs: STEP_MS_MAX, http, clock, random });
  };

  const leader = await story.step("Three nodes start and elect a leader", async () => {
    await cluster.startAll();
    const unready = await cluster.ready(STEP_MS_MAX);
    if (unready.length > 0) throw new Failure(`${names(unready)} did not become ready.`);
    const found = await awaitLeader(session, cluster, null);
    return { value: found, told: `${found.name} leads` };
  });

  const first = await story.step("A printer is created", async () => {
    const id = await createPrinter(clientOf(cluster.plan.nodes), BEFORE, null);
    return { value: id, told: `printer ${id}, ${BEFORE.company} ${BEFORE.model}` };
  });

  const pid = cluster.pidOf(leader);
  await story.step("The leader is killed with SIGKILL", async () => {
    await cluster.kill(leader);
    return { value: null, told: `${leader.name}, process ${pid}` };
  });
  const survivors = cluster.running;

  // The write begins at the dead leader, and before the others have noticed.
  const key = `demo-${randomHex(random, 8)}`;
  const sentMs = clock.monotonicMs();
  const write = clientOf([leader, ...survivors])
    .ask({ method: "POST", path: PRINTERS.path, body: DURING, idempotencyKey: key })
    .then((told) => ({ ...told, tookMs: Math.round(clock.monotonicMs() - sentMs) }));
  write.catch(() => undefined); // awaited two steps below

  const successor = await story.step("The survivors elect another", async () => {
    const found = await awaitLeader(session, cluster, leader);
    return { value: found, told: `${found.name} leads` };
  });

  const second = await story.step("A write sent meanwhile goes through", async () => {
    const { answer, attempts, tookMs } = await write;
    const id = idOf(bodyOf(answer));
    return {
      value: id,
      told: `printer ${id}, asked ${attempts} times, answered after ${tookMs} ms`,
    };
  });

  await story.step("The same write again, at another node, is not done twice", async () => {
    const other = must(
      survivors.find((node) => node !== successor),
      "the other survivor",
    );
    const { answer } = await clientOf([other]).ask({
      method: "POST",
      path: PRINTERS.path,
      body: DURING,
      idempotencyKey: key,
    });
    const id = idOf(bodyOf(answer));
    const isReplay = answer.headers.get("idempotency-replayed") === "true";
    // Another id means another printer: the promise of the key is broken.
    if (!isReplay || id !== second) throw new Failure(`It was done again, as printer ${id}.`);
    return { value: null, told: `the first answer again, printer ${id}` };
  });

  await story.step("A survivor lists the printers (linearizable)", async () => {
    // The successor alone, and linearizable by default: it has to ask the other survivor first.
    const ids = await listPrinters(clientOf([successor]));
    const isComplete = ids.length === 2 && ids.includes(first) && ids.includes(second);
    if (!isComplete) throw new Failure(`It lists ${ids.join(", ")}, not ${first}, ${second}.`);
    return { value: null, told: `printers ${ids.join(" and ")}` };
  });

  await story.step("The killed node comes back and catches up", async () => {
    await cluster.start(leader);
    const index = await awaitAgreement(session, cluster);
    return { value: null, told: `${names(cluster.plan.nodes)} all at log index ${index}` };
  });
}

function names(nodes: readonly LocalNode[]): string {
  return nodes.map((node) => node.name).join(", ");
}

async function createPrinter(
  client: Client,
  body: typeof BEFORE,
  idempotencyKey: string | null,
): Promise<string> {
  return idOf(await client.json({ method: "POST", path: PRINTERS.path, body, idempotencyKey }));
}

function idOf(object: unknown): string {
  if (!isObject(object) || object["id"] === undefined) throw new Failure("The answer has no id.");
  return fieldText(object["id"]);
}

async function listPrinters(client: Client): Promise<readonly string[]> {
  const rows = await client.json({ method: "GET", path: PRINTERS.path });
  if (!Array.isArray(rows)) throw new Failure("The answer is not a list.");
  return rows.map(idOf);
}

/** The leader that a majority of all nodes, this one among them, agrees on; not `before`. */
async function awaitLeader(
  session: Session,
  cluster: LocalCluster,
  before: LocalNode | null,
): Promise<LocalNode> {
  const found = await waitFor(session.clock, STEP_MS_MAX, async () => {
    const views = [...(await cluster.views()).values()];
    for (const node of cluster.running) {
      const votes = views.filter((view) => view?.leaderId === node.id).length;
      if (node !== before && votes > cluster.plan.nodes.length / 2) return node;
    }
    return null;
  });
  if (found === null) throw new Failure("No leader was elected in time.");
  return found;
}

/** Waits until every node has applied the same log to the same state; the index. */
async function awaitAgreement(session: Session, cluster: LocalCluster): Promise<number> {
  const agreed = await waitFor(session.clock, STEP_MS_MAX, async () => {
    const views = [...(await cluster.views()).values()];
    const first = views[0] ?? null;
    if (first === null || views.length < cluster.plan.nodes.length) return null;
    const same = views.every(
      (view) => view?.appliedIndex === first.appliedIndex && view.stateHash === first.stateHash,
    );
    if (!same || !(await sameFarm(session, cluster))) return null;
    return first.appliedIndex;
  });
  if (agreed === null) throw new Failure("The nodes do not hold the same in time.");
  return agreed;
}

/** Whether every node by itself, asked for what it has, lists the same printers. */
async function sameFarm(session: Session, cluster: LocalCluster): Promise<boolean> {
  const path = `${PRINTERS.path}?consistency=stale`;
  const request = { method: "GET", path, timeoutMs: STEP_MS_MAX };
  const bodies = await Promise.all(
    cluster.plan.nodes.map(async ({ origin }) => {
      const answer = await probe(session.http, { ...request, origin });
      return answer?.status === 200 ? answer.body : null;
    }),
  );
  return bodies.every((body) => body !== null && body === bodies[0]);
}
