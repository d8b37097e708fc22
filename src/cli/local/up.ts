// `raft3d up`: a cluster on this machine, in the foreground, until Ctrl-C.
//
// Results (the table of nodes, what to try) go to standard output, the running commentary to
// standard error. A node that ends by itself is reported and stays down: see local-cluster.ts. Exit
// codes: 0 if it was stopped, 1 if it never became ready or no node is left.

import { nodeDisk } from "../../env/node/disk.ts";
import { nodeNetwork } from "../../env/node/network.ts";
import {
  type ChildEnd,
  absolutePath,
  commandName,
  environment,
  onInterrupt,
} from "../../env/node/process.ts";
import type { OptionRow } from "../options/row.ts";
import { fromEnvironment } from "../options/sources.ts";
import { OPTIONS, type OptionsOf } from "../options/table.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { type Cell, renderTable } from "../table.ts";
import { plural, printable } from "../text.ts";
import { openClusterFile } from "./cluster-file.ts";
import { describeEnd } from "./exit-meaning.ts";
import { LocalCluster } from "./local-cluster.ts";
import { humanLogLine, isNews } from "./log-line.ts";
import {
  type LocalNode,
  type LocalPlan,
  assertAddressesFree,
  planCluster,
  serveArguments,
} from "./plan.ts";

/** Long enough to load a large snapshot and log. */
const READY_MS_MAX = 120_000;

export async function up(session: Session, options: OptionsOf<"up">): Promise<number> {
  const plan = await prepare(session, options);
  const { terminal } = session;
  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => (end = resolve));
  // Registered before the first child: none may outlive a Ctrl-C at the wrong moment.
  let isInterrupted = false;
  onInterrupt(() => {
    isInterrupted = true;
    terminal.err("\nStopping …\n");
    end(0);
  });
  const cluster: LocalCluster = new LocalCluster({
    session,
    plan,
    throwAway: false,
    onLog: (node, line) => {
      if (isNews(line)) terminal.err(humanLogLine(terminal, node, line));
    },
    onEnd: (node, how, lastError) => {
      // Without a majority the rest serve stale reads only. They run on all the same: the missing
      // ones can be started again by hand, and somebody may want to look.
      terminal.err(endReport(session, plan, node, how, lastError));
      if (cluster.running.length > 0) return;
      terminal.err("No node is left.\n");
      end(1);
    },
  });
  const began = session.clock.monotonicMs();
  terminal.err(
    `Starting ${plural(plan.nodes.length, "node")} in ${absolutePath(options.data)} …\n`,
  );
  const started = start(cluster).then(async (unready) => {
    if (isInterrupted || cluster.running.length === 0) return;
    const seconds = ((session.clock.monotonicMs() - began) / 1000).toFixed(1);
    if (unready.length === 0) {
      await welcome(session, cluster, seconds);
      return;
    }
    const names = unready.map((node) => node.name).join(", ");
    terminal.err(`Not ready after ${seconds} s: ${names}. Their logs are in their folders.\n`);
    end(1);
  });
  let code: number;
  try {
    code = await Promise.race([ended, started.then(() => ended)]);
  } finally {
    await cluster.stop();
  }
  if (code === 0) terminal.err(`Stopped. The data stays in ${absolutePath(options.data)}.\n`);
  return code;
}

/** Finds everything that is wrong before anything is started. */
async function prepare(session: Session, options: OptionsOf<"up">): Promise<LocalPlan> {
  const { nodes, peerPort, port } = options;
  const folder = absolutePath(options.data);
  const wanted = { nodes, peerPort };
  const offsets = Array.from({ length: nodes }, (_, at) => at);
  const ports = { http: offsets.map((n) => port + n), peer: offsets.map((n) => peerPort + n) };
  // Before the file: a cluster that runs already in this folder is told from a wrong option by its
  // ports.
  await assertAddressesFree(nodeNetwork, planCluster(folder, ports, "", options.logLevel));
  const { token } = await openClusterFile(nodeDisk(folder), session.random, wanted);
  return planCluster(folder, ports, token, options.logLevel);
}

async function start(cluster: LocalCluster): Promise<readonly LocalNode[]> {
  await cluster.startAll();
  return cluster.ready(READY_MS_MAX);
}

async function welcome(session: Session, cluster: LocalCluster, seconds: string): Promise<void> {
  const { terminal } = session;
  const views = await cluster.views();
  const leaders = [...views.values()].map((view) => view?.leaderId ?? null);
  const leader = leaders.find((id) => id !== null) ?? null;
  const columns = [
    { title: "ID", isNumber: true },
    { title: "ROLE" },
    { title: "HTTP" },
    { title: "PEERS" },
    { title: "DATA" },
  ];
  const rows = cluster.plan.nodes.map((node): readonly Cell[] => {
    const leads = node.id === leader;
    const role = leads ? "leader" : "follower";
    return [
      String(node.id),
      leads ? { text: `* ${role}`, style: "green" } : `  ${role}`,
      node.origin,
      node.peer,
      node.data,
    ];
  });
  const count = plural(cluster.running.length, "node");
  terminal.out(`\n${count} ready after ${seconds} s.\n\n${renderTable(terminal, columns, rows)}`);
  const [first, second] = [cluster.running[0], cluster.running[1] ?? cluster.running[0]];
  if (first === undefined || second === undefined) return;
  const body = '{"company": "Creality", "model": "Ender 3"}';
  const lines = [
    "",
    "Try it; any node takes any request:",
    `  curl -s ${first.origin}/api/v1/printers \\`,
    "    -H 'Content-Type: application/json' \\",
    `    -d '${body}'`,
    `  curl -s ${second.origin}/api/v1/printers`,
    `  curl -s ${first.origin}/api/v1/cluster`,
    "",
    `The interface is explained at ${paint(terminal, "bold", `${first.origin}/docs`)}`,
    "Ctrl-C stops it, the data stays.",
    "",
    "",
  ];
  terminal.out(lines.join("\n"));
}

function endReport(
  session: Session,
  plan: LocalPlan,
  node: LocalNode,
  how: ChildEnd,
  lastError: string | null,
): string {
  const { terminal } = session;
  const args = serveArguments(plan, node);
  const command = [...inherited(args), ...commandName(), ...args].map(quoted).join(" ");
  const last = lastError === null ? [] : [`  Its last error: ${printable(lastError)}`];
  const lines = [
    paint(terminal, "red", `${node.name} ${describeEnd(how)}.`),
    ...last,
    `  Its log: ${node.logPath}`,
    "  It stays down; the others go on while they are a majority. To start it again, in",
    "  another terminal:",
    `  ${command}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** What the node took from this environment, to be said in another terminal, which has its own. */
function inherited(args: readonly string[]): readonly string[] {
  const rows: readonly OptionRow[] = OPTIONS;
  return rows
    .filter((row) => row.commands.includes("serve") && !args.includes(`--${row.name}`))
    .flatMap((row) => {
      const source = fromEnvironment(row, environment());
      return source === null ? [] : [`${source.name}=${source.text}`];
    });
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
