// A failed test is told together with what its nodes logged: there is no second chance to look.

import { afterEach } from "vitest";
import { takeLogs } from "./process-cluster.ts";

// Registered before those of the suites, and so run after them, when the nodes have ended.
afterEach(({ task }) => {
  const logs = takeLogs();
  if (task.result?.state === "fail") process.stderr.write(`${task.name}:\n${logs}\n`);
});
