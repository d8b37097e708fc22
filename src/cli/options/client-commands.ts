// The commands that talk to a cluster, in the groups in which they share options.

export const READS = [
  "printers list",
  "printers get",
  "filaments list",
  "filaments get",
  "jobs list",
  "jobs get",
] as const;

export const LISTS = ["printers list", "filaments list", "jobs list"] as const;

/** What may be refused because the object has changed. */
export const CHANGES = [
  "printers update",
  "printers delete",
  "filaments update",
  "filaments delete",
  "jobs start",
  "jobs done",
  "jobs cancel",
] as const;

export const WRITES = ["printers create", "filaments create", "jobs create", ...CHANGES] as const;

export const CLIENTS = ["cluster status", ...READS, ...WRITES, "events tail"] as const;
