// The program as a process: exit codes, and what goes to which stream.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { deadOrigin, fakeServer, sendJson } from "./testing/fakes.ts";

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function raft3d(nodeOptions: readonly string[], ...args: readonly string[]): Promise<Ran> {
  const main = join(import.meta.dirname, "main.ts");
  const child = spawn(process.execPath, ["--import", "tsx", ...nodeOptions, main, ...args], {
    env: { PATH: process.env["PATH"] ?? "" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
  return new Promise((done) => child.on("close", (code) => done({ code, stdout, stderr })));
}

describe("the program", () => {
  test("bad options end with 2, name every problem, and touch nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "raft3d-main-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const data = join(folder, "data");
    const ran = await raft3d([], "serve", "--id", "x", "--data", data, "--htpp", "y");
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("raft3d serve: 3 things are wrong, so nothing was done.");
    expect(ran.stderr).toContain("Did you mean --http?");
    expect(ran.stderr).toContain("See raft3d serve --help.");
    expect(existsSync(data)).toBe(false);
  });

  test("an answer goes to standard output, a refusal to standard error with exit code 1", async () => {
    const server = await fakeServer((request, response) => {
      if (request.url.endsWith("/1")) sendJson(response, 200, { id: 1 });
      else sendJson(response, 404, { code: "not_found", detail: "There is no printer 2." });
    });
    const endpoint = ["--endpoint", server.origin];
    const found = await raft3d([], "printers", "get", "1", "--json", ...endpoint);
    expect(found).toEqual({ code: 0, stdout: '{\n  "id": 1\n}\n', stderr: "" });
    expect(await raft3d([], "printers", "get", "2", ...endpoint)).toEqual({
      code: 1,
      stdout: "",
      stderr: "raft3d: There is no printer 2.\n  (not_found, status 404)\n",
    });
  });

  test("an operating error is one readable message, with a stack only at --log-level debug", async () => {
    const endpoint = ["--endpoint", await deadOrigin()];
    const plain = await raft3d([], "cluster", "status", ...endpoint);
    expect(plain.code).toBe(1);
    expect(plain.stderr).toContain("connection refused");
    expect(plain.stderr).not.toMatch(/\n\s+at /);
    const debug = await raft3d([], "cluster", "status", ...endpoint, "--log-level", "debug");
    expect(debug.stderr).toMatch(/\n\s+at /);
  });

  test("an error that nobody foresaw is called a bug and ends with 70", async () => {
    const broken = "data:text/javascript,URL.canParse = () => { throw new Error('broken') }";
    const ran = await raft3d(["--import", broken], "cluster", "status");
    expect(ran).toEqual({
      code: 70,
      stdout: "",
      stderr: "raft3d: this is a bug, please report it: broken\n",
    });
  });

  test("--version is the package's", async () => {
    const { stdout } = await raft3d([], "--version");
    expect(stdout).toMatch(/^raft3d \d+\.\d+\.\d+\n$/);
  });
});
