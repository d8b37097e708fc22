// Snapshots between the state machine, the disk and the other nodes. The replica decides when; here is how.
//
// A local snapshot, in this order, so that a crash between any two steps restarts cleanly:
//   1. events up to its index durable   (a restart replays the log only from the snapshot on)
//   2. the file, synced, under its name (storage)
//   3. a mark in the log, synced        (a file without a mark is a stray and is removed at the start)
//   4. the core told, older entries and files let go
// A received one: 2 by the transport's sink, then raft decides, then 3 as its append, then the machine is
// replaced and the core told (replica.ts, #install; etcd's order: raft.go, storage.go, issue 10219).

import { toError } from "../base/assert.ts";
import { type LogIndex, type NodeId, type Term, logIndex, term as asTerm } from "../base/brand.ts";
import { SNAPSHOTS_KEPT, SNAPSHOT_BLOCK_BYTES } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Machine, MachineView } from "../fsm/machine.ts";
import { MachineLoader, snapshotParts } from "../fsm/snapshot.ts";
import type { SnapshotPoint } from "../raft/messages.ts";
import { releaseIndex } from "../storage/recovery.ts";
import { DiskError } from "../env/disk.ts";
import { CorruptionError, SnapshotSpaceError } from "../storage/errors.ts";
import type { SnapshotStore } from "../storage/snapshots/snapshot-store.ts";
import type { Log } from "../storage/wal/log.ts";
import type { EventLog } from "../storage/events/event-log.ts";
import type {
  OutgoingSnapshot,
  ReceivedSnapshot,
  SnapshotOffer,
  SnapshotSink,
} from "../transport/transport.ts";
import { restsBetweenSlices } from "./slices.ts";
import type { Effect, Input } from "./steps.ts";

export interface SnapshotServiceOptions {
  readonly clusterId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: SnapshotStore;
  readonly log: Log;
  readonly events: EventLog;
  /** Tells the replica. */
  readonly enqueue: (input: Input) => void;
  readonly send: (to: NodeId, snapshot: OutgoingSnapshot) => void;
  readonly commitIndex: () => number;
  /** What cannot be gone on from: the node ends. */
  readonly onFailure: (error: Error) => void;
}

export class SnapshotService {
  readonly #options: SnapshotServiceOptions;
  #receiving = false;
  #taken = 0;
  #sent = 0;

  constructor(options: SnapshotServiceOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#taken;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Writes the state to a file, in slices between the turns of the event loop. */
  async take(effect: Extract<Effect, { kind: "take-snapshot" }>): Promise<void> {
    const { point, view } = effect;
    try {
      await this.#write(point, view);
      this.#taken += 1;
      this.#options.enqueue({ kind: "snapshot-taken", point });
      await this.#letGo();
    } catch (thrown) {
      const error = toError(thrown);
      if (!(error instanceof SnapshotSpaceError)) return this.#options.onFailure(error);
      this.#options.logger.error("no room for a snapshot: the log grows until there is", {
        reason: error.message,
      });
      this.#options.enqueue({ kind: "snapshot-failed" });
    }
  }

  async #write(point: SnapshotPoint, view: MachineView): Promise<void> {
    const { clock, clusterId, events, log, logger, store } = this.#options;
    const began = clock.monotonicMs();
    await events.syncThrough(point.index);
    const meta = { clusterId, ...point, createdMs: clock.wallMs() };
    const pause = restsBetweenSlices(clock);
    await store.write(meta, { parts: snapshotParts(view, SNAPSHOT_BLOCK_BYTES), pause });
    await log.append({ hardState: null, mark: { kind: "local", ...point }, entries: null });
    logger.info("snapshot taken", {
      index: point.index,
      ms: Math.round(clock.monotonicMs() - began),
    });
  }

  /** Removes the snapshots and log segments that nothing needs any more. */
  async #letGo(): Promise<void> {
    const { log, store } = this.#options;
    await store.prune(SNAPSHOTS_KEPT, log.marks);
    await log.release(releaseIndex(store.list()));
  }

  /** After an installed snapshot's mark is durable. */
  async installed(): Promise<void> {
    try {
      await this.#letGo();
    } catch (thrown) {
      this.#options.onFailure(toError(thrown));
    }
  }

  /** Streams a snapshot to a follower. Whatever goes wrong, raft is told and tries again. */
  async sendTo(effect: Extract<Effect, { kind: "send-snapshot" }>): Promise<void> {
    const { to, index, term, message } = effect;
    const { enqueue, logger, send, store } = this.#options;
    // Put out of use a moment ago: the next one is on its way.
    if (!store.has({ index, term }))
      return enqueue({ kind: "snapshot-sent", to, index, ok: false });
    try {
      const source = await store.open(index, term);
      logger.info("sending a snapshot", { to, index, bytes: source.bytes });
      send(to, { message, index: logIndex(index), term: asTerm(term), source });
      this.#sent += 1;
    } catch (thrown) {
      logger.warn("a snapshot could not be opened for sending", {
        to,
        index,
        reason: toError(thrown).message,
      });
      if (thrown instanceof CorruptionError || thrown instanceof DiskError) {
        // The state is in memory, whole: it is written anew, so that whoever needs a file gets one.
        store.retire({ index, term });
        logger.error("a snapshot cannot be read: a new one is taken", { index, term });
        enqueue({ kind: "snapshot-lost", index });
      }
      enqueue({ kind: "snapshot-sent", to, index, ok: false });
    }
  }

  /** The transfer of a snapshot failed. If that was the file's fault, the next attempt finds it. */
  transferFailed(index: number): void {
    this.#options.store.doubt(index);
  }

  /** A peer offers a snapshot: one at a time, and only one that takes this node further. */
  async receive(from: NodeId, offer: SnapshotOffer): Promise<SnapshotSink | null> {
    if (offer.index <= this.#options.commitIndex()) {
      // The leader knows less of this node than is true, and would offer for ever: raft answers it. (The
      // late answer to an older term did that, in a soak: seed 16077.)
      this.#options.enqueue({ kind: "message", from, bytes: offer.message });
      return null;
    }
    if (this.#receiving) return null;
    this.#receiving = true;
    try {
      const sink = await this.#options.store.receive(offer);
      this.#options.logger.info("receiving a snapshot", {
        from,
        index: offer.index,
        bytes: offer.bytes,
      });
      const release = (): void => void (this.#receiving = false);
      return {
        write: (at, chunk) => sink.write(at, chunk),
        finish: async () => void (await sink.finish().finally(release)),
        abort: () => sink.abort().finally(release),
      };
    } catch (thrown) {
      this.#receiving = false;
      throw thrown;
    }
  }

  /** Reads a received file into a machine and offers it to raft. */
  async received(from: NodeId, received: ReceivedSnapshot): Promise<void> {
    const { message } = received;
    try {
      const machine = await this.#load(received.index, received.term);
      const { index, term } = received;
      this.#options.enqueue({ kind: "snapshot-received", from, message, index, term, machine });
    } catch (thrown) {
      // The file was verified when it was received; what fails now is the disk, or a bug.
      this.#options.onFailure(toError(thrown));
    }
  }

  async #load(index: LogIndex, term: Term): Promise<Machine> {
    const loader = new MachineLoader();
    await this.#options.store.load(index, term, (block) => loader.push(block));
    return loader.finish();
  }
}
