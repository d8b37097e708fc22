#!/usr/bin/env node
// The program's entry: reads the command line, carries one command out, and is the one place that
// prints errors and sets the exit code.
//
//   0  it did what was asked        1  it could not: the message says why
//   2  the command line, the environment or the configuration file is wrong; nothing was touched
//   70 a bug                        others: see docs/operations.md, what ends a node

import { toError, unreachable } from "../base/assert.ts";
import { DiskError } from "../env/disk.ts";
import { NetworkError } from "../env/network.ts";
import { nodeClock } from "../env/node/clock.ts";
import { HttpClient } from "../env/node/http-client.ts";
import { packageVersion } from "../env/node/package-file.ts";
import {
  commandLine,
  environment,
  exit,
  onOrphaned,
  onUncaught,
  readTextFile,
  terminateSelf,
} from "../env/node/process.ts";
import { nodeRandom } from "../env/node/random.ts";
import { nodeTerminal } from "../env/node/terminal.ts";
import { Failure } from "./failure.ts";
import { resolve } from "./options/resolve.ts";
import { run } from "./program.ts";
import { wrap } from "./text.ts";

const BAD_USAGE = 2;
const BUG = 70;

const terminal = nodeTerminal();
let showsStacks = false;

onUncaught((thrown) => exit(report(thrown)));
// Nodes that `up` or `demo` started do not outlive them.
onOrphaned(terminateSelf);
try {
  exit(await main());
} catch (thrown) {
  exit(report(thrown));
}

async function main(): Promise<number> {
  const what = resolve(commandLine(), environment(), readTextFile);
  switch (what.kind) {
    case "help":
      terminal.out(what.text);
      return 0;
    case "version":
      terminal.out(`raft3d ${packageVersion()}\n`);
      return 0;
    case "bad":
      terminal.err(badUsage(what.help, what.problems));
      return BAD_USAGE;
    case "run": {
      showsStacks = what.invocation.options.logLevel === "debug";
      const http = new HttpClient();
      return run(what.invocation, { terminal, clock: nodeClock, random: nodeRandom, http });
    }
    default:
      return unreachable(what);
  }
}

function badUsage(help: string, problems: readonly string[]): string {
  const name = help === "" ? "raft3d" : `raft3d ${help}`;
  const count = problems.length === 1 ? "one thing is" : `${problems.length} things are`;
  const lines = [`${name}: ${count} wrong, so nothing was done.`, ""];
  for (const problem of problems) {
    const [first = "", ...rest] = wrap(problem, 78);
    lines.push(`- ${first}`, ...rest.map((line) => `  ${line}`));
  }
  return `${[...lines, "", `See ${name} --help.`].join("\n")}\n`;
}

/** One readable message, and the exit code that belongs to it. */
function report(thrown: unknown): number {
  const error = toError(thrown);
  const isExpected = error instanceof DiskError || error instanceof NetworkError;
  if (error instanceof Failure) terminal.err(`raft3d: ${error.message}\n`);
  else if (isExpected) terminal.err(`raft3d: ${error.message}.\n`);
  else terminal.err(`raft3d: this is a bug, please report it: ${error.message}\n`);
  if (showsStacks) terminal.err(`${error.stack ?? ""}\n`);
  if (error instanceof Failure) return error.exitCode;
  return isExpected ? 1 : BUG;
}
