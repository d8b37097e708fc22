import { describe, expect, test } from "vitest";
import { must } from "../base/assert.ts";
import { SNAPSHOT_BLOCK_BYTES } from "../base/limits.ts";
import { logIndex, nodeId, term as asTerm } from "../base/brand.ts";
import type { Clock } from "../env/clock.ts";
import { COMMAND_VERSION } from "../fsm/command.ts";
import { encodeEnvelope } from "../fsm/envelope.ts";
import { Machine } from "../fsm/machine.ts";
import { createPrinter } from "../fsm/testing/commands.ts";
import type { SimDisk } from "../sim/disk.ts";
import { FOUNDERS, encodeEntries, entriesFrom, storageWorld } from "../sim/storage-world.ts";
import { EventLog } from "../storage/events/event-log.ts";
import { createStorage, recover } from "../storage/recovery.ts";
import type { Log } from "../storage/wal/log.ts";
import type { SnapshotOffer } from "../transport/transport.ts";
import { SnapshotService } from "./snapshot-service.ts";
import type { Input } from "./steps.ts";

const POINT = { index: 6, term: 1, confState: FOUNDERS };

interface Node {
  readonly disk: SimDisk;
  readonly log: Log;
  readonly inputs: readonly Input[];
  /** In milliseconds. */
  readonly rests: readonly number[];
  readonly take: () => Promise<void>;
  readonly service: SnapshotService;
}

/** A node's storage with six entries in its log, an event in memory, and the state they lead to. */
async function openNode(printers = 0): Promise<Node> {
  const { clock: still, disk, logger, options } = storageWorld(1);
  const rests: number[] = [];
  const clock: Clock = {
    monotonicMs: () => still.monotonicMs(),
    wallMs: () => still.wallMs(),
    defer: (run) => still.defer(run),
    after: (delayMs, run) => {
      rests.push(delayMs);
      setImmediate(run);
      return { cancel: () => undefined };
    },
  };
  await createStorage({ ...options, founding: { ...POINT, index: 1 } });
  const { log, snapshots: store } = await recover(options);
  const entries = encodeEntries(entriesFrom(2, 1, ["a", "b", "c", "d", "e"]));
  await log.append({ hardState: { term: 1, vote: 1, commit: 6 }, mark: null, entries });
  const onFailure = (error: Error): void => {
    throw error;
  };
  const events = await EventLog.open({ disk, logger, replayFrom: 1, onFailure });
  events.append([{ index: 3, text: '{"index":3,"what":"happened"}' }], POINT.index);
  const machine = Machine.empty();
  for (let index = 1; index <= POINT.index; index++) machine.applyEmpty(index, 1);
  const inputs: Input[] = [];
  const service = new SnapshotService({
    clusterId: options.clusterId,
    clock,
    logger,
    store,
    log,
    events,
    enqueue: (input) => void inputs.push(input),
    send: () => undefined,
    commitIndex: () => machine.appliedIndex,
    onFailure,
  });
  const { index, term } = POINT;
  const view = { ...(printers === 0 ? machine : crowded(printers)).view(), index, term };
  const effect = { kind: "take-snapshot", point: POINT, view } as const;
  return { disk, log, inputs, rests, take: () => service.take(effect), service };
}

/** A state that takes more than one slice. */
function crowded(printers: number): Machine {
  const machine = Machine.empty();
  machine.applyEmpty(1, 1);
  const numbers = { node: nodeId(1), start: 1, low: 1, at: 1, key: null, fingerprint: null };
  for (let seq = 1; seq <= printers; seq++) {
    const envelope = { v: COMMAND_VERSION, ...numbers, seq, command: createPrinter() } as const;
    machine.apply(machine.appliedIndex + 1, 1, encodeEnvelope(envelope));
  }
  return machine;
}

/** Lets everything happen that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((go) => setImmediate(go));
}

function vouches(log: Log): boolean {
  return log.marks.some(({ index }) => index === POINT.index);
}

describe("a snapshot of the node's own state", () => {
  test("is vouched for by the log when its file is on the disk, and not before", async () => {
    const { disk, inputs, log, take } = await openNode();
    const goOn = disk.hang({ operation: "sync", path: /^snapshots\// });
    const taking = take();
    await settle();
    expect(vouches(log)).toBe(false);
    expect(inputs).toEqual([]);
    goOn();
    await taking;
    expect(vouches(log)).toBe(true);
    expect(inputs).toEqual([{ kind: "snapshot-taken", point: POINT }]);
  });

  test("is told to the core when the log's mark is on the disk, and not before", async () => {
    const { disk, inputs, take } = await openNode();
    const goOn = disk.hang({ operation: "write", path: /^wal\/.*\.wal$/ });
    const taking = take();
    await settle();
    expect(inputs).toEqual([]);
    goOn();
    await taking;
    expect(inputs).toHaveLength(1);
  });

  test("is begun when the events up to it are on the disk: no replay would make them again", async () => {
    const { disk, take } = await openNode();
    const goOn = disk.hang({ operation: "sync", path: /^events\// });
    const taking = take();
    await settle();
    expect(await disk.list("snapshots")).toEqual([]);
    goOn();
    await taking;
    const [file] = await disk.list("snapshots");
    expect(must(file, "the snapshot's file")).toMatch(/\.snap$/);
  });
});

test("a snapshot rests between its slices, so that not every turn of the event loop has one", async () => {
  const { disk, rests, take } = await openNode(4000);
  await take();
  const [file] = await disk.list("snapshots");
  const size = await (await disk.open(`snapshots/${must(file, "the file")}`, "read")).size();
  const slices = Math.floor(size / (2 * SNAPSHOT_BLOCK_BYTES));
  expect(slices).toBeGreaterThan(2);
  expect(rests.length).toBeGreaterThanOrEqual(slices);
});

test("a snapshot that is no news here is not received, and raft tells the leader so", async () => {
  const { inputs, service } = await openNode();
  const from = nodeId(2);
  const message = new Uint8Array([8, 7]);
  const offer = (index: number): SnapshotOffer => ({
    index: logIndex(index),
    term: asTerm(1),
    bytes: 100,
    sha256: "0".repeat(64),
    message,
  });
  expect(await service.receive(from, offer(POINT.index))).toBeNull();
  expect(inputs).toEqual([{ kind: "message", from, bytes: message }]);
  const sink = await service.receive(from, offer(POINT.index + 1));
  expect(sink).not.toBeNull();
  expect(inputs).toHaveLength(1);
  await sink?.abort();
});
