// `npm run check`: everything that must hold before a commit, in the order in which it fails fastest.
import { build } from "./build.mjs";
import { ROOT, run } from "./lib.mjs";
import { runTests } from "./test.mjs";
import { join } from "node:path";

await build();
const bin = (name) => join(ROOT, "node_modules", ".bin", name);
console.log("Types …");
await run(bin("tsc"), ["-p", "tsconfig.json"]);
console.log("Lint …");
await run(bin("oxlint"), ["--type-aware", "--deny-warnings"]);
console.log("Format …");
await run(bin("oxfmt"), ["--check", "."]);
console.log("Dead code …");
await run(bin("knip"), []);
await runTests([]);
