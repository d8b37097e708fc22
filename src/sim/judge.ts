// The judge of linearizability, as a process: `judge/` compiled to dist/judge by tools/build-judge.mjs. It
// has a model of the farm of its own, written from the specification; nothing here knows a rule.
//
// One process judges any number of histories, one after the other, in the order in which they are given.
// An answer that is not "ok" is the caller's to report; what cannot be judged at all (a history that is
// malformed, a judge that ends) is an exception.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { History } from "./history.ts";

export interface Answer {
  readonly history: string;
  /** `undecided`: time or steps ran out; it is no proof of anything. */
  readonly verdict: "ok" | "illegal" | "undecided";
  readonly reason?: string;
  /** All operations; those that must have a place in the order; those that had one in the longest order. */
  readonly operations: number;
  readonly required: number;
  readonly placed: number;
  /** Unknown outcomes that left no evidence, so that the search had to try them. */
  readonly tried: number;
  readonly steps: number;
  /** After the longest order one of these would have to be next; why none can be. Lines count from 1. */
  readonly unplaced?: readonly {
    readonly line: number;
    readonly operation: string;
    readonly because: string;
  }[];
  /** The page that shows it, if `visualize` was given. */
  readonly picture?: string;
}

export interface JudgeOptions {
  /** For each history. Steps make a verdict the same on any machine; time bounds the wait. */
  readonly steps?: number;
  readonly timeoutSeconds?: number;
  /** An existing folder for pages of what is not ok. */
  readonly visualize?: string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** The same place seen from src/sim and from dist/sim. */
const JUDGE = fileURLToPath(new URL("../../dist/judge", import.meta.url));

export class Judge {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown>;
  readonly #waiting: Waiting[] = [];
  #complaint = "";
  #end: Error | null = null;

  constructor(options: JudgeOptions = {}) {
    if (!existsSync(JUDGE))
      throw new Error("dist/judge is missing: run node tools/build-judge.mjs");
    const { steps, timeoutSeconds, visualize } = options;
    const args = [
      ...(steps === undefined ? [] : ["-steps", String(steps)]),
      ...(timeoutSeconds === undefined ? [] : ["-timeout", `${timeoutSeconds}s`]),
      ...(visualize === undefined ? [] : ["-visualize", visualize]),
    ];
    this.#process = spawn(JUDGE, args, { stdio: "pipe" });
    this.#closed = once(this.#process, "close").catch(() => undefined); // said by "error" below
    this.#process.on("error", (error) => this.#fail(error.message));
    this.#process.on("close", (code, signal) => this.#fail(`it ended with ${code ?? signal}`));
    // If it ends while it is written to, "close" says so; the broken pipe says nothing more.
    this.#process.stdin.on("error", () => undefined);
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#answer(line));
  }

  /** What the judge says of a history; its operations may come from any number of clients. */
  judge(history: History): Promise<Answer> {
    return this.judgeText(history.text());
  }

  /** The same for a history as text, for instance from a file. It must be one, with its end. */
  judgeText(text: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#end);
      this.#waiting.push({ resolve, reject });
      this.#process.stdin.write(text);
    });
  }

  /** Ends the process when it has answered everything. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.#closed;
  }

  #answer(line: string): void {
    const answer = JSON.parse(line) as
      | Answer
      | (Omit<Answer, "verdict"> & { verdict: "malformed" });
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return this.#fail(`it said what nobody asked: ${line}`);
    if (answer.verdict !== "malformed")
      return waiting.resolve({ ...answer, verdict: answer.verdict });
    waiting.reject(new Error(`history "${answer.history}" is malformed: ${answer.reason}`));
  }

  #fail(reason: string): void {
    this.#end ??= new Error(`the judge is gone: ${reason}. ${this.#complaint}`.trim());
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
  }
}

/**
 * What is wrong with a history, in words; null only if an order was found. That none was found in time is as
 * much a failure as that there is none: whoever runs a million seeds would not see the ones that say nothing.
 */
export function problemOf(answer: Answer): string | null {
  if (answer.verdict === "ok") return null;
  const text = describeAnswer(answer);
  if (answer.verdict === "illegal") return text;
  return `${text}\nIt proves nothing: give the judge more steps or time (JudgeOptions), or the run less to judge`;
}

/** An answer in words, for a report of a failure: what cannot be placed, and why. */
export function describeAnswer(answer: Answer): string {
  const { history, verdict, reason, operations, placed, required } = answer;
  const head = `history "${history}" of ${operations} operations is ${verdict}: ${reason ?? `an order of ${placed} of ${required} was found, and nothing fits behind it`}`;
  const lines = (answer.unplaced ?? []).map(
    ({ line, operation, because }) => `  line ${line}: ${because}\n    ${operation}`,
  );
  return [head, ...lines].join("\n");
}
