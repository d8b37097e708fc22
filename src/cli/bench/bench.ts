// `raft3d bench`: measures a cluster, and beside it, if that is asked for, the least that a JSON
// service on the same machine could do, in turns, so that both meet the machine in the same mood.
//
// Owns the order of a run and what it leaves behind: nothing. What is started here is undone in
// reverse, however the run ends. It judges one thing only, whether every answer was a success: how
// fast is fast enough is for whoever reads the numbers.

import { must } from "../../base/assert.ts";
import { nodeNetwork } from "../../env/node/network.ts";
import { onInterrupt, startSelf, temporaryFolder } from "../../env/node/process.ts";
import { randomHex } from "../../env/random.ts";
import type { Client } from "../client/client.ts";
import { askCluster } from "../client/cluster.ts";
import { probe } from "../client/probe.ts";
import { Failure } from "../failure.ts";
import { LocalCluster } from "../local/local-cluster.ts";
import { LOCAL_HOST, freePorts, planCluster } from "../local/plan.ts";
import { waitFor } from "../local/wait.ts";
import type { OptionsOf } from "../options/table.ts";
import { type Session, clientFor } from "../session.ts";
import { type Measurement, type Target, measure } from "./load.ts";
import { encodeRequest, prepare } from "./operations.ts";
import { type Series, jsonReport, progress, report } from "./report.ts";

const READY_MS_MAX = 60_000;
const SETUP_SECONDS_MAX = 15;
const BASELINE_ROUNDS = 3;
/** As a shell reports a process that Ctrl-C ended. */
const INTERRUPTED = 130;

type Options = OptionsOf<"bench">;

/** What is to be undone at the end, last first. */
type Undo = () => Promise<void> | void;

export async function bench(session: Session, options: Options): Promise<number> {
  const undo: Undo[] = [];
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Failure("Interrupted.", INTERRUPTED));
  });
  onInterrupt(() => interrupt());
  try {
    // A promise beside the interrupt and not a check between steps: a measurement takes a minute.
    const run = runAll(session, options, undo);
    run.catch(() => undefined); // reported by whoever awaits it, unless the interrupt came first
    const series = await Promise.race([run, interrupted]);
    if (options.json) jsonReport(session, options.operation, options.connections, series);
    else report(session, series);
    return series.every(isClean) ? 0 : 1;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

function isClean(series: Series): boolean {
  return series.rounds.every((round) => Object.keys(round.unexpected).length === 0);
}

async function runAll(
  session: Session,
  options: Options,
  undo: Undo[],
): Promise<readonly Series[]> {
  const folder = temporaryFolder("raft3d-bench-");
  undo.push(() => folder.remove());
  if (options.local && folder.isInMemory) {
    session.terminal.err(`${folder.path} is in memory, so syncs cost nothing and rates say little.
To measure a disk, set TMPDIR to a folder on it.\n`);
  }
  const origins = options.local
    ? await startCluster(session, options, folder.path, undo)
    : options.endpoint;
  // Set up through the ordinary client, which tries again while the cluster finds itself. The load
  // itself never tries again: every failure is to be seen.
  const client = clientFor(session, { endpoint: origins, timeout: SETUP_SECONDS_MAX });
  const requests = await prepare(client, options.operation);
  const encode = (address: string): readonly Uint8Array[] =>
    requests.map((request) => encodeRequest(address, request));
  const addresses = await addressesOf(client, origins.map(hostPort), options.through);
  const name = options.through === "endpoints" ? "cluster" : `cluster, through ${options.through}`;
  const targets = [{ name, target: { addresses, requests: encode } }];
  if (options.baseline) {
    const address = await startEcho(session, folder.path, undo);
    targets.push({ name: "bare node:http", target: { addresses: [address], requests: encode } });
  }
  const rounds = options.rounds ?? (options.baseline ? BASELINE_ROUNDS : 1);
  const series = targets.map(({ name }) => ({ name, rounds: [] as Measurement[] }));
  // Turn and turn about: whatever else the machine does meanwhile falls on both.
  for (let round = 1; round <= rounds; round++) {
    for (const [at, { name, target }] of targets.entries()) {
      const measured = await measureOne(session, options, target);
      must(series[at], "a series for each target").rounds.push(measured);
      progress(session, `${name}, ${round} of ${rounds}`, measured);
    }
  }
  return series;
}

function measureOne(session: Session, options: Options, target: Target): Promise<Measurement> {
  return measure(nodeNetwork, session.clock, target, {
    connections: options.connections,
    warmUpMs: options.warmUp * 1000,
    measuredMs: options.seconds * 1000,
  });
}

/** Where the load goes. Any node takes any request; the leader takes a write with the least work. */
async function addressesOf(
  client: Client,
  endpoints: readonly string[],
  through: Options["through"],
): Promise<readonly string[]> {
  if (through === "endpoints") return endpoints;
  const { leaderId, members } = await askCluster(client);
  if (leaderId === null) throw new Failure("The cluster has no leader.");
  const chosen = members.filter(({ id }) => (id === leaderId) === (through === "leader"));
  const addresses = chosen.flatMap(({ http }) => (http === null ? [] : [http]));
  if (addresses.length === 0) throw new Failure(`No HTTP address is known of the ${through}.`);
  return addresses;
}

function hostPort(origin: string): string {
  const { hostname, port } = new URL(origin);
  return `${hostname}:${port === "" ? 80 : port}`;
}

async function startCluster(
  session: Session,
  options: Options,
  folder: string,
  undo: Undo[],
): Promise<readonly string[]> {
  const { random, terminal } = session;
  const ports = await freePorts(nodeNetwork, random, options.nodes);
  const token = `bench-${randomHex(random, 8)}`;
  const plan = planCluster(folder, ports, token, options.logLevel);
  const cluster = new LocalCluster({
    session,
    plan,
    throwAway: true,
    onEnd: (node, _, lastError) =>
      terminal.err(`${node.name} ended: ${lastError ?? "its log does not say why"}\n`),
  });
  undo.push(() => cluster.stop());
  await cluster.startAll();
  const unready = await cluster.ready(READY_MS_MAX);
  if (unready.length > 0 || cluster.running.length < options.nodes) {
    throw new Failure("The local cluster did not become ready.");
  }
  return plan.nodes.map((node) => node.origin);
}

async function startEcho(session: Session, folder: string, undo: Undo[]): Promise<string> {
  const { http } = await freePorts(nodeNetwork, session.random, 1);
  const address = `${LOCAL_HOST}:${must(http[0], "a free port")}`;
  const logPath = `${folder}/echo.log`;
  // In a process of its own, as the nodes are: beside the load tool it would get half its
  // processor.
  const child = await startSelf(["bench-echo", "--http", address], { logPath, throwAway: true });
  undo.push(async () => {
    child.signal("SIGKILL");
    await child.ended;
  });
  const request = { origin: `http://${address}`, method: "GET", path: "/", timeoutMs: 500 };
  const isUp = await waitFor(session.clock, READY_MS_MAX, async () => {
    const answer = await probe(session.http, request);
    return answer?.status === 200 || child.hasEnded ? true : null;
  });
  if (isUp === null || child.hasEnded) throw new Failure("The echo server did not start.");
  return address;
}
