// Options of the commands about printers, filaments and print jobs.

import { PAGE_ROWS_MAX } from "../../base/limits.ts";
import { CHANGES, LISTS, WRITES } from "./client-commands.ts";
import type { OptionRow } from "./row.ts";

const PRINTERS = { scope: "printers", section: "The printer" } as const;
const FILAMENTS = { scope: "filaments", section: "The spool" } as const;
const JOBS = { scope: "jobs", section: "The print job" } as const;
const TEXT = { kind: "text", value: "TEXT" } as const;
const WEIGHT = { kind: "count", value: "GRAMS" } as const;
const NEW_ID = {
  name: "id",
  kind: "text",
  value: "ID",
  help: "Its id; without one the cluster assigns the next number.",
} as const;
const COMPANY = { ...PRINTERS, ...TEXT, name: "company", help: "Who made it." } as const;
const MODEL = { ...PRINTERS, ...TEXT, name: "model", help: "Which one it is." } as const;
const TYPE = { ...FILAMENTS, ...TEXT, name: "type", help: "PLA, PETG, ABS or TPU." } as const;
const COLOR = { ...FILAMENTS, ...TEXT, name: "color", help: "Its color." } as const;
const TOTAL = {
  ...FILAMENTS,
  ...WEIGHT,
  name: "total-weight",
  min: 1,
  help: "Weight of the filament when the spool is full.",
} as const;
const REMAINING = { ...FILAMENTS, ...WEIGHT, name: "remaining-weight" } as const;
const FILTER = { scope: "jobs-list", section: "Which", kind: "list", value: "LIST" } as const;

export const FARM_ROWS = [
  { ...PRINTERS, ...NEW_ID, commands: ["printers create"] },
  { ...COMPANY, commands: ["printers create"], required: true },
  { ...MODEL, commands: ["printers create"], required: true },
  { ...COMPANY, commands: ["printers update"] },
  { ...MODEL, commands: ["printers update"] },

  { ...FILAMENTS, ...NEW_ID, commands: ["filaments create"] },
  { ...TYPE, commands: ["filaments create"], required: true },
  { ...COLOR, commands: ["filaments create"], required: true },
  { ...TOTAL, commands: ["filaments create"], required: true },
  {
    ...REMAINING,
    commands: ["filaments create"],
    help: "What is left of it; all of it if not given.",
  },
  { ...TYPE, commands: ["filaments update"] },
  { ...COLOR, commands: ["filaments update"] },
  { ...TOTAL, commands: ["filaments update"] },
  { ...REMAINING, commands: ["filaments update"], help: "What is left of it." },

  { ...JOBS, ...NEW_ID, commands: ["jobs create"] },
  {
    ...JOBS,
    name: "printer",
    kind: "text",
    value: "ID",
    required: true,
    commands: ["jobs create"],
    help: "The printer to print on.",
  },
  {
    ...JOBS,
    name: "filament",
    kind: "text",
    value: "ID",
    required: true,
    commands: ["jobs create"],
    help: "The spool to print from.",
  },
  {
    ...JOBS,
    name: "filepath",
    kind: "text",
    value: "PATH",
    required: true,
    commands: ["jobs create"],
    help: "What to print.",
  },
  {
    ...JOBS,
    ...WEIGHT,
    name: "weight",
    required: true,
    min: 1,
    commands: ["jobs create"],
    help: "How much filament it takes.",
  },

  {
    ...FILTER,
    name: "status",
    commands: ["jobs list"],
    help: "Only jobs in one of these: queued, running, done, canceled.",
  },
  {
    ...FILTER,
    name: "printer",
    commands: ["jobs list"],
    help: "Only jobs of one of these printers.",
  },
  {
    ...FILTER,
    name: "filament",
    commands: ["jobs list"],
    help: "Only jobs on one of these spools.",
  },
  {
    name: "limit",
    kind: "count",
    value: "N",
    min: 1,
    max: 10_000_000,
    commands: LISTS,
    section: "Which",
    help: `At most so many rows, the oldest first. (all with --json, else ${PAGE_ROWS_MAX})`,
  },

  {
    name: "if-match",
    kind: "text",
    value: "VERSION",
    commands: CHANGES,
    scope: "client",
    help: "Only if the object still has this version; see `get`.",
  },
  {
    name: "idempotency-key",
    kind: "text",
    value: "KEY",
    commands: WRITES,
    scope: "client",
    help: "Repeats a write whose outcome is not known, under the key it was sent with. Without it every write gets a new key.",
  },
] as const satisfies readonly OptionRow[];
