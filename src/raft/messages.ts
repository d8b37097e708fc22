// What crosses the boundary of the core, decoded. Numbers, byte arrays and `T | null` only; byte arrays
// are copies, because the core's memory moves when it grows. The wire form is core/codec.go's.

import { ByteReader, type ByteWriter } from "../base/bytes.ts";

export const ROLES = ["follower", "candidate", "leader", "pre-candidate"] as const;
export type RaftRole = (typeof ROLES)[number];

/** raftpb.EntryType. */
export const ENTRY_NORMAL = 0;

/** raftpb.MessageType, as far as the driver must tell messages apart. */
export const MSG_APP = 3;
export const MSG_SNAP = 7;
/** core/codec.go: set in the type of a message that may wait. */
const MAY_WAIT = 0x80;

export interface HardState {
  readonly term: number;
  /** The node voted for in this term; 0 for none. */
  readonly vote: number;
  readonly commit: number;
}

/** raftpb.ConfState: who votes, who learns, and the outgoing half of a joint configuration. */
export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
}

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface OutgoingMessage {
  readonly to: number;
  readonly type: number;
  readonly term: number;
  /** Of a snapshot message: the snapshot's index and term. */
  readonly index: number;
  readonly logTerm: number;
  /** It tells a commit index and nothing else: nobody misses it once a newer append to the same node leaves. */
  readonly mayWait: boolean;
  readonly bytes: Uint8Array;
}

/** A storage write the core waits for. Its answers stay in the core until `appended(ticket)`. */
export interface AppendWork {
  readonly ticket: number;
  readonly hardState: HardState | null;
  /** Entries, a snapshot, or a new term or vote: `appended` may only follow a sync. */
  readonly mustSync: boolean;
  readonly snapshot: SnapshotPoint | null;
  /** The encoded block, as the log stores it; `count` entries, the last one at `lastIndex`. */
  readonly entries: Uint8Array;
  readonly entryCount: number;
}

export interface SnapshotPoint {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export interface ApplyWork {
  readonly ticket: number;
  readonly entries: readonly Entry[];
}

export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

/** Everything that became due at once; the parts may be carried out as BOUNDARY.md says. */
export interface Ready {
  readonly role: RaftRole;
  /** 0: none known. */
  readonly leader: number;
  readonly hardState: HardState;
  readonly readStates: readonly ReadState[];
  readonly messages: readonly OutgoingMessage[];
  readonly append: AppendWork | null;
  readonly apply: ApplyWork | null;
}

export interface PeerProgress {
  readonly id: number;
  readonly match: number;
  readonly next: number;
  /** 0 probe, 1 replicate, 2 snapshot (tracker.StateType). */
  readonly state: number;
  readonly recentlyActive: boolean;
}

export interface GroupStatus {
  readonly role: RaftRole;
  readonly leader: number;
  readonly hardState: HardState;
  /** The node leadership is being handed to; 0 for none. */
  readonly transferee: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly confState: ConfState;
  /** On the leader, every member; elsewhere empty. */
  readonly progress: readonly PeerProgress[];
}

export function writeConfState(writer: ByteWriter, conf: ConfState): void {
  for (const ids of [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext]) {
    writer.u32(ids.length);
    for (const id of ids) writer.u64(id);
  }
  writer.u8(conf.autoLeave ? 1 : 0);
}

export function readConfState(reader: ByteReader): ConfState {
  const ids = (): number[] => Array.from({ length: reader.u32() }, () => reader.u64());
  return {
    voters: ids(),
    learners: ids(),
    votersOutgoing: ids(),
    learnersNext: ids(),
    autoLeave: reader.u8() !== 0,
  };
}

function readHardState(reader: ByteReader): HardState {
  return { term: reader.u64(), vote: reader.u64(), commit: reader.u64() };
}

/** Reads entries as core/codec.go writes them; `data` shares the reader's memory. */
export function readEntries(reader: ByteReader): Entry[] {
  const count = reader.u32();
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    entries.push({
      index: reader.u64(),
      term: reader.u64(),
      type: reader.u8(),
      data: reader.sized(),
    });
  }
  return entries;
}

/** Copies what it keeps: `reader` may read from the core's memory, which the next call overwrites. */
export function decodeReady(reader: ByteReader): Ready {
  const role = ROLES[reader.u8()] ?? "follower";
  const leader = reader.u64();
  const hardState = readHardState(reader);
  const readStates: ReadState[] = [];
  for (let n = reader.u32(); n > 0; n--) {
    readStates.push({ index: reader.u64(), context: reader.sizedCopy() });
  }
  const messages: OutgoingMessage[] = [];
  for (let n = reader.u32(); n > 0; n--) {
    const to = reader.u64();
    const type = reader.u8();
    messages.push({
      to,
      type: type & ~MAY_WAIT,
      mayWait: (type & MAY_WAIT) !== 0,
      term: reader.u64(),
      index: reader.u64(),
      logTerm: reader.u64(),
      bytes: reader.sizedCopy(),
    });
  }
  const append = reader.u8() === 0 ? null : readAppend(reader);
  const apply = reader.u8() === 0 ? null : readApply(reader);
  return { role, leader, hardState, readStates, messages, append, apply };
}

function readAppend(reader: ByteReader): AppendWork {
  const ticket = reader.u32();
  const hardState = reader.u8() === 0 ? null : readHardState(reader);
  const mustSync = reader.u8() !== 0;
  const snapshot =
    reader.u8() === 0
      ? null
      : { index: reader.u64(), term: reader.u64(), confState: readConfState(reader) };
  const entryCount = reader.u32();
  return { ticket, hardState, mustSync, snapshot, entryCount, entries: reader.sizedCopy() };
}

function readApply(reader: ByteReader): ApplyWork {
  return { ticket: reader.u32(), entries: readEntries(new ByteReader(reader.sizedCopy())) };
}

export function decodeStatus(reader: ByteReader): GroupStatus {
  return {
    role: ROLES[reader.u8()] ?? "follower",
    leader: reader.u64(),
    hardState: readHardState(reader),
    transferee: reader.u64(),
    firstIndex: reader.u64(),
    lastIndex: reader.u64(),
    snapshotIndex: reader.u64(),
    confState: readConfState(reader),
    progress: Array.from({ length: reader.u32() }, () => ({
      id: reader.u64(),
      match: reader.u64(),
      next: reader.u64(),
      state: reader.u8(),
      recentlyActive: reader.u8() !== 0,
    })),
  };
}
