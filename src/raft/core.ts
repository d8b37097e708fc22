// The consensus core, as TypeScript sees it: etcd's RawNode in WebAssembly. The rules of this boundary
// (who owns what, in which order calls come, what a trap means) are in BOUNDARY.md.
//
// One Core is one WebAssembly instance and can host many raft groups. Every call is synchronous and runs
// to its end; nothing here is re-entrant, and the log callback must not throw.

import { assert, must, toError } from "../base/assert.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Random } from "../env/random.ts";
import {
  type ConfState,
  type GroupStatus,
  type HardState,
  type Ready,
  decodeReady,
  decodeStatus,
  readConfState,
  writeConfState,
} from "./messages.ts";
import { CoreTrap, panicLine } from "./trap.ts";
import { WasiHost } from "./wasi.ts";

/** Changes whenever core/abi.go does. */
const ABI_VERSION = 3;

/** A page of WebAssembly memory. */
const PAGE_BYTES = 65_536;
/** For a million entries of a few hundred bytes. What is never written to costs addresses, and no memory. */
const RESERVED_BYTES = 2 ** 30;

interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly _initialize: () => void;
  readonly core_abi: () => number;
  readonly core_mailbox: () => number;
  readonly core_input: (length: number) => void;
  readonly core_open: (length: number) => number;
  readonly core_load: (handle: number, length: number) => number;
  readonly core_start: (handle: number) => number;
  readonly core_close: (handle: number) => number;
  readonly core_tick: (handle: number) => number;
  readonly core_campaign: (handle: number) => number;
  readonly core_propose: (handle: number, length: number) => number;
  readonly core_step: (handle: number, from: number, length: number, snapshot: number) => number;
  readonly core_read_index: (handle: number, length: number) => number;
  readonly core_ready: (handle: number) => number;
  readonly core_appended: (handle: number, ticket: number) => number;
  readonly core_applied: (handle: number, ticket: number) => number;
  readonly core_snapshotted: (handle: number, length: number) => number;
  readonly core_compact: (handle: number, index: bigint) => number;
  readonly core_propose_conf_change: (handle: number, length: number) => number;
  readonly core_apply_conf_change: (handle: number, type: number, length: number) => number;
  readonly core_report_unreachable: (handle: number, id: number) => number;
  readonly core_report_snapshot: (handle: number, id: number, ok: number) => number;
  readonly core_transfer_leader: (handle: number, to: number) => number;
  readonly core_status: (handle: number) => number;
}

/** The words of core/abi.go's mailbox, in bytes from its address. */
const INPUT = 0;
const INPUT_BYTES = 4;
const OUTPUT = 8;
const OUTPUT_BYTES = 12;
const DUE = 16;

/** core/group.go's statuses below zero. */
const DROPPED = -1;
const REFUSALS: Readonly<Record<number, StepResult>> = {
  [DROPPED]: "dropped",
  [-2]: "malformed",
  [-3]: "refused",
  [-4]: "unknown-peer",
};

/** What became of a peer's message; everything but `taken` is counted and otherwise ignored. */
export type StepResult = "taken" | "dropped" | "malformed" | "refused" | "unknown-peer";

export interface GroupConfig {
  readonly id: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly messageBytesMax: number;
  readonly inflightMessagesMax: number;
  readonly uncommittedBytesMax: number;
  readonly committedBytesMax: number;
  /** The entry before the first one that `load` hands over. */
  readonly base: { readonly index: number; readonly term: number };
  /** The state the driver starts from; everything behind it is applied again. */
  readonly snapshot: { readonly index: number; readonly term: number };
  readonly confState: ConfState;
  readonly hardState: HardState;
}

export interface CoreHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Takes the memory that the core will need, before it starts: Go's runtime uses what it finds behind its own data
 * first (os_wasm.go, osinit) and grows the memory only after that. Each time it grows, V8 counts all of it as gone
 * and then as new, takes that for pressure by memory outside its heap, and collects garbage in the whole of its own.
 */
function reserve(memory: WebAssembly.Memory, bytes: number, logger: Logger): void {
  for (let wanted = bytes; wanted >= PAGE_BYTES; wanted /= 2) {
    try {
      memory.grow(wanted / PAGE_BYTES);
      if (wanted === bytes) return;
      const fields = { mib: wanted / (1 << 20), wanted_mib: bytes / (1 << 20) };
      return logger.warn("the system gives the core less memory than it asks for", fields);
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
    }
  }
  if (bytes > 0) logger.warn("the system gives the core no memory ahead of need", {});
}

export class Core {
  readonly #exports: CoreExports;
  readonly #wasi: WasiHost;
  readonly #scratch = new ByteWriter(4096);
  #mailbox = 0;
  // Views on the core's memory. It moves when it grows, and leaves views of no length behind.
  #bytes = new Uint8Array(0);
  #words = new DataView(this.#bytes.buffer);
  #reader = new ByteReader(this.#bytes);
  #dead: CoreTrap | null = null;

