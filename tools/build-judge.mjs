// Compiles judge/ to dist/judge, unless what is there was made from the same sources by the same compiler.
// Only tests need it: it is not part of `npm run build`, nor of the package.
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, digest, filesBelow, readIfExists, run } from "./lib.mjs";
import { requireGo } from "./setup.mjs";

const JUDGE = join(ROOT, "dist", "judge");
const STAMP = `${JUDGE}.stamp`;
const FLAGS = ["-trimpath", "-buildvcs=false"];

function isSource(name) {
  return (
    name === "go.mod" || name === "go.sum" || (name.endsWith(".go") && !name.endsWith("_test.go"))
  );
}

export async function buildJudge() {
  const version = await requireGo();
  const wanted = digest(filesBelow("judge", isSource), version, ...FLAGS);
  if (existsSync(JUDGE) && readIfExists(STAMP) === wanted) return;
  console.log(`Compiling the judge with ${version} …`);
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const fresh = `${JUDGE}.new`;
  await run("go", ["build", ...FLAGS, "-o", fresh, "."], {
    cwd: join(ROOT, "judge"),
    env: { ...process.env, GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
  });
  renameSync(fresh, JUDGE);
  writeFileSync(STAMP, `${wanted}\n`);
}

if (process.argv[1] === join(ROOT, "tools", "build-judge.mjs")) await buildJudge();
