// A short round of the nemesis, as `npm run nemesis` starts it. Long ones are run by hand (docs/testing.md).

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const NEMESIS = fileURLToPath(new URL("../nemesis/main.ts", import.meta.url));
const FAULTS = "kill,pause,partition,loss,failed-sync,full-disk,clock-jump";

test("a round of faults, drawn from a fixed seed, finds nothing wrong", async () => {
  const args = [
    "--import",
    "tsx",
    NEMESIS,
    "--rounds=1",
    "--seed=182",
    "--nodes=3",
    "--episodes=3",
  ];
  const { code, out } = await new Promise<{ code: unknown; out: string }>((done) => {
    execFile(process.execPath, [...args, `--faults=${FAULTS}`], (error, stdout, stderr) =>
      done({ code: error === null ? 0 : error.code, out: `${stdout}${stderr}` }),
    );
  });
  expect(out).toContain("1 held, 0 failed");
  expect(out).toMatch(/seed 182: held \(linearizable, /);
  expect(code).toBe(0);
});
