import { defineConfig } from "vitest/config";

// Suites with real processes wait on conditions; these bounds end a hang, they measure nothing.
const BOUND_MS = 180_000;

const shared = { pool: "forks", testTimeout: BOUND_MS, hookTimeout: BOUND_MS } as const;

export default defineConfig({
  test: {
    reporters: ["default", "./tools/closing-line.mjs"],
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          // A process for each of a hundred files would take half of the time to start.
          isolate: false,
          // Each process is given its files at the start: more of them than cores share the work better.
          maxWorkers: 4,
          include: ["src/**/*.test.ts", "test/*.test.ts"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Clusters of real processes. They wait more than they work, so two share two cores well; more
        // would only take each other's time.
        test: {
          ...shared,
          name: "system",
          include: ["test/system/*.test.ts"],
          setupFiles: ["test/system/log-failures.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
