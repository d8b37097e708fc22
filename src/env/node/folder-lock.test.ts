import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskError } from "../disk.ts";
import { FolderLockedError, lockFolder } from "./folder-lock.ts";

describe("the lock of a data directory", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "raft3d-lock-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a second holder is refused with the first one's pid, until the first lets go", () => {
    const first = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(FolderLockedError);
    expect(() => lockFolder(folder)).toThrow(`pid ${process.pid}`);
    first.release();
    expect(existsSync(join(folder, "lock"))).toBe(false);
    lockFolder(folder).release();
  });

  test("the lock of a process that was killed is taken over", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
    const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const mine = lockFolder(folder);
    const holder = JSON.parse(readFileSync(join(folder, "lock"), "utf8"));
    mine.release();
    const left = { ...holder, pid: child.pid, started, boot, token: "left behind" };
    writeFileSync(join(folder, "lock"), JSON.stringify(left));
    expect(() => lockFolder(folder)).toThrow(`pid ${child.pid}`);
    child.kill("SIGKILL");
    await once(child, "close");
    lockFolder(folder).release();
  });

  test("a disk that does not let it be taken is the disk's failure, and not a bug", () => {
    writeFileSync(join(folder, "file"), "");
    const below = join(folder, "file", "data");
    expect(() => lockFolder(below)).toThrow(DiskError);
    expect(() => lockFolder(below)).toThrow(`lock ${below}: ENOTDIR`);
  });

  test("a living process that has been given a dead holder's pid does not keep the lock", () => {
    const mine = lockFolder(folder);
    const holder = JSON.parse(readFileSync(join(folder, "lock"), "utf8"));
    mine.release();
    writeFileSync(join(folder, "lock"), JSON.stringify({ ...holder, started: "1", token: "old" }));
    lockFolder(folder).release();
  });

  test("a holder in another container is believed, and the message says what to do", () => {
    const mine = lockFolder(folder);
    const holder = JSON.parse(readFileSync(join(folder, "lock"), "utf8"));
    mine.release();
    const other = { ...holder, namespace: "pid:[1]", pid: 99_999_999, token: "other" };
    writeFileSync(join(folder, "lock"), JSON.stringify(other));
    expect(() => lockFolder(folder)).toThrow(/another container.*remove/);
  });
});
