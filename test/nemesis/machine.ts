// What this machine lets a nemesis do, and how it gets there: namespaces of its own for processes, mounts and
// the network, in which everything that a run makes ends with it, even if the run itself is killed.
//
// Root is not needed where the system lets people make user namespaces. Where it does not, a run does
// without what needs them, and says so; it never touches the network or the mounts of the machine.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const INSIDE = "RAFT3D_NEMESIS_INSIDE";

export interface Machine {
  /** The network and the mounts are this run's own. */
  readonly hasNamespaces: boolean;
  /** What is built from native/, null where there is no compiler. */
  readonly wire: string | null;
  readonly shim: string | null;
  /** Sentences about what is missing. */
  readonly notes: readonly string[];
}

/** The folder of the program that started this one in its namespaces; null in that program. */
export function folderInside(): string | null {
  return process.env[INSIDE] ?? null;
}

/** Runs this program again in namespaces of its own; null where they cannot be had. */
export async function runInside(folder: string): Promise<number | null> {
  if (process.platform !== "linux") return null;
  const root = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const flags = [...root, "--mount", "--net", "--pid", "--fork", "--mount-proc"];
  if (spawnSync("unshare", [...flags, "ip", "link", "set", "lo", "up"]).status !== 0) return null;
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn("unshare", [...flags, "--kill-child", "--", ...self], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: folder },
  });
  // Everything inside ends with the first process there, however many nodes are stopped or hang.
  const end = (): void => void child.kill("SIGKILL");
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
}

/** Prepares the machine for runs; `folder` takes what is built. */
export function prepareMachine(folder: string): Machine {
  const hasNamespaces = folderInside() !== null;
  const notes: string[] = [];
  if (!hasNamespaces) notes.push("no namespaces here: no network faults, and no full disk");
  else {
    run("ip", ["link", "set", "lo", "up"]);
    // `ip netns` keeps its names here; the machine's own are not touched.
    run("mount", ["-t", "tmpfs", "nemesis", "/run"]);
    mkdirSync("/run/netns");
  }
  const shim = compile("shim.c", join(folder, "shim.so"), ["-shared", "-fPIC", "-ldl"], notes);
  if (shim === null) notes.push("no C compiler (cc): no network, no disk and no clock faults");
  const canWire = hasNamespaces && shim !== null && canWriteTo("/dev/net/tun");
  if (hasNamespaces && shim !== null && !canWire) {
    notes.push("/dev/net/tun cannot be had: no network faults");
  }
  const wire = canWire ? compile("wire.c", join(folder, "wire"), [], notes) : null;
  return { hasNamespaces, wire, shim, notes };
}

function compile(
  source: string,
  target: string,
  flags: readonly string[],
  notes: string[],
): string | null {
  if (process.platform !== "linux") return null;
  const from = fileURLToPath(new URL(`native/${source}`, import.meta.url));
  const done = spawnSync("cc", [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-o",
    target,
    from,
    ...flags,
  ]);
  if (done.error !== undefined) return null; // there is no cc
  if (done.status !== 0) notes.push(`${source} does not compile: ${done.stderr.toString()}`);
  return done.status === 0 ? target : null;
}

function canWriteTo(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // what this asks
  }
}

/** Runs a program of the system to its end. */
export function run(program: string, args: readonly string[], input = ""): void {
  execFileSync(program, args, { input, stdio: ["pipe", "ignore", "inherit"] });
}
