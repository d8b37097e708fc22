// What a core hands out and what a disk gives back, for tests of those who watch: forged, entry by entry.

import { ByteWriter, encodeUtf8 } from "../../base/bytes.ts";
import {
  ENTRY_NORMAL,
  type RaftRole,
  type Ready,
  type SnapshotPoint,
} from "../../raft/messages.ts";

export interface ForgedEntry {
  readonly index: number;
  readonly term: number;
  readonly type?: number;
  readonly data?: string;
}

export function blockOf(entries: readonly ForgedEntry[]): Uint8Array {
  const writer = new ByteWriter(256).u32(entries.length);
  for (const { index, term, type = ENTRY_NORMAL, data = `entry ${index}` } of entries) {
    writer.u64(index).u64(term).u8(type).sized(encodeUtf8(data));
  }
  return writer.take();
}

interface Forged {
  readonly role?: RaftRole;
  readonly term?: number;
  readonly entries?: readonly ForgedEntry[];
  readonly snapshot?: Pick<SnapshotPoint, "index" | "term">;
}

/** A Ready that wants this written; without entries and a snapshot, nothing. */
export function readyWith({ role = "follower", term = 2, entries = [], snapshot }: Forged): Ready {
  const confState = {
    voters: [1, 2, 3],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const append = {
    ticket: 1,
    hardState: null,
    mustSync: true,
    snapshot: snapshot === undefined ? null : { ...snapshot, confState },
    entries: blockOf(entries),
    entryCount: entries.length,
  };
  const isEmpty = entries.length === 0 && snapshot === undefined;
  return {
    role,
    leader: 0,
    hardState: { term, vote: 0, commit: 0 },
    readStates: [],
    messages: [],
    append: isEmpty ? null : append,
    apply: null,
  };
}
