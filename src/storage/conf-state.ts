// A configuration of the cluster as the log and the snapshots store it. The binary form is that of
// core/codec.go, because the core hands it over and takes it back.

import { assert } from "../base/assert.ts";
import { type ByteReader, type ByteWriter, ShortInputError } from "../base/bytes.ts";

/** raftpb.ConfState: who votes, who learns, and the outgoing half of a joint configuration. */
export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
}

const LISTS = ["voters", "learners", "votersOutgoing", "learnersNext"] as const;

export function encodeConfState(writer: ByteWriter, conf: ConfState): void {
  for (const list of LISTS) {
    writer.u32(conf[list].length);
    for (const id of conf[list]) writer.u64(id);
  }
  writer.u8(conf.autoLeave ? 1 : 0);
}

/** Throws ShortInputError where the input ends early, AssertionError where it is no configuration. */
export function decodeConfState(reader: ByteReader): ConfState {
  const [voters, learners, votersOutgoing, learnersNext] = [
    decodeIds(reader),
    decodeIds(reader),
    decodeIds(reader),
    decodeIds(reader),
  ];
  const autoLeave = reader.u8();
  assert(autoLeave <= 1, "auto-leave is neither 0 nor 1");
  return { voters, learners, votersOutgoing, learnersNext, autoLeave: autoLeave === 1 };
}

function decodeIds(reader: ByteReader): number[] {
  const count = reader.u32();
  // Checked before anything is allocated: the count may be anything.
  if (count * 8 > reader.left) throw new ShortInputError(`${count} ids do not fit`);
  return Array.from({ length: count }, () => reader.u64());
}

/** The form it has in a snapshot's JSON header. */
export function confStateToJson(conf: ConfState): Readonly<Record<string, unknown>> {
  return {
    voters: conf.voters,
    learners: conf.learners,
    voters_outgoing: conf.votersOutgoing,
    learners_next: conf.learnersNext,
    auto_leave: conf.autoLeave,
  };
}

/** Null where it is not a configuration. */
export function confStateFromJson(value: unknown): ConfState | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Readonly<Record<string, unknown>>; // an object, checked just now
  const { voters, learners, voters_outgoing, learners_next, auto_leave } = fields;
  if (typeof auto_leave !== "boolean") return null;
  if (!isIds(voters) || !isIds(learners) || !isIds(voters_outgoing) || !isIds(learners_next)) {
    return null;
  }
  return {
    voters,
    learners,
    votersOutgoing: voters_outgoing,
    learnersNext: learners_next,
    autoLeave: auto_leave,
  };
}

function isIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id > 0);
}
