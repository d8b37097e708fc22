// A copy of the tree in which bugs are planted, one at a time, and which is thrown away afterwards.
// Nothing is ever changed in the repository itself.

import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const COPIED = ["src", "core", "test", "tools", "docs", "package.json", "package-lock.json"];
const SETTINGS = ["tsconfig.json", "vitest.config.ts"];
const CORE_WASM = "dist/core.wasm";
const CORE_STAMP = `${CORE_WASM}.stamp`;
const JUDGE = "dist/judge";

export interface Ended {
  /** Null: it was killed, because it said nothing for too long. */
  readonly code: number | null;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A program that prints no line for so long is killed. */
  readonly silenceMsMax: number;
  readonly onLine?: (line: string) => void;
}

const STDERR_CHARS_KEPT = 8192;

export class Workshop {
  readonly root: string;
  readonly #children = new Set<ChildProcess>();

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), "raft3d-mutants-"));
    for (const name of [...COPIED, ...SETTINGS]) {
      cpSync(join(ROOT, name), join(this.root, name), { recursive: true });
    }
    symlinkSync(realpathSync(join(ROOT, "node_modules")), join(this.root, "node_modules"));
    mkdirSync(join(this.root, "dist"));
    symlinkSync(join(ROOT, JUDGE), join(this.root, JUDGE));
    this.restoreCore();
  }

  /** Puts the core back that was built from the sources as they are. */
  restoreCore(): void {
    for (const name of [CORE_WASM, CORE_STAMP]) {
      copyFileSync(join(ROOT, name), join(this.root, name));
    }
  }

  /** A program of node_modules. */
  bin(name: string): string {
    return join(this.root, "node_modules", ".bin", name);
  }

  /** Runs a program in the copy to its end. Everything it prints is taken line by line. */
  run(command: string, args: readonly string[], options: RunOptions): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: join(this.root, options.cwd ?? "."),
        env: { ...process.env, ...options.env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      this.#children.add(child);
      let isKilled = false;
      const kill = (): void => {
        isKilled = true;
        child.kill("SIGKILL");
      };
      let watchdog = setTimeout(kill, options.silenceMsMax);
      let rest = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        clearTimeout(watchdog);
        watchdog = setTimeout(kill, options.silenceMsMax);
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) options.onLine?.(line);
      });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr = (stderr + text).slice(-STDERR_CHARS_KEPT);
      });
      child.on("error", reject);
      child.on("close", (code) => {
        clearTimeout(watchdog);
        this.#children.delete(child);
        if (rest !== "") options.onLine?.(rest);
        resolve({ code: isKilled ? null : (code ?? 1), stderr });
      });
    });
  }

  /** Ends what runs and removes the copy. */
  clear(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.root, { recursive: true, force: true });
  }
}
