// `npm test`: install, build, then the tests of the core (Go) and of everything else (vitest).
// Arguments after -- go to vitest: npm test -- src/fsm
import { join } from "node:path";
import { ROOT, run } from "./lib.mjs";
import { build } from "./build.mjs";

export async function runTests(args) {
  if (args.length === 0) {
    console.log("Tests of the core …");
    await run("go", ["test", "./..."], {
      cwd: join(ROOT, "core"),
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
  }
  await run(join(ROOT, "node_modules", ".bin", "vitest"), ["run", ...args]);
}

if (process.argv[1] === join(ROOT, "tools", "test.mjs")) {
  await build();
  await runTests(process.argv.slice(2));
}
