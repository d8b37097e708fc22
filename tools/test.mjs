// `npm test`: install, build, then the tests of the core and of the judge (Go) and of everything else (vitest).
// Arguments after -- go to vitest: npm test -- src/fsm
import { join } from "node:path";
import { ROOT, run } from "./lib.mjs";
import { build } from "./build.mjs";
import { buildJudge } from "./build-judge.mjs";

export async function runTests(args) {
  await buildJudge();
  for (const module of args.length === 0 ? ["core", "judge"] : []) {
    console.log(`Tests of the ${module} …`);
    await run("go", ["test", "./..."], {
      cwd: join(ROOT, module),
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
  }
  await run(join(ROOT, "node_modules", ".bin", "vitest"), ["run", ...args]);
}

if (process.argv[1] === join(ROOT, "tools", "test.mjs")) {
  await build();
  await runTests(process.argv.slice(2));
}
