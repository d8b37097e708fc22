// Replicas in one process for tests: the real core, the real state machine, and a host whose disk and
// network the test moves by hand.

import { readFileSync } from "node:fs";
import { assert, must } from "../../base/assert.ts";
import { type NodeId, nodeId } from "../../base/brand.ts";
import { ByteReader } from "../../base/bytes.ts";
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import type { Command } from "../../fsm/command.ts";
import { Machine } from "../../fsm/machine.ts";
import { MachineLoader, snapshotBlocks } from "../../fsm/snapshot.ts";
import { Core, type Group } from "../../raft/core.ts";
import { type ConfState, type HardState, readEntries } from "../../raft/messages.ts";
import { foundedConfig, votersOnly } from "../../raft/testing/group-config.ts";
import type { BarrierResult, IdempotencyKey, SubmitResult } from "../api.ts";
import { Compaction } from "../compaction.ts";
import { Replica, type ReplicaTimes } from "../replica.ts";
import type { Effect, Input } from "../steps.ts";

export const TIMES: ReplicaTimes = {
  leaderWait: 60,
  settle: 100,
  repeat: 20,
  readRetry: 4,
  diskStall: 200,
};

const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

const still: Clock = {
  monotonicMs: () => 0,
  wallMs: () => 0,
  after: () => ({ cancel: () => undefined }),
  defer: () => undefined,
};

let module: WebAssembly.Module | null = null;

/** One core instance for a whole test cluster; its chance is a fixed sequence. */
export async function makeCore(): Promise<Core> {
  const wasm = new URL("../../../dist/core.wasm", import.meta.url);
  module ??= await WebAssembly.compile(readFileSync(wasm));
  let state = 1;
  const u32 = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  const fill = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = u32() >>> 24;
  };
  return Core.instantiate(module, { clock: still, random: { u32, fill }, logger: quiet });
}

type SendEffect = Extract<Effect, { kind: "send" }>;
type AppendEffect = Extract<Effect, { kind: "append" }>;

/** One replica and what its host has done so far. */
export class Host {
  readonly id: NodeId;
  readonly effects: Effect[] = [];
  readonly replies = new Map<number, SubmitResult>();
  readonly reads = new Map<number, BarrierResult>();
  /** What a disk would hold. */
  entries = new Map<number, { index: number; term: number; type: number; data: Uint8Array }>();
  hardState: HardState = { term: 1, vote: 0, commit: 1 };
  /** While true, appends are kept under way instead of turning durable at once. */
  holdDisk = false;
  pendingAppends: AppendEffect[] = [];
  replica: Replica;
  #nextRequest = 1;

  constructor(id: NodeId, replica: Replica) {
    this.id = id;
    this.replica = replica;
  }

  submit(command: Command, key: IdempotencyKey | null = null): number {
    const request = this.#nextRequest++;
    this.step({ kind: "submit", request, command, key, at: 1000 });
    return request;
  }

  read(): number {
    const request = this.#nextRequest++;
    this.step({ kind: "read", request });
    return request;
  }

  step(...inputs: Input[]): void {
    const effects = this.replica.step(inputs);
    this.effects.push(...effects);
    for (const effect of effects) this.#note(effect);
    while (this.replica.hasMore) this.step();
  }

  #note(effect: Effect): void {
    if (effect.kind === "append") this.pendingAppends.push(effect);
    if (effect.kind === "reply") {
      assert(!this.replies.has(effect.request), `request ${effect.request} answered twice`);
      this.replies.set(effect.request, effect.result);
    }
    if (effect.kind === "readable") {
      assert(!this.reads.has(effect.request), `read ${effect.request} answered twice`);
      this.reads.set(effect.request, effect.result);
    }
  }

  /** Lets the appends under way turn durable. */
  syncDisk(): void {
    const appends = this.pendingAppends;
    this.pendingAppends = [];
    for (const append of appends) {
      for (const entry of readEntries(new ByteReader(append.entries))) {
        for (const index of this.entries.keys()) {
          if (index >= entry.index) this.entries.delete(index);
        }
        this.entries.set(entry.index, { ...entry, data: entry.data.slice() });
      }
      this.hardState = append.hardState;
    }
    const last = appends.at(-1);
    if (last !== undefined) this.step({ kind: "appended", ticket: last.ticket });
  }

  takeSends(): SendEffect[] {
    const sends = this.effects.filter((effect) => effect.kind === "send");
    const rest = this.effects.filter((effect) => effect.kind !== "send");
    this.effects.length = 0;
    this.effects.push(...rest);
    return sends;
  }
}

export interface HarnessOptions {
  readonly snapshotEntries?: number;
  readonly trailingEntries?: number;
}

export class Harness {
  readonly core: Core;
  readonly hosts = new Map<NodeId, Host>();
  readonly cut = new Set<NodeId>();
  /** Called for each message; false loses it. */
  passes: (from: NodeId, to: NodeId, bytes: Uint8Array, brings: SendEffect["brings"]) => boolean =
    () => true;
  /** While true, nobody says `apply`: what is committed is applied by those alone who have a reason of their own. */
  holdsBack = false;
  readonly #options: HarnessOptions;
  readonly #ids: readonly NodeId[];
  #starts = 0;

