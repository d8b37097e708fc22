// The program as a process, and processes of the same program beside it.
//
// A child holds an IPC channel to its parent on which nothing is ever sent: when the parent is
// gone, however it went, the channel closes, and the child can end itself (`onOrphaned`). Children
// lead process groups of their own, so that Ctrl-C in a terminal reaches the parent alone and it
// decides what happens to them.

import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { onStopSignal } from "./signals.ts";

/** What stands behind the program's name on the command line. */
export function commandLine(): readonly string[] {
  return process.argv.slice(2);
}

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** How somebody who started the program like this one can start it again. */
export function commandName(): readonly string[] {
  const started = process.argv[1] ?? "raft3d";
  return basename(started) === "raft3d" ? ["raft3d"] : ["node", started];
}

/** A relative path as seen from where the program was started. */
export function absolutePath(path: string): string {
  return resolve(path);
}

/** The text of a small file, or the system's reason why there is none. */
export function readTextFile(
  path: string,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string } {
  try {
    return { ok: true, text: readFileSync(path, "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException; // what node:fs throws
    return { ok: false, reason: code === "ENOENT" ? "there is no such file" : message };
  }
}

/**
 * Calls `run` at the first SIGINT, SIGTERM or SIGHUP; a second SIGINT or SIGTERM ends the process.
 */
export function onInterrupt(run: (signal: string) => void): void {
  let called = false;
  const once = (signal: string): void => {
    if (called) return;
    called = true;
    run(signal);
  };
  onStopSignal(once);
  process.on("SIGHUP", () => once("SIGHUP"));
}

/** Calls `run` when the process that started this one as a child is gone. */
export function onOrphaned(run: () => void): void {
  // Not a child with a channel: nobody to lose.
  if (process.channel === undefined || process.channel === null) return;
  process.once("disconnect", run);
  process.channel.unref();
}

/** As if somebody had sent this process a SIGTERM. */
export function terminateSelf(): void {
  process.kill(process.pid, "SIGTERM");
}

/** Errors that nobody caught: each is a bug. */
export function onUncaught(report: (error: unknown) => void): void {
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}

/** Ends the process when everything written to standard output and error has been taken. */
export function exit(code: number): void {
  process.exitCode = code;
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

/**
 * Ends this process and waits for nothing. `exit` waits for the threads, and one that hangs in a system
 * call keeps the process, its ports and its lock for as long as it hangs.
 */
export function killSelf(): void {
  process.kill(process.pid, "SIGKILL");
}

export interface ChildEnd {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Child {
  readonly pid: number;
  readonly ended: Promise<ChildEnd>;
  readonly hasEnded: boolean;
  signal(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface ChildOptions {
  /** Gets what the child writes to standard output and error, behind what is there. */
  readonly logPath: string;
  /** Killed at once, with SIGKILL, if this process exits before it. */
  readonly throwAway: boolean;
}

/** Starts this program again with other arguments. Rejects if the system does not let it. */
export async function startSelf(args: readonly string[], options: ChildOptions): Promise<Child> {
  mkdirSync(dirname(options.logPath), { recursive: true });
  // A file and not a pipe: a pipe that nobody drains for a moment would hold the child up.
  const log = openSync(options.logPath, "a");
  try {
    const command = [...process.execArgv, process.argv[1] ?? "", ...args];
    const child = spawn(process.execPath, command, {
      stdio: ["ignore", log, log, "ipc"],
      detached: true,
    });
    await new Promise<void>((started, failed) => {
      child.once("spawn", started);
      child.once("error", failed);
    });
    return wrap(child, options.throwAway);
  } finally {
    closeSync(log);
  }
}

function wrap(child: ChildProcess, throwAway: boolean): Child {
  const pid = child.pid ?? 0; // 0 cannot be: it has spawned
  let hasEnded = false;
  const kill = (): void => void child.kill("SIGKILL");
  if (throwAway) process.once("exit", kill);
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once("exit", (code, signal) => {
      hasEnded = true;
      process.off("exit", kill);
      resolve({ code, signal });
    });
  });
  // A failing kill() or channel is reported here; that the child is gone shows itself in `ended`.
  child.on("error", () => undefined);
  return {
    pid,
    ended,
    get hasEnded() {
      return hasEnded;
    },
    signal: (signal) => void child.kill(signal),
  };
}

/** What statfs(2) calls a file system in memory on Linux. */
const TMPFS = 0x01_02_19_94;

/** Whether nothing in this folder is ever on a disk, so that a sync costs nothing. */
export function isInMemory(path: string): boolean {
  return statfsSync(path).type === TMPFS;
}

export interface TemporaryFolder {
  readonly path: string;
  readonly isInMemory: boolean;
  remove(): void;
}

/**
 * A folder of its own for this process, gone with all its content when `remove` is called or it
 * exits. It lies where TMPDIR says, and in /tmp otherwise.
 */
export function temporaryFolder(prefix: string): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), prefix));
  // Retried, because a child that was killed a moment ago may still be writing.
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", remove);
  return {
    path,
    isInMemory: isInMemory(path),
    remove: () => {
      process.off("exit", remove);
      remove();
    },
  };
}
