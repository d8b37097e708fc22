// `npm run bench:endurance`: three nodes under full load for minutes. Does memory stay flat, and the disk bounded?
// The load changes a fixed set of printers over and over, so that the farm does not grow and whatever grows is a
// leak. Each change is an entry of the log and an event: the event log is kept for ever, and grows by design.
//   --minutes N
//   --slice SECONDS  of load between two lines
//   --connections N  that write, through the leader
//   --folder DIR     where the data goes; a disk, not memory
// Ends with 1 if a write failed, memory was not flat or the disk not bounded.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../../src/cli/bench/report.ts";
import { EVENT_FOLDER, SNAPSHOT_FOLDER, WAL_FOLDER } from "../../src/storage/names.ts";
import { freePorts } from "../system/ports.ts";
import { dataFolder } from "./disk.ts";
import { type Growth, type Slice, diskGrowth, memoryGrowth } from "./growth.ts";
import { markdownTable, whole } from "./markdown.ts";
import { NODES, Nodes } from "./nodes.ts";
import { perSecond } from "./samples.ts";
import { type Closed, type Load, drive, hasWrk } from "./wrk.ts";

const PRINTERS = 1000;
const PATH = "/api/v1/printers";
const CHANGE: Load = {
  method: "PATCH",
  path: `${PATH}/%d`,
  objects: PRINTERS,
  body: JSON.stringify({ model: "%s" }),
};
const LOOK_MS = 1000;
const PARTS = [WAL_FOLDER, SNAPSHOT_FOLDER, EVENT_FOLDER] as const;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    slice: { type: "string", default: "30" },
    connections: { type: "string", default: "64" },
    folder: { type: "string", default: "." },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Of all files below a folder. Files may go while they are looked at. */
function mibBelow(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const sizes = names.map((name) => {
    const file = statSync(join(folder, name), { throwIfNoEntry: false });
    return file?.isFile() === true ? file.size : 0;
  });
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}

/** One look at a node. */
interface Look {
  readonly residentMib: number;
  readonly mib: Readonly<Record<(typeof PARTS)[number], number>>;
}

/** What is seen of the nodes while load runs, once a second. */
class Watch {
  readonly #nodes: Nodes;
  #looks: (readonly Look[])[] = [];

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  async during<T>(work: Promise<T>): Promise<T> {
    this.#looks = [];
    const timer = setInterval(() => this.#look(), LOOK_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      this.#look();
    }
  }

