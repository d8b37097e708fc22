// `npm run bench:beside`: the systems of `npm run bench` alive at once, and loaded turn and turn about. On a machine whose
// speed changes by the minute a ratio of what ran one after the other says as much about the minutes as about the
// systems; here both are of the same ten seconds. The others idle meanwhile, which costs a little of a processor.
//   --only NAME      a system, or all whose names begin so; may be repeated; ratios are to the last one
//   --connections N  may be repeated
//   --operation OP   create, or get: one object, read linearizably
//   --turns N        of each system, for each number of connections
//   --seconds N      of each turn, after one second that does not count
//   --folder DIR     where the data goes; a disk, not memory

import { join } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../../src/base/assert.ts";
import { median } from "../../src/cli/bench/report.ts";
import { dataFolder } from "./disk.ts";
import { markdownTable, whole } from "./markdown.ts";
import { rested } from "./processes.ts";
import { FIRST_WARM_UP_SECONDS, USUAL_CONNECTIONS, WARM_UP_SECONDS } from "./rounds.ts";
import { type Operation, perSecond } from "./samples.ts";
import { ETCD, KINDS, type Kind, RAFT3D, type System, freshFolder } from "./systems.ts";
import { type Closed, type Load, drive, hasWrk } from "./wrk.ts";

/** Of each turn. */
const FIRST_SECONDS = 1;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [RAFT3D, "bare raft", ETCD] },
    connections: { type: "string", multiple: true, default: ["1", "16", "64", "256"] },
    operation: { type: "string", default: "create" },
    turns: { type: "string", default: "8" },
    seconds: { type: "string", default: "3" },
    folder: { type: "string", default: "." },
  },
});

function operation(): Operation {
  const asked = values.operation;
  if (asked === "create" || asked === "get") return asked;
  throw new Error(`--operation takes create or get, not ${asked}`);
}

/** In the order in which they were asked for. */
function chosen(): readonly Kind[] {
  const kinds = values.only.flatMap((name) => KINDS.filter((kind) => kind.name.startsWith(name)));
  if (kinds.length < 2) throw new Error("--only has to name two systems or more");
  for (const { missing, name } of kinds) {
    const why = missing();
    if (why !== null) throw new Error(`${name}: ${why}`);
  }
  return kinds;
}

interface Contender {
  readonly system: System;
  readonly load: Load;
}

async function measure({ load, system }: Contender, connections: number, seconds: number) {
  const closed = await drive(system.addresses("leader"), load, connections, seconds);
  const wrong = closed.failed + closed.broken;
  if (wrong > 0) throw new Error(`${system.name}: ${wrong} of ${closed.requests} failed`);
  return closed;
}

/** What each made in each turn: by contender, then by turn. */
async function turns(
  contenders: readonly Contender[],
  connections: number,
): Promise<readonly (readonly Closed[])[]> {
  if (!(await rested(contenders.flatMap(({ system }) => system.servers)))) {
    process.stderr.write("they did not come to rest: what comes next may hold what was before\n");
  }
  for (const one of contenders) await measure(one, connections, WARM_UP_SECONDS);
  const made: Closed[][] = contenders.map(() => []);
  for (let turn = 0; turn < Number(values.turns); turn++) {
    for (const [at, one] of contenders.entries()) {
      await measure(one, connections, FIRST_SECONDS);
      must(made[at], "a contender").push(await measure(one, connections, Number(values.seconds)));
    }
  }
  for (const { system } of contenders) {
    if (!(await system.isLedAsAtStart())) throw new Error(`${system.name} has another leader`);
  }
  return made;
}

function rows(
  contenders: readonly Contender[],
  connections: number,
  made: readonly (readonly Closed[])[],
): readonly (readonly string[])[] {
  const last = must(made.at(-1), "a contender");
  return contenders.map(({ system }, at) => {
    const own = must(made[at], "a contender");
    const of = (figure: (closed: Closed) => number): readonly number[] =>
      own.map((closed, turn) => figure(closed) / figure(must(last[turn], "a turn")));
    const rates = of(perSecond);
    const between = `${Math.min(...rates).toFixed(2)} to ${Math.max(...rates).toFixed(2)}`;
    const ms = (figure: (closed: Closed) => number): string =>
      (median(own.map(figure)) / 1000).toFixed(2);
    const isLast = own === last;
    return [
      system.name,
      String(connections),
      whole(median(own.map(perSecond))),
      isLast ? "" : median(rates).toFixed(2),
      isLast ? "" : between,
      ms(({ p50 }) => p50),
      ms(({ p99 }) => p99),
      isLast ? "" : median(of(({ p99 }) => p99)).toFixed(2),
    ];
  });
}

async function main(): Promise<void> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const folder = dataFolder(values.folder);
  const what = operation();
  const kinds = chosen();
  const contenders: Contender[] = [];
  const table: (readonly string[])[] = [];
  try {
    for (const kind of kinds) {
      const system = await kind.start(freshFolder(join(folder, kind.name.replaceAll(/\W/g, "-"))));
      contenders.push({ system, load: system.create });
    }
    for (const one of contenders) await measure(one, USUAL_CONNECTIONS, FIRST_WARM_UP_SECONDS);
    if (what === "get") {
      for (const [at, { system }] of contenders.entries()) {
        contenders[at] = { system, load: await system.get() };
      }
    }
    for (const connections of values.connections.map(Number)) {
      process.stderr.write(`${connections} connections\n`);
      table.push(...rows(contenders, connections, await turns(contenders, connections)));
    }
  } finally {
    await Promise.all(contenders.map(({ system }) => system.stop()));
  }
  const to = `of ${must(kinds.at(-1), "a system").name}`;
  const titles = ["", "connections", "per second", to, "by turn", "p50 ms", "p99 ms", `p99 ${to}`];
  process.stdout.write(`${markdownTable(titles, table)}\n`);
}

await main();
