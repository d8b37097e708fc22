// Compiles everything that runs: the consensus core to dist/core.wasm, TypeScript to dist/.
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, digest, filesBelow, readIfExists, run } from "./lib.mjs";
import { buildCore } from "./build-core.mjs";
import { setup } from "./setup.mjs";

const STAMP = join(ROOT, "dist", ".typescript.stamp");

async function buildTypeScript() {
  const sources = filesBelow("src", (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const wanted = digest([...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"]);
  const main = join(ROOT, "dist", "cli", "main.js");
  if (existsSync(main) && readIfExists(STAMP) === wanted) return;
  console.log("Compiling TypeScript …");
  // A file deleted from src/ must not live on in dist/.
  for (const entry of readdirSync(join(ROOT, "dist"), { withFileTypes: true })) {
    if (entry.isDirectory()) rmSync(join(ROOT, "dist", entry.name), { recursive: true });
  }
  await run("npx", ["--no-install", "tsc", "-p", "tsconfig.build.json"]);
  chmodSync(main, 0o755);
  writeFileSync(STAMP, `${wanted}\n`);
}

export async function build() {
  await setup();
  await buildCore();
  await buildTypeScript();
}

if (process.argv[1] === join(ROOT, "tools", "build.mjs")) await build();