  residentMib(): readonly number[] {
    return NODES.map((at) => median(this.#of(at).map(({ residentMib }) => residentMib)));
  }

  /** At most, of some parts together. */
  mib(...parts: readonly (typeof PARTS)[number][]): readonly number[] {
    const sum = ({ mib }: Look): number => parts.reduce((total, part) => total + mib[part], 0);
    return NODES.map((at) => Math.max(...this.#of(at).map(sum)));
  }

  #of(at: number): readonly Look[] {
    return this.#looks.flatMap((look) => look[at] ?? []);
  }

  #look(): void {
    this.#looks.push(
      NODES.map((at) => {
        const mib = (part: string): number => mibBelow(join(this.#nodes.data(at), part));
        return {
          residentMib: this.#nodes.server(at).residentMib(),
          mib: { wal: mib(WAL_FOLDER), snapshots: mib(SNAPSHOT_FOLDER), events: mib(EVENT_FOLDER) },
        };
      }),
    );
  }
}

const LEADER_CHANGES = "raft3d_leader_changes_total";

const COLUMNS = [
  ["time", 6],
  ["per second", 10],
  ["p99 ms", 7],
  ["resident MiB", 15],
  ["log MiB", 12],
  ["snapshots MiB", 15],
  ["events MiB", 18],
  ["snapshots taken", 15],
  ["leader changes", 14],
  ["failures", 8],
] as const;

function line(cells: readonly string[]): void {
  say(COLUMNS.map(([, width], at) => (cells[at] ?? "").padStart(width)).join("  "));
}

function byNode(figures: readonly number[], digits = 0): string {
  return figures.map((figure) => figure.toFixed(digits)).join(" ");
}

class Endurance {
  readonly #nodes: Nodes;
  readonly #watch: Watch;
  readonly slices: Slice[] = [];
  /** Writes that were answered, and those that were not, or not with success. */
  changes = 0;
  failures = 0;
  #seconds = 0;
  readonly #leadersBefore: readonly number[];

  private constructor(nodes: Nodes, leadersBefore: readonly number[]) {
    this.#nodes = nodes;
    this.#watch = new Watch(nodes);
    this.#leadersBefore = leadersBefore;
  }

  static async of(nodes: Nodes): Promise<Endurance> {
    return new Endurance(nodes, await nodes.metrics(LEADER_CHANGES));
  }

  async slice(seconds: number, connections: number): Promise<void> {
    const leader = this.#nodes.http(await this.#nodes.leader());
    const closed = await this.#watch.during(drive([leader], CHANGE, connections, seconds));
    this.#seconds += closed.us / 1e6;
    this.changes += closed.requests;
    this.failures += closed.failed + closed.broken;
    this.slices.push({
      seconds: this.#seconds,
      residentMib: this.#watch.residentMib(),
      keptMib: this.#watch.mib(WAL_FOLDER, SNAPSHOT_FOLDER),
    });
    await this.#line(closed);
  }

  async #line(closed: Closed): Promise<void> {
    const minutes = Math.floor(this.#seconds / 60);
    const seconds = Math.floor(this.#seconds % 60);
    const leaders = await this.#nodes.metrics(LEADER_CHANGES);
    line([
      `${minutes}:${String(seconds).padStart(2, "0")}`,
      whole(perSecond(closed)),
      (closed.p99 / 1000).toFixed(1),
      byNode(this.#watch.residentMib()),
      byNode(this.#watch.mib(WAL_FOLDER)),
      byNode(this.#watch.mib(SNAPSHOT_FOLDER), 1),
      byNode(this.#watch.mib(EVENT_FOLDER)),
      byNode(await this.#nodes.metrics("raft3d_snapshots_taken_total")),
      byNode(leaders.map((count, at) => count - (this.#leadersBefore[at] ?? 0))),
      String(closed.failed + closed.broken),
    ]);
  }

  /** Bytes of a change in the event log of one node. */
  eventBytes(): number {
    return ((this.#watch.mib(EVENT_FOLDER)[0] ?? 0) * 2 ** 20) / this.changes;
  }
}

function isHeld(what: string, growths: readonly Growth[] | null): boolean {
  if (growths === null) {
    say(`${what}: too short to tell`);
    return true;
  }
  const rows = growths.map(({ afterMib, beforeMib, isWithin }, at) => [
    `node ${at + 1}`,
    `${beforeMib.toFixed(0)} MiB`,
    `${afterMib.toFixed(0)} MiB`,
    (afterMib / beforeMib).toFixed(2),
    isWithin ? "yes" : "no",
  ]);
  say(`${what}\n\n${markdownTable(["", "before", "after", "ratio", "held"], rows)}\n`);
  return growths.every(({ isWithin }) => isWithin);
}

async function main(): Promise<number> {
  if (!hasWrk()) throw new Error("wrk is not installed (Debian: apt-get install wrk)");
  const nodes = new Nodes(dataFolder(values.folder), await freePorts(6));
  await nodes.leader();
  for (let n = 0; n < PRINTERS; n++) {
    const id = await nodes.create(PATH, { company: "Prusa", model: "MK4S" });
    if (id !== n + 1) throw new Error(`printer ${n + 1} got the id ${id}`);
  }
  const endurance = await Endurance.of(nodes);
  const seconds = Number(values.slice);
  say(
    `${values.connections} connections change ${whole(PRINTERS)} printers through the leader. Three figures are one\n` +
      "for each node: memory is the median of a line's seconds, disk the most.\n",
  );
  line(COLUMNS.map(([title]) => title));
  for (let left = Number(values.minutes) * 60; left > 0; left -= seconds) {
    await endurance.slice(Math.min(seconds, left), Number(values.connections));
  }
  await nodes.stop();
  const bytes = whole(endurance.eventBytes());
  say(`\n${whole(endurance.changes)} changes, ${whole(endurance.failures)} failures.`);
  say(`The event log grew by ${bytes} bytes a change at each node, as it is meant to.\n`);
  const isFlat = isHeld(
    "Memory, in the middle of both halves after the first minute",
    memoryGrowth(endurance.slices),
  );
  const isBounded = isHeld(
    "Log and snapshots, the most in either half after the first minute",
    diskGrowth(endurance.slices),
  );
  return isFlat && isBounded && endurance.failures === 0 ? 0 : 1;
}

process.exitCode = await main();
