import { describe, expect, it } from "vitest";
import type { SimDisk } from "../../sim/disk.ts";
import {
  FOUNDERS,
  RecordingLogger,
  encodeEntries,
  entriesFrom,
  storageWorld,
} from "../../sim/storage-world.ts";
import { createLog } from "./create.ts";
import { type DumpLine, dumpLog } from "./dump.ts";
import { openLog } from "./open.ts";
import { verifyLog } from "./verify.ts";

const FOUNDING = { kind: "founding", index: 1, term: 1, confState: FOUNDERS } as const;

async function writtenLog(): Promise<SimDisk> {
  const world = storageWorld(1);
  await createLog(world.options, { term: 1, vote: 0, commit: 1 }, FOUNDING);
  const { log } = await openLog(world.options);
  const hardState = { term: 2, vote: 1, commit: 2 };
  const entries = encodeEntries(entriesFrom(2, 2, ['{"kind":"create"}', "not json"]));
  await log.append({ hardState, mark: null, entries });
  const mark = { kind: "local", index: 2, term: 2, confState: FOUNDERS } as const;
  await log.append({ hardState: null, mark, entries: null });
  for (let index = 4; index < 30; index++) {
    const more = encodeEntries(entriesFrom(index, 2, ["x".repeat(300)]));
    await log.append({ hardState: null, mark: null, entries: more });
  }
  await log.close();
  return world.disk;
}

async function dump(disk: SimDisk): Promise<readonly DumpLine[]> {
  const lines: DumpLine[] = [];
  for await (const line of dumpLog(disk, new RecordingLogger())) lines.push(line);
  return lines;
}

function verify(disk: SimDisk): ReturnType<typeof verifyLog> {
  return verifyLog(disk, new RecordingLogger());
}

describe("a dump of the log", () => {
  it("shows every segment, batch, mark and entry, in order", async () => {
    const disk = await writtenLog();
    const lines = await dump(disk);
    expect(lines.slice(0, 5)).toMatchObject([
      { kind: "synced", file: "wal/synced" },
      { kind: "segment", header: { sequence: 1, clusterId: "test-cluster", nodeId: 1 } },
      { kind: "batch", number: 1, offset: 512, marks: [{ mark: FOUNDING, carried: false }] },
      {
        kind: "batch",
        number: 2,
        hardState: { term: 2, vote: 1, commit: 2 },
        entries: [
          { index: 2, term: 2, type: 0, dataBytes: 17, json: '{"kind":"create"}' },
          { index: 3, term: 2, type: 0, dataBytes: 8, json: null },
        ],
      },
      { kind: "batch", number: 3, marks: [{ mark: { kind: "local", index: 2 } }] },
    ]);
    expect(lines.filter((line) => line.kind === "segment").length).toBeGreaterThan(2);
    const carried = lines.flatMap((line) => (line.kind === "batch" ? line.marks : []));
    expect(carried.filter((mark) => mark.carried).length).toBeGreaterThan(2);
    const indexes = lines.flatMap((line) => (line.kind === "batch" ? line.entries : []));
    expect(indexes.map(({ index }) => index)).toEqual(Array.from({ length: 28 }, (_, i) => i + 2));
    expect(lines.at(-1)).toMatchObject({ kind: "end", isTorn: false });
  });

  it("goes as far as it can in a damaged log, and says where it stopped", async () => {
    const disk = await writtenLog();
    disk.flip("wal/0000000000000002.wal", 1100, 1);
    const lines = await dump(disk);
    expect(lines.at(-1)).toMatchObject({
      kind: "corruption",
      file: "wal/0000000000000002.wal",
      offset: 1024,
    });
    expect(lines.filter((line) => line.kind === "segment")).toHaveLength(2);
    const report = await verify(disk);
    expect(report.corruption).toMatchObject({ file: "wal/0000000000000002.wal", offset: 1024 });
    expect(report.segments).toBe(2);
  });

  it("changes nothing, and needs nobody to have closed the log", async () => {
    const world = storageWorld(1);
    await createLog(world.options, { term: 1, vote: 0, commit: 1 }, FOUNDING);
    const { log } = await openLog(world.options);
    const entries = encodeEntries(entriesFrom(2, 1, ["x"]));
    await log.append({ hardState: null, mark: null, entries });
    const before = world.disk.files.map((path) => [path, world.disk.peek(path)]);
    expect((await dump(world.disk)).at(-1)).toMatchObject({ kind: "end" });
    expect(world.disk.files.map((path) => [path, world.disk.peek(path)])).toEqual(before);
  });

  it("is told what a whole log holds", async () => {
    const disk = await writtenLog();
    expect(await verify(disk)).toMatchObject({
      firstIndex: 2,
      lastIndex: 29,
      hardState: { term: 2, vote: 1, commit: 2 },
      torn: null,
      corruption: null,
    });
    const { batches } = await verify(disk);
    const lines = await dump(disk);
    expect(lines.filter((line) => line.kind === "batch")).toHaveLength(batches);
  });

  it("reports a log that lost its end, and one without its sync record", async () => {
    const disk = await writtenLog();
    const last = disk.files.filter((path) => path.endsWith(".wal")).at(-1) ?? "";
    const cut = disk.clone();
    await cut.remove(last);
    expect((await verify(cut)).corruption?.what).toContain("was once synced");
    expect((await dump(cut)).at(-1)).toMatchObject({ kind: "corruption" });
    const bare = disk.clone();
    await bare.remove("wal/synced");
    expect((await verify(bare)).corruption).toMatchObject({ file: "wal/synced" });
    expect(await dump(bare)).toMatchObject([{ kind: "corruption", file: "wal/synced" }]);
  });
});
