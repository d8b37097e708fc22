import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECTOR_BYTES } from "../base/limits.ts";
import { replaceWhole } from "../env/disk.ts";
import { type SimDisk, immediateDisk } from "./disk.ts";
import { SimRandom } from "./sim-random.ts";

function newDisk(): SimDisk {
  return immediateDisk(new SimRandom(1));
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

/** What a power failure may leave, over many chances. The disk itself goes on. */
function outcomes<T>(disk: SimDisk, look: (after: SimDisk) => T): ReadonlySet<T> {
  const seen = new Set<T>();
  for (let chance = 0; chance < 400; chance++) {
    seen.add(look(disk.clone().crash(new SimRandom(chance))));
  }
  return seen;
}

function text(disk: SimDisk, path: string): string {
  return disk.files.includes(path) ? String.fromCharCode(...disk.peek(path)) : "none";
}

/** The bytes at the start of each sector. */
function sectors(disk: SimDisk, path: string): string {
  const bytes = disk.peek(path);
  return Array.from(
    { length: bytes.length / SECTOR_BYTES },
    (_, i) => bytes[i * SECTOR_BYTES],
  ).join("");
}

describe("the simulated disk", () => {
  it("does what a disk does while nothing fails", async () => {
    const disk = newDisk();
    await disk.makeFolder("a/b");
    const file = await disk.open("a/b/f", "create");
    await file.write(0, filled(3, 65));
    await file.write(5, filled(2, 66));
    expect(await file.size()).toBe(7);
    expect([...(await file.read(2, 100))]).toEqual([65, 0, 0, 66, 66]);
    expect([...(await file.read(9, 1))]).toEqual([]);
    expect(await disk.list("a")).toEqual(["b"]);
    expect(await disk.stat("a/b")).toEqual({ bytes: 0, isFolder: true });
    expect(await disk.stat("a/b/f")).toEqual({ bytes: 7, isFolder: false });
    expect(await disk.stat("a/x")).toBeNull();
    await disk.rename("a/b/f", "a/b/g");
    await file.write(7, filled(1, 67));
    expect(text(disk, "a/b/g")).toBe("AAA\0\0BBC");
    await disk.remove("a/b/g");
    expect(await disk.list("a/b")).toEqual([]);
  });

  it("reports what is not there, and what is there already", async () => {
    const disk = newDisk();
    await expect(disk.list("x")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(disk.open("x", "read")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(disk.open("x/y", "create")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(disk.remove("x")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(disk.rename("x", "y")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(disk.syncFolder("x")).rejects.toMatchObject({ code: "ENOENT" });
    await disk.open("x", "create");
    await expect(disk.open("x", "create")).rejects.toMatchObject({ code: "EEXIST" });
  });

  it("may lose, keep or tear what was not synced, sector by sector, and never what was", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    await disk.syncFolder("");
    await file.write(0, filled(2 * SECTOR_BYTES, 1));
    await file.sync();
    await file.write(0, filled(2 * SECTOR_BYTES, 2));
    await file.write(0, filled(SECTOR_BYTES, 3));
    const seen = outcomes(disk, (after) => sectors(after, "f"));
    expect([...seen].toSorted()).toEqual(["11", "12", "21", "22", "31", "32"]);
  });

  it("keeps a sector whole when several writes share it", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    await disk.syncFolder("");
    for (let i = 0; i < 3; i++) await file.write(i, filled(1, 65 + i));
    expect([...outcomes(disk, (after) => text(after, "f"))].toSorted()).toEqual(
      ["", "A", "AB", "ABC", "AB\0", "A\0", "A\0\0", "\0", "\0\0", "\0\0\0"].toSorted(),
    );
  });

  it("makes a write to a durable file durable, and may tear one that is under way", async () => {
    const disk = newDisk();
    const created = await disk.open("f", "create");
    await created.write(0, filled(2 * SECTOR_BYTES, 0));
    await created.sync();
    await disk.syncFolder("");
    const file = await disk.open("f", "durable");
    await file.write(0, filled(2 * SECTOR_BYTES, 1));
    expect([...outcomes(disk, (after) => sectors(after, "f"))]).toEqual(["11"]);

    const second = disk.crash(new SimRandom(1));
    const again = await second.open("f", "durable");
    second.stopAt(second.operations + 1);
    void again.write(0, filled(2 * SECTOR_BYTES, 2));
    const seen = outcomes(second, (after) => sectors(after, "f"));
    expect([...seen].toSorted()).toEqual(["11", "12", "21", "22"]);
  });

  it("may forget any change of a folder that was not synced, but never does half a rename", async () => {
    const disk = newDisk();
    await disk.open("old", "create");
    await disk.syncFolder("");
    await disk.open("new", "create");
    await disk.rename("old", "moved");
    const seen = outcomes(disk, (after) => after.files.join());
    expect([...seen].toSorted()).toEqual(["moved", "moved,new", "new,old", "old"]);
    await disk.syncFolder("");
    expect([...outcomes(disk, (after) => after.files.join())]).toEqual(["moved,new"]);
  });

  it("loses a file with its folder, however well the file was synced", async () => {
    const disk = newDisk();
    await disk.makeFolder("a");
    const file = await disk.open("a/f", "create");
    await file.write(0, filled(1, 65));
    await file.sync();
    await disk.syncFolder("a");
    expect([...outcomes(disk, (after) => text(after, "a/f"))].toSorted()).toEqual(["A", "none"]);
    await disk.syncFolder("");
    expect([...outcomes(disk, (after) => text(after, "a/f"))]).toEqual(["A"]);
  });

  it("leaves the old content or the new one of a small file that is replaced", async () => {
    const whole = newDisk();
    await replaceWhole(whole, "f", filled(3, 65));
    const before = whole.operations;
    await replaceWhole(whole, "f", filled(4, 66));
    for (let operation = 1; operation <= whole.operations - before; operation++) {
      const disk = newDisk();
      await replaceWhole(disk, "f", filled(3, 65));
      disk.stopAt(disk.operations + operation);
      await Promise.race([replaceWhole(disk, "f", filled(4, 66)), disk.stopped]);
      for (const seen of outcomes(disk, (after) => text(after, "f"))) {
        expect(["AAA", "BBBB"]).toContain(seen);
      }
    }
  });

  it("keeps in the machine's memory what a killed process had written", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    await file.write(0, filled(2, 65));
    const killed = disk.kill(new SimRandom(1));
    expect(text(killed, "f")).toBe("AA");
    expect(outcomes(killed, (after) => text(after, "f")).has("none")).toBe(true);
    await (await killed.open("f", "write")).sync();
    await killed.syncFolder("");
    expect([...outcomes(killed, (after) => text(after, "f"))]).toEqual(["AA"]);
  });

  it("never makes durable what a failed sync was asked for, though it can be read", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    await disk.syncFolder("");
    await file.write(0, filled(2, 65));
    disk.failNext({ operation: "sync", path: /^f$/ }, "EIO");
    await expect(file.sync()).rejects.toMatchObject({ code: "EIO", operation: "sync" });
    await file.sync();
    expect(text(disk, "f")).toBe("AA");
    expect([...outcomes(disk, (after) => text(after, "f"))]).toEqual(["\0\0"]);
  });

  it("fails the next operation that fits, once, and writes any part of a write that failed", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await file.write(0, filled(2 * SECTOR_BYTES, 0));
      disk.failNext({ operation: "write" }, "EIO");
      await expect(file.write(0, filled(2 * SECTOR_BYTES, 1))).rejects.toThrow("i/o error");
      seen.add(sectors(disk, "f"));
    }
    expect(seen.size).toBe(4);
  });

  it("is full where its capacity ends, and has room again when something goes", async () => {
    const disk = newDisk();
    disk.setCapacity(1000);
    const file = await disk.open("f", "create");
    await file.write(0, filled(900, 1));
    await expect(file.write(900, filled(200, 1))).rejects.toMatchObject({ code: "ENOSPC" });
    await file.write(0, filled(900, 2));
    await disk.remove("f");
    await (await disk.open("g", "create")).write(0, filled(1000, 1));
  });

  it("holds what hangs until it is let go", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    const resume = disk.hang({ operation: "write" });
    let isDone = false;
    const write = file.write(0, filled(1, 1)).then(() => void (isDone = true));
    await file.sync();
    expect(isDone).toBe(false);
    resume();
    await write;
    await file.write(0, filled(1, 2));
  });

  it("dies at the operation it was told to, with everything that comes after", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    disk.stopAt(disk.operations + 2);
    await file.write(0, filled(1, 65));
    let isDone = false;
    void file.write(1, filled(1, 66)).then(() => void (isDone = true));
    await disk.stopped;
    void disk.list("").then(() => void (isDone = true));
    await new Promise((done) => setImmediate(done));
    expect(isDone).toBe(false);
    expect(disk.isDead).toBe(true);
  });

  it("notices a caller that changes the bytes of a write under way", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    const bytes = filled(4, 1);
    const write = file.write(0, bytes);
    bytes[2] = 9;
    await expect(write).rejects.toThrow("changed while they were being written");
  });

  it("does the same thing again from the same seed", async () => {
    const run = async (seed: number): Promise<string> => {
      const random = new SimRandom(seed);
      const disk = immediateDisk(random.fork());
      const file = await disk.open("f", "create");
      for (let i = 0; i < 20; i++) {
        await file.write(random.below(4000), filled(1 + random.below(1500), i));
        if (random.chance(0.2)) await file.sync();
      }
      await disk.syncFolder("");
      return text(disk.crash(random), "f");
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), async (seed) => {
        expect(await run(seed)).toBe(await run(seed));
      }),
      { seed: 5, numRuns: 20 },
    );
  });

  it("rots and shrinks behind its user's back, also where nothing was synced", async () => {
    const disk = newDisk();
    const file = await disk.open("f", "create");
    await disk.syncFolder("");
    await file.write(0, filled(3, 65));
    disk.flip("f", 1, 2);
    expect(text(disk, "f")).toBe("ACA");
    expect([...outcomes(disk, (after) => text(after, "f"))]).toContain("ACA");
    expect([...outcomes(disk, (after) => text(after, "f"))]).not.toContain("AAA");
    disk.truncate("f", 2);
    expect(text(disk, "f")).toBe("AC");
  });
});
