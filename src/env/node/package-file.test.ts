import { expect, test } from "vitest";
import { packageVersion, readPackageFile } from "./package-file.ts";

test("the version is the package's", () => {
  expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+$/);
});

test("a file of the package is found from its root", async () => {
  expect(new TextDecoder().decode(await readPackageFile("package.json"))).toContain(`"raft3d"`);
});
