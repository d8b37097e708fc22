// `npm run bench:micro`: what single parts cost, for finding which of them got slower. Compare two commits
// on one machine, one behind the other; the figures of two machines have nothing to say to each other.
//   --only TEXT     those whose names hold it
//   --ms N          for each
//   --folder DIR    where the log is written; a disk, not memory

import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { must } from "../../src/base/assert.ts";
import { nodeId } from "../../src/base/brand.ts";
import { nodeClock } from "../../src/env/node/clock.ts";
import { nodeDisk } from "../../src/env/node/disk.ts";
import { nodeLogger } from "../../src/env/node/logger.ts";
import { nodeRandom } from "../../src/env/node/random.ts";
import { COMMAND_VERSION, type Command } from "../../src/fsm/command.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/fsm/envelope.ts";
import { Machine } from "../../src/fsm/machine.ts";
import { snapshotBlocks } from "../../src/fsm/snapshot.ts";
import { createFilament, createJob, createPrinter } from "../../src/fsm/testing/commands.ts";
import { parseBody } from "../../src/http/json.ts";
import { Harness, type Host, encodeEntries } from "../../src/node/testing/replica-harness.ts";

import { createStorage, recover } from "../../src/storage/recovery.ts";
import type { Log } from "../../src/storage/wal/log.ts";
import { FrameDecoder, FrameGatherer } from "../../src/transport/frame.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    ms: { type: "string", default: "1000" },
    folder: { type: "string", default: "." },
  },
});

const bench = new Bench({ time: Number(values.ms), warmupTime: Number(values.ms) / 2 });
const PRINTER = createPrinter();
const BATCHES = [1, 16, 128] as const;

function add(name: string, run: () => unknown): void {
  if (name.includes(values.only)) bench.add(name, run);
}

let seq = 0;
function envelope(command: Command): Uint8Array {
  seq += 1;
  return encodeEnvelope({
    v: COMMAND_VERSION,
    node: nodeId(1),
    start: 1,
    seq,
    low: seq,
    at: 1_700_000_000_000,
    key: null,
    fingerprint: null,
    command,
  });
}

function codecs(): void {
  const bytes = envelope(PRINTER);
  add("codec: encode a command", () => envelope(PRINTER));
  add("codec: decode a command", () => decodeEnvelope(bytes));
  const text = JSON.stringify({ company: "Creality", model: "Ender 3 V2" });
  add("codec: a body of HTTP", () => parseBody(text));
  const payloads = Array.from({ length: 64 }, () => bytes);
  add("codec: 64 frames to a peer and back", () => {
    const gatherer = new FrameGatherer();
    for (const payload of payloads) gatherer.append("message", payload);
    new FrameDecoder().push(gatherer.take());
  });
}

/** Applies commands, each once, and a little housekeeping never: the machine only grows. */
function machineOf(commands: readonly Command[]): { readonly apply: (command: Command) => void } {
  const machine = Machine.empty();
  machine.applyEmpty(1, 1);
  const apply = (command: Command): void => {
    machine.apply(machine.appliedIndex + 1, 1, envelope(command));
  };
  commands.forEach(apply);
  return { apply };
}

function stateMachine(): void {
  const printers = machineOf([]);
  add("fsm: create a printer", () => printers.apply(PRINTER));
  const jobs = machineOf([
    PRINTER,
    createFilament({ total_weight_in_grams: 1e9, remaining_weight_in_grams: 1e9 }),
  ]);
  const job = createJob({ print_weight_in_grams: 1 });
  add("fsm: create a job", () => jobs.apply(job));
  const large = Machine.empty();
  large.applyEmpty(1, 1);
  for (let n = 0; n < 10_000; n++) large.apply(large.appliedIndex + 1, 1, envelope(PRINTER));
  add("fsm: a snapshot of 10,000 printers", () => {
    for (const block of snapshotBlocks(large.view(), 65_536)) must(block[0], "a byte");
  });
}

/** Three replicas with the real core, and no disk or network between them. */
async function consensus(): Promise<void> {
  for (const size of BATCHES) {
    const harness = await Harness.make(3);
    const leader = harness.elect();
    add(`core: ${size} commands, three replicas`, () => commitTogether(harness, leader, size));
  }
}

function commitTogether(harness: Harness, leader: Host, size: number): void {
  leader.step(
    ...Array.from({ length: size }, () => {
      seq += 1;
      return { kind: "submit", request: seq, command: PRINTER, key: null, at: 1000 } as const;
    }),
  );
  harness.settle();
  if (leader.replica.pendingProposals > 0) throw new Error("not everything was applied");
  // They note everything for tests to look at.
  for (const host of harness.all) {
    host.effects.length = 0;
    host.replies.clear();
    host.entries.clear();
  }
}

async function log(folder: string): Promise<Log> {
  const options = {
    disk: nodeDisk(folder),
    clock: nodeClock,
    random: nodeRandom,
    logger: nodeLogger("error", {}),
    clusterId: "0123456789abcdef",
    nodeId: nodeId(1),
  };
  const confState = {
    voters: [1],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  await createStorage({ ...options, founding: { index: 1, term: 1, confState } });
  const { log: opened } = await recover(options);
  let last = 1;
  for (const size of BATCHES) {
    add(`log: ${size} entries, written and synced`, async () => {
      const entries = Array.from({ length: size }, (_, at) => ({
        index: last + 1 + at,
        term: 1,
        type: 0,
        data: envelope(PRINTER),
      }));
      const hardState = { term: 1, vote: 1, commit: last };
      last += size;
      await opened.append({ hardState, mark: null, entries: encodeEntries(entries) });
    });
  }
  return opened;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(resolve(values.folder), "bench-data-"));
  try {
    codecs();
    stateMachine();
    await consensus();
    const opened = await log(folder);
    await bench.run();
    await opened.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
  const us = (ms: number): string => (ms * 1000).toFixed(2);
  for (const { name, result } of bench.tasks) {
    if (!("latency" in result)) throw new Error(`${name} did not run: ${JSON.stringify(result)}`);
    const { p50, p99, mean } = result.latency;
    const figures = [mean, p50, p99].map((ms) => us(ms).padStart(10)).join("  ");
    process.stdout.write(`${name.padEnd(44)}${figures}\n`);
  }
}

process.stdout.write(
  `${"µs".padEnd(44)}${["mean", "p50", "p99"].map((t) => t.padStart(10)).join("  ")}\n`,
);
await main();
