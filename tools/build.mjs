// Compiles everything that runs: the consensus core to dist/core.wasm, TypeScript to dist/.
import { join } from "node:path";
import { ROOT } from "./lib.mjs";
import { buildCore } from "./build-core.mjs";
import { buildPrograms } from "./bundle.mjs";
import { setup } from "./setup.mjs";

export async function build() {
  await setup();
  await buildCore();
  await buildPrograms();
}

if (process.argv[1] === join(ROOT, "tools", "build.mjs")) await build();
