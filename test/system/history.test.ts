// One story, told in beforeAll: a shop at work while every node dies once and comes back. The tests look at
// the history that is left of it.

import { cpSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealLine } from "../../src/storage/events/line.ts";
import { eventLines } from "./client.ts";
import { raft3d } from "./command.ts";
import { FarmLoad } from "./farm-load.ts";
import { LiveReader } from "./live-reader.ts";
import {
  type ClusterStatus,
  ProcessCluster,
  type ServerProcess,
  until,
} from "./process-cluster.ts";

let cluster: ProcessCluster;
let load: FarmLoad;
let readers: readonly LiveReader[];
let end: ClusterStatus;
let history: readonly string[];
/** Whose file of events was damaged while it was down. */
let damaged: ServerProcess;

beforeAll(async () => {
  cluster = await ProcessCluster.make(3, ["--snapshot-entries", "400", "--trailing-entries", "50"]);
  const first = await cluster.start();
  readers = cluster.servers.map((server) => new LiveReader(server));
  load = new FarmLoad(cluster, 6);
  await moreRounds(4);
  await first.stop("SIGKILL");
  const second = await cluster.leader();
  await moreRounds(4);
  first.start();
  await cluster.leader();
  await second.stop("SIGKILL");
  await cluster.leader();
  await moreRounds(4);
  second.start();
  await cluster.leader();
  damaged = cluster.servers.find((server) => server !== first && server !== second)!;
  expect(await damaged.stop("SIGTERM")).toBe(0);
  spoil(longestFile([damaged]), '"type":"filament.created"', (line) => [
    line.replace("PETG", "ABBA"),
  ]);
  await moreRounds(4);
  damaged.start();
  await cluster.leader();
  await load.stop();
  end = await cluster.settled();
  await until("every node has every event", async () => {
    return (await Promise.all(cluster.servers.map(eventLines))).every((lines) => lines !== null);
  });
  history = (await eventLines(await cluster.leader()))!;
});
afterAll(() => cluster.dispose());

async function moreRounds(count: number): Promise<void> {
  const goal = load.rounds + count;
  await until(`${count} more rounds of work`, () => load.rounds >= goal);
}

function indexOf(line: string): number {
  return JSON.parse(line).index;
}

/** What `events replay` found, and how it ended. */
async function replay(...args: string[]) {
  const ran = await raft3d("events", "replay", "--json", ...args);
  expect(ran.stderr).toBe("");
  return { code: ran.code, ...JSON.parse(ran.stdout) };
}

describe("the history of a shop where every node has died once", () => {
  test("has in it everything that was answered, and is the same on every node", async () => {
    expect(load.unexpected).toEqual([]);
    for (const server of cluster.servers) expect(await eventLines(server)).toEqual(history);
    const counts = new Map<string, number>();
    for (const line of history) {
      const { type } = JSON.parse(line);
      counts.set(type, (counts.get(type) ?? 0) + 1);
    }
    // What a round of the load does, times the rounds: nothing twice, nothing missing.
    const { rounds } = load;
    expect(Object.fromEntries(counts)).toEqual({
      "printer.created": 2 * rounds,
      "printer.updated": rounds,
      "printer.deleted": rounds,
      "filament.created": 2 * rounds,
      "filament.updated": rounds,
      "filament.deleted": rounds,
      "print_job.created": 4 * rounds,
      "print_job.running": 2 * rounds,
      "print_job.done": 2 * rounds,
      "print_job.canceled": rounds,
    });
  });

  test("was made whole again where it was damaged while the node was down", async () => {
    expect(damaged.log).toMatch(/"msg":"[^"]*file of events is damaged/);
    expect(await eventLines(damaged)).toEqual(history);
  });

  test("gives the live state of every node, hash for hash", async () => {
    for (const server of cluster.servers) {
      const found = await replay("--endpoint", `http://${server.http}`);
      expect(found).toMatchObject({
        code: 0,
        ok: true,
        difference: null,
        events: history.length,
        hash: end.state_hash,
        objects: { printers: load.rounds, filaments: load.rounds, print_jobs: 4 * load.rounds },
      });
      expect(found.notes).toEqual([
        `Node ${server.id} holds the same state at index ${end.applied_index}.`,
      ]);
    }
  });

  test("was streamed live by every node, each event once and in order, across the node's restart", async () => {
    const last = indexOf(history.at(-1)!);
    for (const reader of readers) {
      await reader.stopAt(last);
      expect(reader.refused).toEqual([]);
      expect(reader.connections).toBeGreaterThan(1);
      expect(reader.lines).toEqual(history);
      expect(reader.ids).toEqual(history.map(indexOf));
      expect(reader.types).toEqual(history.map((line) => JSON.parse(line).type));
    }
  });

  test("can be replayed from the files of a node while it runs", async () => {
    const server = cluster.server(1);
    expect(await replay("--data", server.data)).toMatchObject({ code: 0, ok: true });
  });
});

