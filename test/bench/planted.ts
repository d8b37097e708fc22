// A farm of many jobs, put into the data folders of nodes that were founded and stopped: what a cluster that
// wrote them all would have come to, without the minutes that it takes to write them. Each node starts from
// a snapshot of the same state, as if the leader had sent it one.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "../../src/base/assert.ts";
import { nodeId } from "../../src/base/brand.ts";
import { SNAPSHOT_BLOCK_BYTES } from "../../src/base/limits.ts";
import { nodeClock } from "../../src/env/node/clock.ts";
import { nodeDisk } from "../../src/env/node/disk.ts";
import { nodeLogger } from "../../src/env/node/logger.ts";
import { nodeRandom } from "../../src/env/node/random.ts";
import { COMMAND_VERSION, type Command } from "../../src/fsm/command.ts";
import { encodeEnvelope } from "../../src/fsm/envelope.ts";
import { Machine } from "../../src/fsm/machine.ts";
import { snapshotParts } from "../../src/fsm/snapshot.ts";
import { createFilament, createJob, createPrinter } from "../../src/fsm/testing/commands.ts";
import { SnapshotStore } from "../../src/storage/snapshots/snapshot-store.ts";
import { createLog } from "../../src/storage/wal/create.ts";

const TERM = 1;
const GRAMS = 1e12;
const AT_MS = 1_700_000_000_000;

/** A machine that has a printer, a spool, and `jobs` jobs on both of them. */
export function machineOf(jobs: number): Machine {
  const machine = Machine.empty();
  machine.applyEmpty(1, TERM);
  let seq = 0;
  const apply = (command: Command): void => {
    seq += 1;
    const number = { node: nodeId(1), start: 1, seq, low: seq, at: AT_MS + seq };
    const open = { key: null, fingerprint: null };
    const data = encodeEnvelope({ v: COMMAND_VERSION, ...number, ...open, command });
    machine.apply(machine.appliedIndex + 1, TERM, data);
  };
  apply(createPrinter());
  apply(createFilament({ total_weight_in_grams: GRAMS, remaining_weight_in_grams: GRAMS }));
  for (let n = 0; n < jobs; n++) {
    const filepath = `/gcode/${String(n).padStart(12, "0")}.gcode`;
    apply(createJob({ printer_id: 1, filament_id: 1, filepath, print_weight_in_grams: 1 }));
  }
  return machine;
}

/** Takes the place of everything that the nodes of these folders, all of them founders, hold. */
export async function plant(folders: readonly string[], machine: Machine): Promise<void> {
  const { appliedIndex: index, appliedTerm: term } = machine;
  const confState = {
    voters: folders.map((_, at) => at + 1),
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const logger = nodeLogger("error", {});
  for (const [at, folder] of folders.entries()) {
    const known = /"cluster_id": "([^"]+)"/.exec(readFileSync(join(folder, "node.json"), "utf8"));
    const clusterId = must(known?.[1], "a cluster");
    for (const name of ["wal", "snapshots", "events"]) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
    const disk = nodeDisk(folder);
    const store = await SnapshotStore.open({ disk, logger, clusterId });
    const meta = { clusterId, index, term, confState, createdMs: AT_MS };
    const parts = snapshotParts(machine.view(), SNAPSHOT_BLOCK_BYTES);
    await store.write(meta, { parts, pause: () => Promise.resolve() });
    const options = { clock: nodeClock, random: nodeRandom, disk, logger, clusterId };
    const hardState = { term, vote: 0, commit: index };
    const mark = { kind: "installed", index, term, confState } as const;
    await createLog({ ...options, nodeId: nodeId(at + 1) }, hardState, mark);
  }
}
