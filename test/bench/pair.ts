// `npm run bench:pair`: two builds of Raft3D, three nodes of each alive at once, get the same load turn and turn
// about. What a neighbour on the machine takes, it takes from both, so the ratio shows a change that runs one after
// the other do not. Two clusters of one build differ, too, by what V8 has made of their code: so all is done
// again with fresh ones, and the ratio of each launch is shown. Without --before: this build beside itself, which
// shows the noise. No snapshots are taken: an idle node takes its own, and so would in the turn of the other build.
//   --before DIR     a checkout that has been built
//   --connections N  may be repeated
//   --launches N     of fresh clusters; an even number, since who is started first takes turns
//   --rounds N       of each load, in each launch
//   --seconds N      of each load, in each round
//   --folder DIR     where the data goes; a disk, not memory

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../../src/base/assert.ts";
import { median } from "../../src/cli/bench/report.ts";
import { freePorts } from "../system/ports.ts";
import { MAIN } from "../system/process-cluster.ts";
import { dataFolder } from "./disk.ts";
import { markdownTable, whole } from "./markdown.ts";
import { NODES, Nodes } from "./nodes.ts";
import { FIRST_WARM_UP_SECONDS, USUAL_CONNECTIONS } from "./rounds.ts";
import { perSecond } from "./samples.ts";
import { freshFolder } from "./systems.ts";
import { type Load, drive, hasWrk } from "./wrk.ts";

const CREATE: Load = {
  method: "POST",
  path: "/api/v1/printers",
  body: JSON.stringify({ company: "Prusa", model: "MK4S" }),
};
const NO_SNAPSHOTS = ["--snapshot-entries", "1000000"];

const { values } = parseArgs({
  options: {
    before: { type: "string" },
    connections: { type: "string", multiple: true, default: ["16", "64", "256"] },
    launches: { type: "string", default: "4" },
    rounds: { type: "string", default: "6" },
    seconds: { type: "string", default: "2" },
    folder: { type: "string", default: "." },
  },
});
const PROGRAMS = [
  values.before === undefined ? MAIN : join(resolve(values.before), "dist/cli/main.js"),
  MAIN,
] as const;

interface Figures {
  readonly perSecond: number;
  readonly p99: number;
  /** Processor seconds for each 1,000 creates, of all three nodes. */
  readonly cpu: number;
  /** Creates for each batch in the leader's log. */
  readonly batch: number;
}

/** Both builds under one load, in one round. */
interface Pair {
  readonly connections: number;
  readonly launch: number;
  readonly before: Figures;
  readonly after: Figures;
}

async function start(program: string, folder: string): Promise<Nodes> {
  const options = { program, args: NO_SNAPSHOTS };
  const nodes = new Nodes(freshFolder(folder), await freePorts(6), options);
  await nodes.leader();
  return nodes;
}

async function measure(nodes: Nodes, connections: number, seconds: number): Promise<Figures> {
  const leader = await nodes.leader();
  const batches = async (): Promise<number> =>
    must((await nodes.metrics("raft3d_log_batches_total"))[leader], "the leader");
  const cpu = (): number =>
    NODES.reduce<number>((sum, at) => sum + nodes.server(at).cpuSeconds(), 0);
  const before = { batches: await batches(), cpu: cpu() };
  const closed = await drive([nodes.http(leader)], CREATE, connections, seconds);
  const wrong = closed.failed + closed.broken;
  if (wrong > 0) throw new Error(`${wrong} of ${closed.requests} creates failed`);
  return {
    perSecond: perSecond(closed),
    p99: closed.p99 / 1000,
    cpu: (cpu() - before.cpu) / (closed.requests / 1000),
    batch: closed.requests / ((await batches()) - before.batches),
  };
}

async function launch(number: number, folder: string, pairs: Pair[]): Promise<void> {
  const clusters: (Nodes | undefined)[] = [];
  // Being first or second may make a difference, too.
  const order = number % 2 === 1 ? [0, 1] : [1, 0];
  try {
    for (const at of order) {
      const program = must(PROGRAMS[at], "a build");
      clusters[at] = await start(program, join(folder, `${at}`));
    }
    for (const at of order) {
      await measure(must(clusters[at], "a cluster"), USUAL_CONNECTIONS, FIRST_WARM_UP_SECONDS);
    }
    for (const connections of values.connections.map(Number)) {
      for (let round = 0; round < Number(values.rounds); round++) {
        const figures: Figures[] = [];
        // Whoever comes second finds what the first has left to do, so they take turns in that as well.
        for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
          const nodes = must(clusters[at], "a cluster");
          figures[at] = await measure(nodes, connections, Number(values.seconds));
        }
        const [before, after] = figures;
        pairs.push({
          connections,
          launch: number,
          before: must(before, "one"),
          after: must(after, "the other"),
        });
      }
    }
  } finally {
    await Promise.all(clusters.map(async (nodes) => nodes?.stop("SIGKILL")));
  }
}

type Figure = keyof Figures;

const FIGURES: readonly (readonly [string, Figure, (value: number) => string])[] = [
  ["creates a second", "perSecond", whole],
  ["p99, ms", "p99", (value) => value.toFixed(1)],
  ["processor s per 1,000", "cpu", (value) => value.toFixed(2)],
  ["creates in a batch", "batch", (value) => value.toFixed(1)],
];

function medianRatio(pairs: readonly Pair[], figure: Figure): number {
  return median(pairs.map(({ after, before }) => after[figure] / before[figure]));
}

function table(pairs: readonly Pair[]): string {
  const launches = [...new Set(pairs.map((pair) => pair.launch))];
  const rows = values.connections.map(Number).flatMap((connections) => {
    const those = pairs.filter((pair) => pair.connections === connections);
    return FIGURES.map(([title, figure, show]) => [
      `${title}, ${connections} connections`,
      show(median(those.map(({ before }) => before[figure]))),
      show(median(those.map(({ after }) => after[figure]))),
      medianRatio(those, figure).toFixed(2),
      launches
        .map((one) =>
          medianRatio(
            those.filter((pair) => pair.launch === one),
            figure,
          ).toFixed(2),
        )
        .join(" "),
    ]);
  });
  return markdownTable(["", "before", "this", "ratio", "by launch"], rows);
}

async function main(): Promise<void> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const folder = dataFolder(values.folder);
  const pairs: Pair[] = [];
  for (let n = 1; n <= Number(values.launches); n++) {
    process.stderr.write(`launch ${n} of ${values.launches}\n`);
    await launch(n, folder, pairs);
  }
  process.stdout.write(`${table(pairs)}\n`);
}

await main();
