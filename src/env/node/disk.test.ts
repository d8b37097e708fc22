import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeDisk } from "./disk.ts";

test("what is read lies in the memory that is given for it, if there is room for all of it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-disk-"));
  try {
    const file = await nodeDisk(folder).open("a", "create");
    await file.write(0, Uint8Array.of(1, 2, 3, 4, 5));
    const memory = new Uint8Array(4);
    const inMemory = await file.read(1, 4, memory);
    expect([...inMemory]).toEqual([2, 3, 4, 5]);
    expect(inMemory.buffer).toBe(memory.buffer);
    const atTheEnd = await file.read(3, 3, memory);
    expect([...atTheEnd]).toEqual([4, 5]);
    const tooLong = await file.read(0, 5, memory);
    expect([...tooLong]).toEqual([1, 2, 3, 4, 5]);
    expect(tooLong.buffer).not.toBe(memory.buffer);
    await file.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