describe("the history on the disks of stopped nodes", () => {
  beforeAll(async () => {
    await Promise.all(cluster.servers.map((server) => server.stop()));
  });

  test("gives the state that the nodes had, hash for hash", async () => {
    for (const server of cluster.servers) {
      const found = await replay("--data", server.data);
      expect(found).toMatchObject({ code: 0, ok: true, difference: null, notes: [] });
      expect(found).toMatchObject({ events: history.length, hash: end.state_hash });
    }
  });

  test("with a flipped bit in the middle is refused, by file and byte", async () => {
    const { data, file } = copyOfHistory();
    const { offset } = spoil(file, '"type":"print_job.done"', (line) => {
      return [line.replace(/"deducted_weight_in_grams":\d/, '"deducted_weight_in_grams":9')];
    });
    const { code, difference, ok } = await replay("--data", data);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    const place = `${file}, byte ${offset}: the line does not match its checksum`;
    expect(difference.what).toContain(place);
  });

  test("with a line forged, checksum and all, is refused at its index with both hashes", async () => {
    const { data, file } = copyOfHistory();
    const { line } = spoil(file, '"type":"print_job.created"', (told) => {
      const forged = told.replace(/"print_weight_in_grams":\d+/, '"print_weight_in_grams":1');
      return [sealLine(forged.replace(/,"crc":"[0-9a-f]{8}"\}$/, "}"))];
    });
    const ran = await raft3d("events", "replay", "--data", data);
    expect(ran.code).toBe(1);
    const { hash, index } = JSON.parse(line);
    const sentence = `✘ At index ${index}: the fold gives [0-9a-f]{16}, the event says ${hash}`;
    expect(ran.stdout).toMatch(new RegExp(sentence));
  });

  test("with a line left out is refused", async () => {
    const { data, file } = copyOfHistory();
    const { line } = spoil(file, '"type":"printer.updated"', () => []);
    const { code, difference, ok } = await replay("--data", data);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    // The state without it differs from what the very next event says.
    expect(difference.index).toBe(indexOf(history[history.indexOf(line) + 1]!));
  });
});

/** The file with the most events of those that are being written. */
function longestFile(of: readonly { readonly data: string }[]): string {
  const files = of.flatMap(({ data }) => {
    const names = readdirSync(join(data, "events"));
    const open = names.filter((name) => /^[0-9a-f]{16}\.ndjson$/.test(name));
    return open.map((name) => join(data, "events", name));
  });
  return files.toSorted((a, b) => readFileSync(b).length - readFileSync(a).length)[0]!;
}

/** A copy of a stopped node's history. */
function copyOfHistory(): { readonly data: string; readonly file: string } {
  const from = dirname(longestFile(cluster.servers));
  const data = mkdtempSync(join(cluster.folder, "copy-"));
  cpSync(from, join(data, "events"), { recursive: true });
  return { data, file: longestFile([{ data }]) };
}

/** Puts others in the place of the first line behind the first quarter that has this in it. */
function spoil(
  file: string,
  text: string,
  change: (line: string) => readonly string[],
): { readonly line: string; readonly offset: number } {
  const lines = readFileSync(file, "utf8").split("\n");
  // Well before the newest snapshot: what comes behind it is made again at a start, damaged or not.
  const from = Math.floor(lines.length / 4);
  const at = lines.findIndex((line, n) => n >= from && line.includes(text));
  const line = lines[at]!;
  const changed = change(line);
  expect(changed).not.toEqual([line]);
  writeFileSync(file, lines.toSpliced(at, 1, ...changed).join("\n"));
  return { line, offset: Buffer.byteLength(`${lines.slice(0, at).join("\n")}\n`) };
}
