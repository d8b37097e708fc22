// Compiles src/ to dist/: programs in a few files each, with everything they import, packages included. A node
// starts in half the processor time so: most of a start went into finding and linking hundreds of files.
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, digest, filesBelow, readIfExists } from "./lib.mjs";

const PROGRAMS = { cli: ["main"], sim: ["main", "every-byte-main", "speed-main"] };
const STAMP = join(ROOT, "dist", ".programs.stamp");

// Packages in CommonJS ask for Node's modules with require(), which modules of ES do not have.
const REQUIRE = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

export async function buildPrograms() {
  const sources = filesBelow("src", (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const wanted = digest([...sources, "tools/bundle.mjs", "tsconfig.json", "package-lock.json"]);
  const main = join(ROOT, "dist", "cli", "main.js");
  if (existsSync(main) && readIfExists(STAMP) === wanted) return;
  console.log("Compiling TypeScript …");
  // What an earlier build made must not live on in dist/, nor vouch for what this one leaves half done.
  rmSync(STAMP, { force: true });
  for (const entry of readdirSync(join(ROOT, "dist"), { withFileTypes: true })) {
    if (entry.isDirectory()) rmSync(join(ROOT, "dist", entry.name), { recursive: true });
  }
  const { build } = await import("esbuild"); // not before it is installed
  const inputs = new Set();
  for (const [folder, programs] of Object.entries(PROGRAMS)) {
    const { metafile } = await build({
      absWorkingDir: ROOT,
      entryPoints: programs.map((name) => `src/${folder}/${name}.ts`),
      outdir: `dist/${folder}`,
      bundle: true,
      splitting: true, // what is imported only when it is needed stays apart
      platform: "node",
      format: "esm",
      target: "node20",
      banner: { js: REQUIRE },
      legalComments: "none", // whole licences stand beside
      metafile: true,
      logLevel: "warning",
    });
    for (const file of Object.keys(metafile.inputs)) inputs.add(file);
  }
  chmodSync(main, 0o755);
  writeFileSync(join(ROOT, "dist", "LICENSES.txt"), licences([...inputs]));
  writeFileSync(STAMP, `${wanted}\n`);
}

/** The licences of the packages whose files these are. */
function licences(files) {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []);
  const texts = [...new Set(folders)]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(ROOT, folder, "package.json"), "utf8"),
      );
      const file = readdirSync(join(ROOT, folder)).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? "" : readFileSync(join(ROOT, folder, file), "utf8").trim();
      return `${name} ${version} (${license})\n\n${text}\n`;
    });
  return `The programs beside this file contain the following packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}
