// Files of this package, wherever the code that asks has been compiled to.

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** The folder of package.json: the nearest one above this code. */
const ROOT = rootAbove(new URL(".", import.meta.url));

function rootAbove(folder: URL): URL {
  if (existsSync(new URL("package.json", folder))) return folder;
  const above = new URL("..", folder);
  if (above.href === folder.href)
    throw new Error("package.json of Raft3D is missing: reinstall it");
  return rootAbove(above);
}

/** A file of this package, by its path from the package's root. */
export async function readPackageFile(path: string): Promise<Uint8Array> {
  return readFile(new URL(path, ROOT));
}

/** From package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL("package.json", ROOT), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string }; // npm insists on it
  return version;
}
