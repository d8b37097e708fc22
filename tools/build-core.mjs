// Compiles core/ to dist/core.wasm, unless what is there was made from the same sources by the same
// compiler. With --reproduce: compiles twice, from two places and with two empty caches, and compares.
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CORE_WASM, ROOT, digest, filesBelow, readIfExists, run } from "./lib.mjs";
import { requireGo } from "./setup.mjs";

const STAMP = `${CORE_WASM}.stamp`;
// -trimpath, -buildid= and no VCS stamp keep the path, the time and the checkout out of the bytes;
// -w leaves out what debuggers read. Not -s: it would drop the names of functions, and a trap would name none.
const FLAGS = ["-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w -buildid="];
const TARGET = {
  GOOS: "wasip1",
  GOARCH: "wasm",
  GOFLAGS: "",
  CGO_ENABLED: "0",
  GOTOOLCHAIN: "local",
};

function sources() {
  return filesBelow(
    "core",
    (name) => name === "go.mod" || name === "go.sum" || name.endsWith(".go"),
  );
}

async function compile(from, to, extraEnv = {}) {
  await run("go", ["build", ...FLAGS, "-o", to, "."], {
    cwd: from,
    env: { ...process.env, ...TARGET, ...extraEnv },
  });
}

const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

export async function buildCore() {
  const version = await requireGo();
  const wanted = digest(sources(), version, ...FLAGS);
  if (existsSync(CORE_WASM) && readIfExists(STAMP) === wanted) return;
  console.log(`Compiling the consensus core with ${version} …`);
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const fresh = `${CORE_WASM}.new`;
  await compile(join(ROOT, "core"), fresh);
  renameSync(fresh, CORE_WASM);
  writeFileSync(STAMP, `${wanted}\n`);
}

async function reproduce() {
  const version = await requireGo();
  const room = mkdtempSync(join(tmpdir(), "raft3d-reproduce-"));
  try {
    const sums = [];
    for (const name of ["one", "two/deeper"]) {
      const place = join(room, name, "core");
      cpSync(join(ROOT, "core"), place, { recursive: true });
      const out = join(room, `${name.replace("/", "-")}.wasm`);
      await compile(place, out, { GOCACHE: join(room, `${name}-cache`) });
      sums.push(sha256(out));
    }
    console.log(`${version}\n  ${sums.join("\n  ")}`);
    if (sums[0] !== sums[1]) {
      console.error("The two builds differ: the core is not reproducible.");
      process.exitCode = 1;
    } else console.log("The two builds are the same, byte for byte.");
  } finally {
    rmSync(room, { recursive: true, force: true });
  }
}

if (process.argv[1] === join(ROOT, "tools", "build-core.mjs")) {
  if (process.argv.includes("--reproduce")) await reproduce();
  else await buildCore();
}
