import { describe, expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import type { Network } from "../env/network.ts";
import type { GroupConfig } from "../raft/core.ts";
import type { SimDisk } from "../sim/disk.ts";
import { FOUNDERS, encodeEntries, entriesFrom, storageWorld } from "../sim/storage-world.ts";
import { NodeFile } from "../storage/node-file.ts";
import { createStorage, recover } from "../storage/recovery.ts";
import type { Transport } from "../transport/transport.ts";
import { PrintFarmNode } from "./print-farm-node.ts";
import { TIMES, makeCore } from "./testing/replica-harness.ts";

const MEMBERS = [1, 2, 3].map((id) => ({ id: nodeId(id), peer: `node${id}:9000` }));
const WHO = { clusterId: "test-cluster", nodeId: nodeId(1) };
const HARD_STATE = { term: 5, vote: 3, commit: 2 };
const SEGMENT_BYTES = 64 * 1024;

/** The folder of a founded node that has voted for node 3 in term 5. */
async function foundedFolder(): Promise<SimDisk> {
  const { disk, options, random } = storageWorld(1);
  const file = await NodeFile.create(disk, random, WHO);
  const storage = { ...options, segmentBytes: SEGMENT_BYTES };
  await createStorage({ ...storage, founding: { index: 1, term: 1, confState: FOUNDERS } });
  const { log } = await recover(storage);
  const entries = encodeEntries(entriesFrom(2, 1, ["", ""]));
  await log.append({ hardState: HARD_STATE, mark: null, entries });
  await log.close();
  await file.markFounded();
  return disk;
}

const refused = (): never => {
  throw new Error("nothing may be said before the folder is open");
};
const silent: Network = { listen: refused, connect: refused };
const deaf: Transport = {
  start: refused,
  stop: refused,
  setPeers: refused,
  send: refused,
  flush: refused,
  sendSnapshot: refused,
  requestEvents: refused,
  setPaused: refused,
  peers: () => [],
  counters: refused,
};

interface Opening {
  readonly node: Promise<PrintFarmNode>;
  /** What the core was opened with. */
  readonly configs: readonly GroupConfig[];
  /** Whether the way to the other nodes was made. */
  readonly isConnected: () => boolean;
}

function open(disk: SimDisk): Opening {
  const { clock, logger, random } = storageWorld(2, disk);
  const configs: GroupConfig[] = [];
  let isConnected = false;
  const node = PrintFarmNode.open(
    { clock, disk, logger, random, network: silent },
    {
      ...WHO,
      id: WHO.nodeId,
      members: MEMBERS,
      http: "node1:8000",
      tickMs: 50,
      times: TIMES,
      snapshotEntries: 1000,
      trailingEntries: 100,
      segmentBytes: SEGMENT_BYTES,
      core: async () => {
        const core = await makeCore();
        return {
          open: (config) => {
            configs.push(config);
            return core.open(config);
          },
        };
      },
      connect: () => {
        isConnected = true;
        return deaf;
      },
      onFatal: (error) => {
        throw error;
      },
    },
  );
  return { node, configs, isConnected: () => isConnected };
}

/** Lets everything happen that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((go) => setImmediate(go));
}

describe("opening a node", () => {
  test("gives the core the term and the vote that were on the disk", async () => {
    const { node, configs } = open(await foundedFolder());
    expect((await node).isFounded).toBe(true);
    expect(configs).toMatchObject([{ hardState: HARD_STATE, snapshot: { index: 1, term: 1 } }]);
  });

  test("says nothing to anybody before the disk knows of this start", async () => {
    const disk = await foundedFolder();
    const goOn = disk.hang({ operation: "sync", path: /^node\.json/ });
    const { node, isConnected } = open(disk);
    await settle();
    expect(isConnected()).toBe(false);
    goOn();
    await node;
    expect(isConnected()).toBe(true);
    const file = await NodeFile.open(disk, WHO);
    expect(file?.facts.starts).toBe(1);
  });
});
