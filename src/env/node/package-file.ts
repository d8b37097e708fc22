import { readFile } from "node:fs/promises";

/** A file of this package, by its path from the package's root (src/ and dist/ lie equally deep). */
export async function readPackageFile(path: string): Promise<Uint8Array> {
  return readFile(new URL(`../../../${path}`, import.meta.url));
}
