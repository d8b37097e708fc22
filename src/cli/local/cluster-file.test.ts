import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { nodeDisk } from "../../env/node/disk.ts";
import { nodeRandom } from "../../env/node/random.ts";
import { openClusterFile } from "./cluster-file.ts";

const WANTED = { nodes: 3, peerPort: 9001 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "raft3d-up-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function open(path: string, wanted = WANTED) {
  return openClusterFile(nodeDisk(path), nodeRandom, wanted);
}

describe("what `up` remembers of a cluster", () => {
  test("is made with a token of its own, in a folder that need not be there, and is found again", async () => {
    const path = join(folder(), "new", "farm");
    const first = await open(path);
    expect(first).toMatchObject(WANTED);
    expect(await open(path)).toEqual(first);
    expect((await open(folder())).token).not.toBe(first.token);
  });

  test("refuses to be started as another cluster, and says how it can be started", async () => {
    const path = folder();
    await open(path);
    for (const wanted of [
      { nodes: 5, peerPort: 9001 },
      { nodes: 3, peerPort: 9101 },
    ]) {
      await expect(open(path, wanted)).rejects.toThrow("Start it with --nodes 3 --peer-port 9001");
    }
  });

  test("is not guessed where nodes are without it, or where it cannot be read", async () => {
    const orphaned = folder();
    mkdirSync(join(orphaned, "node-1"));
    await expect(open(orphaned)).rejects.toThrow("holds node-1 but no cluster.json");
    const damaged = folder();
    await open(damaged);
    const file = join(damaged, "cluster.json");
    for (const text of ["", "{", "[]", readFileSync(file, "utf8").replace("1", "2")]) {
      writeFileSync(file, text);
      await expect(open(damaged)).rejects.toThrow("is not what `raft3d up` wrote there");
    }
  });
});
