// Drives a machine as one node would: every command gets the next number and becomes the next
// entry.

import { nodeId } from "../../base/brand.ts";
import type { Command, Envelope } from "../command.ts";
import { encodeEnvelope } from "../envelope.ts";
import type { RecordedEvent } from "../event.ts";
import { Machine } from "../machine.ts";
import type { Applied, Rejection, Reply } from "../reply.ts";
import { MachineLoader, snapshotBlocks } from "../snapshot.ts";

export const NODE = nodeId(1);

export function makeEnvelope(over: Partial<Envelope> & { readonly command: Command }): Envelope {
  return {
    v: 1,
    node: NODE,
    start: 1,
    seq: 1,
    low: 1,
    at: 1_700_000_000_000,
    key: null,
    fingerprint: null,
    ...over,
  };
}

export class Script {
  readonly machine: Machine;
  /** Every entry applied, for another machine to apply. */
  readonly entries: Uint8Array[] = [];
  readonly events: RecordedEvent[] = [];
  #seq = 0;

  constructor(machine: Machine = Machine.empty()) {
    this.machine = machine;
  }

  /** Applies an entry of any content as the next one. */
  apply(data: Uint8Array): Applied {
    this.entries.push(data);
    const applied = this.machine.apply(this.machine.appliedIndex + 1, 1, data);
    if (applied.kind === "replied" && applied.event !== null) this.events.push(applied.event);
    return applied;
  }

  /** Proposes a command, unless `over` says otherwise under the next number. */
  propose(command: Command, over: Partial<Envelope> = {}): Applied {
    this.#seq += 1;
    const seq = this.#seq;
    const at = 1_700_000_000_000 + seq;
    return this.apply(encodeEnvelope(makeEnvelope({ command, seq, low: seq, at, ...over })));
  }

  /** The reply to a command that must get one. */
  reply(command: Command, over: Partial<Envelope> = {}): Reply {
    const applied = this.propose(command, over);
    if (applied.kind !== "replied") throw new Error(`no reply but ${applied.kind}`);
    return applied.reply;
  }

  /** Carries out a command that must be accepted, and gives the index of its entry. */
  accept(command: Command, over: Partial<Envelope> = {}): number {
    const reply = this.reply(command, over);
    if (!reply.ok) throw new Error(`refused: ${JSON.stringify(reply.rejection)}`);
    return this.machine.appliedIndex;
  }

  /** The refusal of a command that must be refused. */
  refuse(command: Command, over: Partial<Envelope> = {}): Rejection {
    const reply = this.reply(command, over);
    if (reply.ok) throw new Error(`accepted: ${JSON.stringify(reply.object)}`);
    return reply.rejection;
  }
}

/** A script in which these commands were accepted. */
export function scriptOf(...commands: readonly Command[]): Script {
  const script = new Script();
  for (const command of commands) script.accept(command);
  return script;
}

export function snapshotText(machine: Machine, blockBytes = 4096): string {
  const blocks = snapshotBlocks(machine.view(), blockBytes);
  return Array.from(blocks, (block) => new TextDecoder().decode(block)).join("");
}

export function loadText(text: string): Machine {
  const loader = new MachineLoader();
  loader.push(new TextEncoder().encode(text));
  return loader.finish();
}
