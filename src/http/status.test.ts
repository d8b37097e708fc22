import { describe, expect, it } from "vitest";

import { jobStatus } from "./status.ts";

describe("the status as people write it", () => {
  it.each([
    ["Queued", "Queued"],
    ["running", "Running"],
    ["DONE", "Done"],
    ["canceled", "Canceled"],
    ["Cancelled", "Canceled"],
    ['"running"', "Running"],
    ["'Running'", "Running"],
    ["“running”", "Running"],
    ["%22running%22", "Running"],
    ["%27RUNNING%27", "Running"],
    ['"running', "Running"],
    [`"'done'"`, "Done"],
  ])("%j means %s", (written, status) => {
    expect(jobStatus(written)).toBe(status);
  });

  it.each([
    "",
    '""',
    "run",
    "running done",
    "Finished",
    "run'ning",
    `${'"'.repeat(40)}done`,
    "constructor",
  ])("%j means nothing", (written) => {
    expect(jobStatus(written)).toBeNull();
  });
});
