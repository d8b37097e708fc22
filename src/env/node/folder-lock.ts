// One process per data directory. Node offers no file locks, so the lock is a file that names its
// holder, made with link(2), which either makes the name or fails.
//
// A holder that died (kill -9, power cut) leaves its file behind. It is recognised by what no living
// process shares with it: the process id together with the moment that process was started and the
// boot of the machine. A holder in another container cannot be judged from here, and is believed.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { diskError } from "./disk.ts";

const LOCK = "lock";

interface Holder {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process; null where the system does not say. */
  readonly started: string | null;
  readonly boot: string | null;
  /** The process id namespace: ids from another one mean nothing here. */
  readonly namespace: string | null;
  readonly token: string;
}

export class FolderLockedError extends Error {
  override readonly name = "FolderLockedError";
}

/**
 * Takes the lock of `folder`, or throws FolderLockedError with a sentence for people; a DiskError where
 * the disk does not let it: it is full, or belongs to somebody else.
 */
export function lockFolder(folder: string): { release(): void } {
  try {
    return takeLock(folder);
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException;
    throw syscall === undefined ? error : diskError("lock", folder, error as Error);
  }
}

function takeLock(folder: string): { release(): void } {
  fs.mkdirSync(folder, { recursive: true });
  const mine: Holder = { ...identify(process.pid), token: randomBytes(8).toString("hex") };
  const own = join(folder, `${LOCK}.${process.pid}.${mine.token}`);
  const lock = join(folder, LOCK);
  try {
    fs.writeFileSync(own, `${JSON.stringify(mine)}\n`, { flag: "wx" });
    // Each round removes a dead holder's file, so a few rounds are enough; more means a crowd.
    for (let round = 0; round < 5; round++) {
      if (tryLink(own, lock)) return { release: () => release(lock, mine.token) };
      const holder = readHolder(lock);
      if (holder === null) continue; // released between the two steps
      if (isAlive(holder)) throw new FolderLockedError(lockedMessage(folder, lock, holder, mine));
      removeDead(folder, lock, holder);
    }
    throw new FolderLockedError(
      `The data directory ${folder} could not be locked: several processes are starting on it at once.`,
    );
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function tryLink(own: string, lock: string): boolean {
  try {
    fs.linkSync(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

// Two starters may both judge the same holder dead. Only one rename of that file succeeds on it; if what
// was moved away turns out to be somebody else's fresh lock, it is put back.
function removeDead(folder: string, lock: string, dead: Holder): void {
  const aside = join(folder, `${LOCK}.dead.${randomBytes(8).toString("hex")}`);
  try {
    fs.renameSync(lock, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (readHolder(aside)?.token !== dead.token) tryLink(aside, lock);
  fs.rmSync(aside, { force: true });
}

function release(lock: string, token: string): void {
  if (readHolder(lock)?.token === token) fs.rmSync(lock, { force: true });
}

function readHolder(path: string): Holder | null {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // Written whole before it was linked: only a crash of the machine can have emptied it.
    return { pid: 0, started: null, boot: null, namespace: null, token: text };
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === 0) return false;
  const here = identify(holder.pid);
  if (holder.boot !== null && here.boot !== null && holder.boot !== here.boot) return false;
  const own = identify(process.pid);
  if (holder.namespace !== own.namespace) return true;
  if (holder.started !== null) return holder.started === here.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function identify(pid: number): Omit<Holder, "token"> {
  return {
    pid,
    started: startTicks(pid),
    boot: readOrNull("/proc/sys/kernel/random/boot_id"),
    namespace: linkOrNull("/proc/self/ns/pid"),
  };
}

/** Field 22 of /proc/<pid>/stat; the command's name before it may hold anything, parentheses too. */
function startTicks(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A process that has died but was not yet waited for holds nothing any more.
  return afterName[0] === "Z" ? null : (afterName[19] ?? null);
}

function readOrNull(path: string): string | null {
  try {
    return fs.readFileSync(path, "utf8").trim();
  } catch {
    return null; // not Linux, or no such process
  }
}

function linkOrNull(path: string): string | null {
  try {
    return fs.readlinkSync(path);
  } catch {
    return null;
  }
}

function lockedMessage(folder: string, lock: string, holder: Holder, mine: Holder): string {
  const elsewhere =
    holder.namespace === mine.namespace
      ? ""
      : ` It runs in another container, which cannot be looked into from here: if you are sure that ` +
        `it is gone, remove ${lock}.`;
  return (
    `The data directory ${folder} is in use by another Raft3D process (pid ${holder.pid}). ` +
    `Stop that one first, or give this one a directory of its own with --data.${elsewhere}`
  );
}
