import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { nodeId } from "../../base/brand.ts";
import { nodeClock } from "../../env/node/clock.ts";
import { nodeDisk } from "../../env/node/disk.ts";
import { nodeRandom } from "../../env/node/random.ts";
import { snapshotParts } from "../../fsm/snapshot.ts";
import { createStorage, recover } from "../../storage/recovery.ts";
import { fakeSession } from "../testing/fakes.ts";
import { openShop } from "../testing/shop.ts";
import { remarks } from "./folder.ts";
import { inspectSnapshots } from "./snapshot.ts";
import { dumpWal, verifyWal } from "./wal.ts";

const CONF = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
const COMMON = { config: null, logLevel: "info" } as const;

/** A data folder of node 1 with a founded log, and a snapshot of a small farm. */
async function dataFolder() {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-data-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const options = {
    disk: nodeDisk(folder),
    clock: nodeClock,
    random: nodeRandom,
    logger: remarks(fakeSession()),
    clusterId: "c0ffee",
    nodeId: nodeId(1),
    segmentBytes: 64 * 1024,
    batchBytesMax: 16 * 1024,
  };
  await createStorage({ ...options, founding: { index: 1, term: 1, confState: CONF } });
  const { log, snapshots } = await recover(options);
  const { machine } = openShop();
  const { appliedIndex: index } = machine;
  const meta = { clusterId: "c0ffee", index, term: 1, confState: CONF, createdMs: 0 };
  const parts = snapshotParts(machine.view(), 4096);
  await snapshots.write(meta, { parts, pause: () => Promise.resolve() });
  await log.append({ hardState: { term: 3, vote: 1, commit: 1 }, mark: null, entries: null });
  await log.close();
  return { folder, machine };
}

function damage(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function only(folder: string, suffix: string): string {
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(suffix))!,
  );
}

describe("wal dump and wal verify", () => {
  test("show the log of a node that does not run, and find it good", async () => {
    const { folder } = await dataFolder();
    const session = fakeSession();
    const options = { ...COMMON, data: folder, json: false, after: 0 };
    expect(await dumpWal(session, options)).toBe(0);
    expect(await verifyWal(session, options)).toBe(0);
    const text = session.terminal.stdout();
    expect(text).toContain("cluster c0ffee, node 1");
    expect(text).toContain("snapshot 1, term 1, voters 1 (founding)");
    expect(text).toContain("term 3, vote 1, commit 1");
    expect(text).toContain("the end of the log");
    expect(text).toContain("✔ The log is good.");
  });

  test("name file and offset of the first damage, and end with 1", async () => {
    const { folder } = await dataFolder();
    damage(only(join(folder, "wal"), ".wal"), 512);
    const session = fakeSession();
    const options = { ...COMMON, data: folder, json: true, after: 0 };
    expect(await verifyWal(session, options)).toBe(1);
    const report = JSON.parse(session.terminal.stdout()) as Record<string, unknown>;
    expect(report).toMatchObject({ ok: false, corruption: { offset: 512 } });
    const dump = fakeSession();
    expect(await dumpWal(dump, options)).toBe(1);
    expect(JSON.parse(dump.terminal.stdout().trim().split("\n").at(-1)!)).toMatchObject({
      kind: "corruption",
      offset: 512,
    });
  });

  test("say what a data folder is when they are given something else", async () => {
    const { folder } = await dataFolder();
    const options = { ...COMMON, data: join(folder, "wal"), json: false, after: 0 };
    await expect(dumpWal(fakeSession(), options)).rejects.toThrow("Is --data a node's data folder");
  });
});

describe("snapshot inspect", () => {
  test("puts the state together and says what it is, for a folder and for one file", async () => {
    const { folder, machine } = await dataFolder();
    const file = only(join(folder, "snapshots"), ".snap");
    for (const [operand, data] of [
      [null, folder],
      [file, null],
    ] as const) {
      const session = fakeSession();
      expect(await inspectSnapshots(session, operand, { ...COMMON, data, json: true })).toBe(0);
      expect(JSON.parse(session.terminal.stdout())).toMatchObject([
        {
          file,
          ok: true,
          index: machine.appliedIndex,
          voters: [1],
          printers: machine.farm.printers.size,
          print_jobs: machine.farm.jobs.size,
          state_hash: machine.farm.digest(),
          chain_hash: machine.chain,
        },
      ]);
    }
  });

  test("ends with 1 for a damaged one, and tells of the others all the same", async () => {
    const { folder } = await dataFolder();
    const snapshots = join(folder, "snapshots");
    const good = only(snapshots, ".snap");
    const bad = good.replace(/\/[0-9a-f]/, "/f");
    writeFileSync(bad, readFileSync(good));
    damage(bad, readFileSync(bad).length - 40);
    const session = fakeSession();
    const options = { ...COMMON, data: folder, json: false };
    expect(await inspectSnapshots(session, null, options)).toBe(1);
    const text = session.terminal.stdout();
    expect(text).toContain(`✔ ${good}`);
    expect(text).toContain(`✘ ${bad}`);
  });

  test("needs to be told which", async () => {
    const options = { ...COMMON, data: null, json: false };
    await expect(inspectSnapshots(fakeSession(), null, options)).rejects.toThrow("Which snapshot?");
  });
});