  static async make(size: number, options: HarnessOptions = {}): Promise<Harness> {
    return new Harness(await makeCore(), size, options);
  }

  private constructor(core: Core, size: number, options: HarnessOptions) {
    this.core = core;
    this.#options = options;
    this.#ids = Array.from({ length: size }, (_, i) => nodeId(i + 1));
    for (const id of this.#ids) this.hosts.set(id, new Host(id, this.#replica(id, null)));
  }

  get confState(): ConfState {
    return votersOnly(...this.#ids);
  }

  host(id: number): Host {
    return must(this.hosts.get(nodeId(id)), `host ${id}`);
  }

  get all(): Host[] {
    return [...this.hosts.values()];
  }

  #replica(id: NodeId, host: Host | null): Replica {
    const { snapshotEntries = 1_000_000, trailingEntries = 100 } = this.#options;
    const machine = Machine.empty();
    machine.applyEmpty(1, 1);
    const config = foundedConfig(id, this.confState);
    const group: Group = this.core.open({
      ...config,
      hardState: host?.hardState ?? config.hardState,
    });
    if (host !== null) group.load(encodeEntries([...host.entries.values()]));
    group.start();
    this.#starts += 1;
    return new Replica({
      session: { node: id, start: this.#starts },
      group,
      machine,
      confState: this.confState,
      times: TIMES,
      compaction: new Compaction({
        nodeId: nodeId(id),
        snapshotEntries,
        trailingEntries,
        snapshotIndex: 1,
      }),
    });
  }

  /** Starts a node again from what its disk holds. Whatever waited in the old process is gone. */
  restart(id: number): void {
    const host = this.host(id);
    host.pendingAppends = [];
    host.effects.length = 0;
    host.replica = this.#replica(host.id, host);
    host.step();
  }

  /** Carries messages and writes until nothing moves any more. */
  settle(): void {
    for (let busy = true; busy;) {
      busy = false;
      for (const host of this.all) {
        if (!host.holdDisk && host.pendingAppends.length > 0) {
          host.syncDisk();
          busy = true;
        }
        for (const { to, brings, bytes } of host.takeSends()) {
          busy = true;
          const lost = this.cut.has(host.id) || this.cut.has(to);
          if (lost || !this.passes(host.id, to, bytes, brings)) continue;
          this.host(to).step({ kind: "message", from: host.id, bytes });
        }
        if (this.#carrySnapshots(host)) busy = true;
        if (!this.holdsBack && host.replica.holdsBack) {
          host.step({ kind: "apply" });
          busy = true;
        }
      }
    }
  }

  #carrySnapshots(host: Host): boolean {
    const taken = host.effects.filter((one) => one.kind === "take-snapshot");
    const sent = host.effects.filter((one) => one.kind === "send-snapshot");
    if (taken.length + sent.length === 0) return false;
    const rest = host.effects.filter(
      (one) => one.kind !== "take-snapshot" && one.kind !== "send-snapshot",
    );
    host.effects.length = 0;
    host.effects.push(...rest);
    for (const { point, view } of taken) {
      const blocks = Array.from(snapshotBlocks(view, 4096), (block) => block.slice());
      this.snapshots.set(point.index, blocks);
      host.step({ kind: "snapshot-taken", point });
    }
    for (const { to, index, term, message } of sent) {
      const reachable = !this.cut.has(host.id) && !this.cut.has(to);
      if (reachable) {
        const loader = new MachineLoader();
        for (const block of must(this.snapshots.get(index), "snapshot")) loader.push(block);
        const machine = loader.finish();
        this.host(to).step({
          kind: "snapshot-received",
          from: host.id,
          message,
          index,
          term,
          machine,
        });
      }
      host.step({ kind: "snapshot-sent", to, index, ok: reachable });
    }
    return true;
  }

  /** The snapshot "files" of the whole cluster, by index: equal on every node. */
  readonly snapshots = new Map<number, Uint8Array[]>();

  tick(count = 1): void {
    for (let n = 0; n < count; n++) {
      for (const host of this.all) host.step({ kind: "tick" });
      this.settle();
    }
  }

  /** Ticks until some node leads, and returns it. */
  elect(): Host {
    for (let n = 0; n < 100; n++) {
      const leader = this.all.find(
        (host) => host.replica.role === "leader" && !this.cut.has(host.id),
      );
      if (leader !== undefined) return leader;
      this.tick();
    }
    throw new Error("no leader after 100 ticks");
  }
}

export function encodeEntries(
  entries: readonly { index: number; term: number; type: number; data: Uint8Array }[],
): Uint8Array {
  const sorted = entries.toSorted((a, b) => a.index - b.index);
  const size = sorted.reduce((sum, entry) => sum + 21 + entry.data.length, 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, sorted.length, true);
  let at = 4;
  for (const { index, term, type, data } of sorted) {
    view.setBigUint64(at, BigInt(index), true);
    view.setBigUint64(at + 8, BigInt(term), true);
    view.setUint8(at + 16, type);
    view.setUint32(at + 17, data.length, true);
    bytes.set(data, at + 21);
    at += 21 + data.length;
  }
  return bytes;
}
