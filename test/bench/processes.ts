// Processes of a benchmark: started, waited for, weighed.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";

/** Runs a program to its end and gives what it wrote; throws if it fails. */
export async function output(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const collect = (chunk: Buffer): void => void (text += chunk.toString());
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${text}`);
  return text;
}

const running = new Set<ChildProcess>();

/** A benchmark that fails, or is stopped, leaves nothing running behind. */
function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** A server, its output in a file. */
export class Server {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #closed: Promise<unknown>;

  constructor(name: string, program: string, args: readonly string[], logPath: string) {
    this.name = name;
    const log = openSync(logPath, "a");
    this.#logPath = logPath;
    this.#child = spawn(program, args, { stdio: ["ignore", log, log] });
    this.#closed = once(this.#child, "close");
    if (running.size === 0) process.prependOnceListener("exit", killAll);
    running.add(this.#child);
    this.#child.once("close", () => {
      running.delete(this.#child);
      if (running.size === 0) process.removeListener("exit", killAll);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  log(): string {
    return readFileSync(this.#logPath, "utf8");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    await this.#closed;
  }

  /** Seconds of processor time since it began. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // Behind the name, which may hold anything: fields 14 and 15 are user and system time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  residentMib(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Waits on a condition, for as long as nothing has ended that was to stay. */
export async function until(
  what: string,
  servers: readonly Server[],
  holds: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const ended = servers.find((server) => server.hasEnded);
    if (ended !== undefined) throw new Error(`${ended.name} ended:\n${ended.log()}`);
    if (await holds()) return;
    if (performance.now() > end) throw new Error(`waited ${WAIT_MS_MAX} ms in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

const WAIT_MS_MAX = 60_000;

/** They rest when all together use no more than this of one processor, for so long. */
const REST_SHARE = 0.1;
const REST_MS = 3000;
const REST_WAIT_MS_MAX = 30_000;

/**
 * Waits until what a load left behind is done: snapshots, compactions, collections of garbage. False if that took
 * too long: on a slow machine they may use as much for doing nothing.
 */
export async function rested(servers: readonly Server[]): Promise<boolean> {
  const end = performance.now() + REST_WAIT_MS_MAX;
  let since = { ms: 0, cpuMs: 0 };
  let isRested = false;
  await until("a rest", servers, () => {
    const cpuMs = servers.reduce((sum, server) => sum + 1000 * server.cpuSeconds(), 0);
    const now = { ms: performance.now(), cpuMs };
    if (since.ms === 0 || now.cpuMs - since.cpuMs > REST_SHARE * REST_MS) since = now;
    isRested = now.ms - since.ms >= REST_MS;
    return Promise.resolve(isRested || now.ms > end);
  });
  return isRested;
}

/** The JSON of an answer; null where nobody answers, or not with 200. */
export async function ask(url: string, body?: unknown): Promise<Record<string, unknown> | null> {
  try {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(url, init);
    return response.ok ? ((await response.json()) as Record<string, unknown>) : null;
  } catch {
    return null; // not up yet: the caller waits on this condition
  }
}

/** The sum of a metric over all its labels, from a page in the format of Prometheus. */
export async function metric(address: string, name: string): Promise<number> {
  const page = await (await fetch(`http://${address}/metrics`)).text();
  const values = page
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  if (values.length === 0) throw new Error(`${address} has no metric ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}
