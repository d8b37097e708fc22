// `npm run fuzz -- --minutes N [--seed S] [NAME…]`: every fuzz test for N minutes each, from a fresh seed. In
// `npm test` the same tests run for seconds, from a fixed one.

import { parseArgs } from "node:util";
import { join } from "node:path";
import { ROOT, run } from "./lib.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0");
process.env.FUZZ_MINUTES = String(minutes);
if (values.seed !== undefined) process.env.FUZZ_SEED = values.seed;
const filters = positionals.length > 0 ? positionals.map((name) => `${name}.fuzz`) : [".fuzz"];
// The longest file has four tests; the bound of a test must not cut it short.
const bound = `--testTimeout=${Math.round((minutes + 5) * 60_000)}`;
const vitest = join(ROOT, "node_modules", ".bin", "vitest");
await run(vitest, ["run", "--project", "unit", "--maxWorkers=2", bound, ...filters]);
