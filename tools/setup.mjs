// Installs what package-lock.json names, once for each version of it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, capture, digest, readIfExists, run, stop } from "./lib.mjs";

const STAMP = join(ROOT, "node_modules", ".raft3d-installed");

export async function setup() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) stop(`Raft3D needs Node.js 20 or newer; this is ${process.version}.`);
  const wanted = digest(["package.json", "package-lock.json"], process.version);
  if (readIfExists(STAMP) === wanted) return;
  console.log("Installing dependencies (npm ci) …");
  await run("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--include=dev"]);
  writeFileSync(STAMP, `${wanted}\n`);
}

/** The Go compiler's version, or the end of the script with the reason. */
export async function requireGo() {
  const version = await capture("go", ["env", "GOVERSION"]);
  if (version === null) {
    stop(
      "Go 1.26 or newer is needed to compile the consensus core, and no `go` was found on the PATH.\n" +
        "Install it from your system's packages, or from go.dev, and run this again.",
    );
  }
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) < 1 || (Number(major) === 1 && Number(minor) < 26)) {
    stop(`Go 1.26 or newer is needed to compile the consensus core; this is ${version}.`);
  }
  return version;
}

if (process.argv[1] === join(ROOT, "tools", "setup.mjs")) await setup();