  /** Instantiates a compiled module and checks that it speaks this file's ABI. */
  static async instantiate(
    module: WebAssembly.Module,
    host: CoreHost,
    reservedBytes = RESERVED_BYTES,
  ): Promise<Core> {
    const wasi = new WasiHost(host.clock, host.random);
    const wanted = WebAssembly.Module.imports(module)
      .filter((entry) => entry.module === "wasi_snapshot_preview1")
      .map((entry) => entry.name);
    const slot: { core: Core | null } = { core: null };
    const instance = await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: wasi.imports(wanted),
      raft3d: {
        log: (level: number, at: number, length: number) =>
          slot.core?.log(host.logger, level, at, length),
      },
    });
    // The one cast of this boundary: core_abi, called below, vouches for the shape.
    const exports = instance.exports as unknown as CoreExports;
    reserve(exports.memory, reservedBytes, host.logger);
    wasi.attach(exports.memory);
    const core = new Core(exports, wasi);
    slot.core = core;
    core.call(() => (exports._initialize(), 0));
    const abi = core.call(() => exports.core_abi());
    assert(abi === ABI_VERSION, `core.wasm speaks ABI ${abi}, this build ${ABI_VERSION}: rebuild`);
    core.#mailbox = core.call(() => exports.core_mailbox()) >>> 0;
    return core;
  }

  private constructor(exports: CoreExports, wasi: WasiHost) {
    this.#exports = exports;
    this.#wasi = wasi;
  }

  /** Bytes of the instance's linear memory. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Opens a group with an empty log; `load` and `start` follow. */
  open(config: GroupConfig): Group {
    const w = this.#scratch.reset();
    w.u64(config.id).u32(config.electionTicks).u32(config.heartbeatTicks);
    w.u32(config.messageBytesMax).u32(config.inflightMessagesMax);
    w.u64(config.uncommittedBytesMax).u64(config.committedBytesMax);
    w.u64(config.base.index).u64(config.base.term);
    w.u64(config.snapshot.index).u64(config.snapshot.term);
    writeConfState(w, config.confState);
    w.u64(config.hardState.term).u64(config.hardState.vote).u64(config.hardState.commit);
    const length = this.put(w.view());
    const handle = this.call((x) => x.core_open(length));
    assert(handle >= 0, () => `the core refuses this group: ${this.errorText()}`);
    return new Group(this, handle);
  }

  /** Runs one exported function; whatever it throws kills the instance for good. */
  call(run: (exports: CoreExports) => number): number {
    if (this.#dead !== null) throw this.#dead;
    try {
      return run(this.#exports);
    } catch (thrown) {
      const cause = toError(thrown);
      const panic = panicLine(this.#wasi.stderr) ?? cause.message;
      this.#dead = new CoreTrap(panic, { cause });
      throw this.#dead;
    }
  }

  /** Copies an argument into the core and returns its length, for the call that follows at once. */
  put(bytes: Uint8Array): number {
    if (bytes.length > this.#word(INPUT_BYTES)) {
      this.call((x) => (x.core_input(bytes.length), 0));
    }
    const at = this.#word(INPUT); // looks at the memory, and so before it is written
    this.#bytes.set(bytes, at);
    return bytes.length;
  }

  /** The answer of the call before, where it lies: the next call overwrites it. */
  output(): ByteReader {
    const at = this.#word(OUTPUT);
    return this.#reader.seek(at, at + this.#word(OUTPUT_BYTES));
  }

  /** Whether the group called last has work for the host. */
  get isDue(): boolean {
    return this.#word(DUE) !== 0;
  }

  #word(offset: number): number {
    if (this.#bytes.length === 0) {
      const { buffer } = this.#exports.memory;
      this.#bytes = new Uint8Array(buffer);
      this.#words = new DataView(buffer);
      this.#reader = new ByteReader(this.#bytes);
    }
    return this.#words.getUint32(this.#mailbox + offset, true);
  }

  errorText(): string {
    const output = this.output();
    return new TextDecoder().decode(output.copy(output.left));
  }

  /** Called by the core. It must not throw: the exception would unwind through Go's stack. */
  private log(logger: Logger, levelAndHandle: number, at: number, length: number): void {
    try {
      const bytes = new Uint8Array(this.#exports.memory.buffer, at >>> 0, length).slice();
      const line = new TextDecoder().decode(bytes);
      const fields = { raft: line };
      switch (levelAndHandle & 0xff) {
        case 0:
        case 1:
          // Raft's own "info" is one line an election step: news for whoever hunts something.
          return logger.debug("raft", fields);
        case 2:
          return logger.warn("raft", fields);
        default:
          return logger.error("raft", fields);
      }
    } catch {
      // A logger that fails must not take consensus with it; there is nobody left to tell.
    }
  }
}

/** One raft group. Every method may throw CoreTrap, after which the instance is never used again. */
export class Group {
  readonly #core: Core;
  readonly #handle: number;
  readonly #scratch = new ByteWriter(4096);
  #isDue = false;

  constructor(core: Core, handle: number) {
    this.#core = core;
    this.#handle = handle;
  }

  /** Calls the core about this group, which may leave work to be taken. */
  #call(run: (exports: CoreExports) => number): number {
    const status = this.#core.call(run);
    this.#isDue = this.#core.isDue;
    return status;
  }

  #check(status: number, what: string): void {
    assert(status >= 0, () => `the core refuses to ${what}: ${this.#core.errorText()} (${status})`);
  }

  /** Hands over recovered entries, in the encoding of the log. Before `start` only. */
  load(entries: Uint8Array): void {
    const length = this.#core.put(entries);
    this.#check(
      this.#core.call((x) => x.core_load(this.#handle, length)),
      "load entries",
    );
  }

  start(): void {
    this.#check(
      this.#call((x) => x.core_start(this.#handle)),
      "start",
    );
  }

  close(): void {
    this.#check(
      this.#core.call((x) => x.core_close(this.#handle)),
      "close",
    );
  }

  tick(): void {
    this.#check(
      this.#call((x) => x.core_tick(this.#handle)),
      "tick",
    );
  }

  campaign(): boolean {
    return this.#call((x) => x.core_campaign(this.#handle)) >= 0;
  }

  /** Offers commands as one message. False: nothing was taken (no leader, or too much uncommitted). */
  propose(commands: readonly Uint8Array[]): boolean {
    const w = this.#scratch.reset().u32(commands.length);
    for (const command of commands) w.sized(command);
    const length = this.#core.put(w.view());
    const status = this.#call((x) => x.core_propose(this.#handle, length));
    if (status === DROPPED) return false;
    this.#check(status, "take a proposal");
    return true;
  }

  /** Takes a peer's message. A MsgSnap only with `snapshotDurable`: its file is here and synced. */
  step(from: number, message: Uint8Array, snapshotDurable = false): StepResult {
    const length = this.#core.put(message);
    const status = this.#call((x) =>
      x.core_step(this.#handle, from, length, snapshotDurable ? 1 : 0),
    );
    if (status >= 0) return "taken";
    return must(REFUSALS[status], `meaning of status ${status}`);
  }

  /** Asks for a read state; `context` must never have been used before, by any node, in any attempt. */
  readIndex(context: Uint8Array): void {
    const length = this.#core.put(context);
    this.#check(
      this.#call((x) => x.core_read_index(this.#handle, length)),
      "read",
    );
  }

  /** The work that is due; null when there is none. Call until null. */
  ready(): Ready | null {
    if (!this.#isDue) return null;
    const length = this.#call((x) => x.core_ready(this.#handle));
    this.#check(length, "say what is due");
    return decodeReady(this.#core.output());
  }

  /** Every append up to `ticket` is durable. */
  appended(ticket: number): void {
    this.#check(
      this.#call((x) => x.core_appended(this.#handle, ticket)),
      "go on",
    );
  }

  /** Every batch of committed entries up to `ticket` is applied. */
  applied(ticket: number): void {
    this.#check(
      this.#call((x) => x.core_applied(this.#handle, ticket)),
      "go on",
    );
  }

  /** A snapshot of the state at `index`, with the configuration of that index, is durable. */
  snapshotted(index: number, confState: ConfState): void {
    const w = this.#scratch.reset().u64(index);
    writeConfState(w, confState);
    const length = this.#core.put(w.view());
    this.#check(
      this.#call((x) => x.core_snapshotted(this.#handle, length)),
      "note a snapshot",
    );
  }

  /** Forgets the entries up to and including `index`, which a snapshot must hold. */
  compact(index: number): void {
    this.#check(
      this.#call((x) => x.core_compact(this.#handle, BigInt(index))),
      "compact",
    );
  }

  proposeConfChange(change: Uint8Array): boolean {
    const length = this.#core.put(change);
    return this.#call((x) => x.core_propose_conf_change(this.#handle, length)) >= 0;
  }

  applyConfChange(entryType: number, data: Uint8Array): ConfState {
    const length = this.#core.put(data);
    const status = this.#call((x) => x.core_apply_conf_change(this.#handle, entryType, length));
    this.#check(status, "change the configuration");
    return readConfState(this.#core.output());
  }

  reportUnreachable(id: number): void {
    this.#call((x) => x.core_report_unreachable(this.#handle, id));
  }

  reportSnapshot(id: number, ok: boolean): void {
    this.#call((x) => x.core_report_snapshot(this.#handle, id, ok ? 1 : 0));
  }

  transferLeader(to: number): void {
    this.#call((x) => x.core_transfer_leader(this.#handle, to));
  }

  status(): GroupStatus {
    const length = this.#call((x) => x.core_status(this.#handle));
    this.#check(length, "tell its status");
    return decodeStatus(this.#core.output());
  }
}
