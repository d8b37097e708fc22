// The command line as people call it: `raft3d …` as a process of the built program.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { MAIN } from "./process-cluster.ts";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs until it is told to end, or ends by itself. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    // A process group of its own, as a shell gives to what it starts.
    this.child = spawn(process.execPath, [MAIN, ...args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...env },
    });
    this.child.stdout?.on("data", (piece: Buffer) => (this.stdout += piece.toString()));
    this.child.stderr?.on("data", (piece: Buffer) => (this.stderr += piece.toString()));
    this.#ended = once(this.child, "close");
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** To the whole process group, as the terminal does at Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid !== undefined && !this.hasEnded) process.kill(-pid, signal);
  }

  async ended(): Promise<Ran> {
    await this.#ended;
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}

/** Runs a command to its end. */
export function raft3d(...args: readonly string[]): Promise<Ran> {
  return new RunningCommand(args).ended();
}
