// `npm start`: install, build, then a local cluster (`raft3d up`). Arguments after -- go to `up`.
import { join } from "node:path";
import { ROOT, runForCode } from "./lib.mjs";
import { build } from "./build.mjs";

await build();
const main = join(ROOT, "dist", "cli", "main.js");
process.exit(await runForCode(process.execPath, [main, "up", ...process.argv.slice(2)]));
