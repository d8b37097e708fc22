import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { readTextFile, temporaryFolder } from "./process.ts";

test("a temporary folder is empty, is nobody else's, and goes with all its content", () => {
  const [one, other] = [temporaryFolder("raft3d-test-"), temporaryFolder("raft3d-test-")];
  expect(one.path).not.toBe(other.path);
  mkdirSync(join(one.path, "deep"));
  writeFileSync(join(one.path, "deep", "file"), "x");
  const listeners = process.listenerCount("exit");
  one.remove();
  other.remove();
  expect(existsSync(one.path)).toBe(false);
  // Each is also removed when the process exits, unless that was done before.
  expect(process.listenerCount("exit")).toBe(listeners - 2);
});

test.runIf(existsSync("/dev/shm"))("a temporary folder says whether it is in memory", () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  const inFolder = (folder: string): boolean => {
    vi.stubEnv("TMPDIR", folder);
    const made = temporaryFolder("raft3d-test-");
    onTestFinished(() => made.remove());
    return made.isInMemory;
  };
  expect(inFolder("/dev/shm")).toBe(true);
  expect(inFolder(import.meta.dirname)).toBe(false);
});

test("a small file is its text, or the reason why there is none", () => {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-read-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "config.json");
  expect(readTextFile(path)).toEqual({ ok: false, reason: "there is no such file" });
  writeFileSync(path, "{}");
  expect(readTextFile(path)).toEqual({ ok: true, text: "{}" });
  expect(readTextFile(folder)).toMatchObject({ ok: false });
});
