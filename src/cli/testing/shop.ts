// A small history as a node makes it: commands through the state machine, events out of it.

import { nodeId } from "../../base/brand.ts";
import { COMMAND_VERSION, type Command, type Envelope } from "../../fsm/command.ts";
import { encodeEnvelope } from "../../fsm/envelope.ts";
import { Machine } from "../../fsm/machine.ts";
import { eventLine } from "../../node/event-line.ts";

const PRINTER = { kind: "create-printer", id: null, company: "Prusa", model: "MK4" } as const;
const SPOOL = {
  kind: "create-filament",
  id: "red",
  type: "PLA",
  color: "red",
  total_weight_in_grams: 1000,
  remaining_weight_in_grams: 900,
} as const;
const JOB = {
  kind: "create-job",
  id: null,
  printer_id: 1,
  filament_id: "red",
  filepath: "a.gcode",
  print_weight_in_grams: 80,
} as const;

/** One of every event; the refused ones and the empty entry make gaps between their indexes. */
const COMMANDS: readonly (Command | null)[] = [
  PRINTER,
  { kind: "update-printer", key: "1", expected: null, changes: { model: "MK4S" } },
  PRINTER,
  SPOOL,
  SPOOL, // refused: the id is taken
  JOB,
  null,
  JOB,
  { kind: "change-job-status", key: "1", expected: null, to: "Running" },
  { kind: "change-job-status", key: "1", expected: null, to: "Done" },
  { kind: "change-job-status", key: "1", expected: null, to: "Running" }, // refused: it is done
  { kind: "change-job-status", key: "2", expected: null, to: "Canceled" },
  { kind: "update-filament", key: "red", expected: null, changes: { color: "dark red" } },
  { kind: "delete-printer", key: "2", expected: null },
];

export interface Shop {
  readonly machine: Machine;
  /** With their index; without the checksum that the event log on disk adds. */
  readonly lines: readonly { readonly index: number; readonly text: string }[];
}

export function openShop(): Shop {
  const machine = Machine.empty();
  machine.applyEmpty(1, 1);
  const lines: { index: number; text: string }[] = [];
  for (const [at, command] of COMMANDS.entries()) {
    const index = at + 2;
    if (command === null) {
      machine.applyEmpty(index, 1);
      continue;
    }
    const envelope: Envelope = {
      v: COMMAND_VERSION,
      node: nodeId(1),
      start: 1,
      seq: index,
      low: 1,
      at: 1_700_000_000_000 + index,
      key: null,
      fingerprint: null,
      command,
    };
    const applied = machine.apply(index, 1, encodeEnvelope(envelope));
    if (applied.kind !== "replied" || applied.event === null) continue;
    lines.push(eventLine({ recorded: applied.event, digest: machine.farm.digest() }));
  }
  return { machine, lines };
}
