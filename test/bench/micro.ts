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
import { readPackageFile } from "../../src/env/node/package-file.ts";
import { nodeRandom } from "../../src/env/node/random.ts";
import { COMMAND_VERSION, type Command } from "../../src/fsm/command.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/fsm/envelope.ts";
import { Machine } from "../../src/fsm/machine.ts";
import { snapshotBlocks } from "../../src/fsm/snapshot.ts";
import { createFilament, createJob, createPrinter } from "../../src/fsm/testing/commands.ts";
import { parseBody } from "../../src/http/json.ts";
import { encodeEntries } from "../../src/node/testing/replica-harness.ts";
import { Core, type Group } from "../../src/raft/core.ts";
import { foundedConfig, votersOnly } from "../../src/raft/testing/group-config.ts";
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
const REST_MS = 2;
/** What is run after a rest; behind the others, when V8 has optimised it. */
const rested = new Bench({ time: 0, iterations: 500, warmup: false });
const PRINTER = createPrinter();
const BATCHES = [1, 16, 128] as const;

function add(name: string, run: () => unknown): void {
  if (name.includes(values.only)) bench.add(name, run);
}

/**
 * Adds it twice: in a loop, and each time after a rest, in which this process looks at the clock and does nothing
 * else. A node at work on small batches does everything once in a millisecond or two, and not in a loop.
 */
function addRested(name: string, run: () => unknown): void {
  add(name, run);
  if (!name.includes(values.only)) return;
  rested.add(`${name}, after ${REST_MS} ms`, run, {
    beforeEach: () => {
      const end = performance.now() + REST_MS;
      while (performance.now() < end);
    },
  });
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
  addRested("codec: decode a command", () => decodeEnvelope(bytes));
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
  addRested("fsm: create a printer", () => printers.apply(PRINTER));
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

/** Entries after which a group of the benchmark forgets what it has applied, as snapshots allow. */
const COMPACT_ENTRIES = 10_000;

/** Three groups in three instances, as three nodes have them, with no disk or network between them. */
class Groups {
  readonly #confState = votersOnly(1, 2, 3);
  readonly #groups: Group[] = [];
  #applied = 0;
  #compacted = 0;

  static async make(): Promise<Groups> {
    const module = await WebAssembly.compile(await readPackageFile("dist/core.wasm"));
    const groups = new Groups();
    const logger = nodeLogger("error", {});
    for (const id of [1, 2, 3]) {
      const core = await Core.instantiate(module, { clock: nodeClock, random: nodeRandom, logger });
      groups.#add(core, id);
    }
    must(groups.#groups[0], "the leader").campaign();
    groups.#settle();
    return groups;
  }

  #add(core: Core, id: number): void {
    const group = core.open(foundedConfig(id, this.#confState));
    group.start();
    this.#groups.push(group);
  }

  /** From the leader's call to applied at every one of them. */
  commit(commands: readonly Uint8Array[]): void {
    const wanted = this.#applied + 3 * commands.length;
    if (!this.#groups[0]?.propose(commands)) throw new Error("not proposed");
    this.#settle();
    if (this.#applied !== wanted) throw new Error("not everything was applied");
    if (this.#applied / 3 < this.#compacted + COMPACT_ENTRIES) return;
    this.#compacted = this.#applied / 3;
    for (const group of this.#groups) {
      const { commit } = group.status().hardState;
      group.snapshotted(commit, this.#confState);
      group.compact(commit);
    }
  }

  #settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const [at, group] of this.#groups.entries()) {
        for (let ready = group.ready(); ready !== null; ready = group.ready()) {
          busy = true;
          for (const { bytes, to } of ready.messages) this.#groups[to - 1]?.step(at + 1, bytes);
          if (ready.append !== null) group.appended(ready.append.ticket);
          if (ready.apply === null) continue;
          this.#applied += ready.apply.entries.filter(({ data }) => data.length > 0).length;
          group.applied(ready.apply.ticket);
        }
      }
    }
  }
}

async function consensus(): Promise<void> {
  for (const size of BATCHES) {
    const groups = await Groups.make();
    const commands = Array.from({ length: size }, () => envelope(PRINTER));
    addRested(`core: ${size} commands, three replicas`, () => groups.commit(commands));
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
  await createStorage({ ...options, founding: { index: 1, term: 1, confState: votersOnly(1) } });
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
    await rested.run();
    await opened.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
  const us = (ms: number): string => (ms * 1000).toFixed(2);
  for (const { name, result } of [...bench.tasks, ...rested.tasks]) {
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
