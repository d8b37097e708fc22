import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import { crc32 } from "../base/hash.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { type SimDisk, immediateDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { NodeFile, type NodeFileFacts } from "./node-file.ts";

const WHO = { clusterId: "farm", nodeId: nodeId(2) };
const PATH = "node.json";

async function written(seed = 1): Promise<{ readonly disk: SimDisk; readonly file: NodeFile }> {
  const random = new SimRandom(seed);
  const disk = immediateDisk(random.fork());
  return { disk, file: await NodeFile.create(disk, random, WHO) };
}

async function factsOn(disk: SimDisk): Promise<NodeFileFacts | undefined> {
  return (await NodeFile.open(disk, WHO))?.facts;
}

describe("node.json", () => {
  it("is absent on a new disk", async () => {
    expect(await NodeFile.open(immediateDisk(new SimRandom(1)), WHO)).toBeNull();
  });

  it("remembers who the node is, how often it was started, and whom it met", async () => {
    const { disk, file } = await written();
    expect(file.facts).toMatchObject({ ...WHO, starts: 0, founded: false });
    expect(file.facts.instance).toMatch(/^[0-9a-f]{16}$/);
    await file.countStart();
    await file.markFounded();
    await file.recordPeer(nodeId(3), { instance: "ab", starts: 4, run: "r4" });
    await file.recordPeer(nodeId(1), { instance: "cd", starts: 1, run: "r1" });
    await file.recordPeer(nodeId(3), { instance: "ab", starts: 5, run: "r5" });
    const facts = await factsOn(disk);
    expect(facts).toEqual(file.facts);
    expect(facts).toMatchObject({ starts: 1, founded: true });
    expect([...(facts?.peers ?? [])]).toEqual([
      [1, { instance: "cd", starts: 1, run: "r1" }],
      [3, { instance: "ab", starts: 5, run: "r5" }],
    ]);
  });

  it("draws another instance for another folder", async () => {
    const [one, other] = [await written(1), await written(2)];
    expect(one.file.facts.instance).not.toBe(other.file.facts.instance);
  });

  it("has counted a start for good once the count has resolved, whenever the power fails", async () => {
    for (let operation = 1; operation < 20; operation++) {
      const { disk, file } = await written();
      await file.countStart();
      let counted = 1;
      disk.stopAt(disk.operations + operation);
      const count = file.countStart().then(() => void (counted = 2));
      await Promise.race([count, disk.stopped]);
      for (let chance = 0; chance < 6; chance++) {
        const facts = await factsOn(disk.crash(new SimRandom(chance)));
        expect([counted, 2]).toContain(facts?.starts);
      }
    }
  });

  it("keeps the order of changes that are made at once", async () => {
    const { disk, file } = await written();
    await Promise.all([
      file.countStart(),
      file.countStart(),
      file.markFounded(),
      file.countStart(),
    ]);
    expect(await factsOn(disk)).toMatchObject({ starts: 3, founded: true });
  });

  it("refuses another cluster's folder, and another node's", async () => {
    const { disk } = await written();
    await expect(NodeFile.open(disk, { ...WHO, clusterId: "other" })).rejects.toMatchObject({
      name: "ClusterMismatchError",
      expected: "other",
      found: "farm",
    });
    await expect(NodeFile.open(disk, { ...WHO, nodeId: nodeId(7) })).rejects.toMatchObject({
      name: "NodeMismatchError",
      expected: 7,
      found: 2,
    });
  });

  it("refuses a format that a newer version wrote, and says so", async () => {
    const { disk } = await written();
    const [was = ""] = decodeUtf8(disk.peek(PATH)).split(',\n  "crc"');
    const body = was.replace('"format": 1', '"format": 2');
    const crc = crc32(body).toString(16).padStart(8, "0");
    const text = `${body},\n  "crc": "${crc}"\n}\n`;
    await disk.remove(PATH);
    await (await disk.open(PATH, "create")).write(0, encodeUtf8(text));
    await expect(NodeFile.open(disk, WHO)).rejects.toMatchObject({
      name: "UnknownFormatError",
      found: 2,
    });
  });

  it("refuses damage to any of its bytes, and any missing end", async () => {
    const { disk, file } = await written();
    await file.recordPeer(nodeId(1), { instance: "cd", starts: 1, run: "r1" });
    const size = disk.peek(PATH).length;
    for (let at = 0; at < size; at++) {
      for (const mask of [1, 4, 128]) {
        const damaged = disk.clone();
        damaged.flip(PATH, at, mask);
        // Damage to the digit of the format too: nobody is sent to look for another version.
        await expect(NodeFile.open(damaged, WHO), `byte ${at}`).rejects.toMatchObject({
          name: "CorruptionError",
          file: PATH,
        });
      }
      const cut = disk.clone();
      cut.truncate(PATH, at);
      await expect(NodeFile.open(cut, WHO), `cut to ${at}`).rejects.toMatchObject({
        name: "CorruptionError",
        file: PATH,
      });
    }
  });

  it("writes nothing more after a write that failed", async () => {
    const { disk, file } = await written();
    disk.failNext({ operation: "sync" }, "EIO");
    await expect(file.countStart()).rejects.toMatchObject({ code: "EIO" });
    const { operations } = disk;
    await expect(file.countStart()).rejects.toMatchObject({ code: "EIO" });
    expect(disk.operations).toBe(operations);
  });
});
