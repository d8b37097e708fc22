// What the scripts in this folder share: running a program, reading versions, hashing sources.
// Plain JavaScript, because these run before anything is installed or compiled.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const CORE_WASM = join(ROOT, "dist", "core.wasm");

/** Ends the script with one readable sentence instead of a stack trace. */
export function stop(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Runs a program in the repository's root; ends the script with its exit code if it fails. */
export async function run(command, args, options = {}) {
  const code = await runForCode(command, args, options);
  if (code !== 0) {
    console.error(`\n${[command, ...args].join(" ")} ended with code ${code}.`);
    process.exit(code);
  }
}

/** Runs a program and resolves with its exit code (128 + n if signal n ended it). */
export function runForCode(command, args, { env = process.env, cwd = ROOT } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env, stdio: "inherit" });
    // Ctrl-C reaches the whole process group; the child decides when it has stopped.
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const forward = () => child.kill("SIGTERM");
    process.on("SIGTERM", forward);
    child.on("error", (error) => stop(`Cannot run ${command}: ${error.message}`));
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      done(signal === null ? code : 128 + (signal === "SIGINT" ? 2 : 15));
    });
  });
}

/** What a program prints, trimmed; null if it cannot be run. */
export function capture(command, args, { cwd = ROOT, env = process.env } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "ignore"] });
    let out = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.on("error", () => done(null));
    child.on("close", (code) => done(code === 0 ? out.trim() : null));
  });
}

/** Every file below `folder` that `keep` accepts, sorted, relative to the root. */
export function filesBelow(folder, keep) {
  const found = [];
  const visit = (at) => {
    for (const name of readdirSync(at).sort()) {
      const path = join(at, name);
      if (statSync(path).isDirectory()) visit(path);
      else if (keep(name)) found.push(relative(ROOT, path));
    }
  };
  visit(join(ROOT, folder));
  return found;
}

/** SHA-256 over the names and contents of files, and anything else that decides an output. */
export function digest(files, ...extra) {
  const hash = createHash("sha256");
  for (const word of extra) hash.update(`${word}\0`);
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  return hash.digest("hex");
}

export function readIfExists(path) {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : null;
}
