// Planted bugs of the replica, its shell and what a node remembers of its peers.

import type { Mutant } from "./mutant.ts";

const REPLICA = "src/node/replica.ts";
const READS = "src/node/reads.ts";
const REGISTRY = "src/node/registry.ts";
const SHELL = "src/node/shell.ts";

export const NODE_MUTANTS: readonly Mutant[] = [
  {
    name: "read-without-readindex",
    class: "B3",
    story: "A linearizable read is answered from what this node happens to have.",
    edits: [
      {
        file: SHELL,
        find: '      this.enqueue({ kind: "read", request });\n',
        replace: '      settle(this.#reads, request, { kind: "ok" });\n',
      },
    ],
    units: ["src/node"],
  },
  {
    name: "read-before-applied",
    class: "B3",
    story: "A read is served when its index is known, before that index is applied.",
    edits: [
      {
        file: READS,
        find: "      if (one.index > appliedIndex) return true;\n",
        replace: "      if (appliedIndex < 0) return true;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "read-context-reused",
    class: "B3",
    story: "Every attempt of a ReadIndex round asks under the same context.",
    edits: [
      { file: READS, find: "    this.#attempts += 1;\n", replace: "    this.#attempts = 1;\n" },
    ],
    units: ["src/node"],
  },
  {
    name: "read-answer-to-any-round",
    class: "B3",
    story: "A late answer to an abandoned ReadIndex round is taken for the answer to this one.",
    edits: [
      {
        file: READS,
        find: "if (this.#round === null || this.#round.context !== contextKey(context)) return;",
        replace: "if (this.#round === null || contextKey(context).length === 0) return;",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "single-voter-reads-at-once",
    class: "B4",
    story: "A single node answers reads after a restart before it knows how far it had committed.",
    edits: [
      {
        file: REPLICA,
        find: "    if (alone && this.#machine.appliedTerm !== this.#term) return;\n",
        replace: "    if (alone && this.#machine.appliedTerm > this.#term) return;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "core-told-before-durable",
    class: "B2",
    story: "The core is told that an append is durable when it is handed to the log.",
    edits: [
      {
        file: REPLICA,
        find: "    this.#appends.add({ ticket, mustSync, snapshot, atTick: this.#now });\n",
        replace:
          "    this.#appends.add({ ticket, mustSync: false, snapshot, atTick: this.#now });\n" +
          "    this.#releaseAppends();\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "answers-overtake-appends",
    class: "B14",
    story: "The core is told of an append although one before it is still being written.",
    edits: [
      {
        file: "src/node/appends.ts",
        find: "      if (append.mustSync && append.ticket > this.#durableThrough) break;\n      count += 1;\n",
        replace:
          "      const isDone = !append.mustSync || append.ticket <= this.#durableThrough;\n" +
          "      if (isDone) count = this.#queue.indexOf(append) + 1;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "vote-forgotten-at-start",
    class: "B6",
    story: "A node starts again without the vote that it gave in this term.",
    edits: [
      {
        file: "src/node/print-farm-node.ts",
        find: "      confState: snapshot.confState,\n      hardState,\n    });",
        replace:
          "      confState: snapshot.confState,\n      hardState: { ...hardState, vote: 0 },\n    });",
      },
    ],
    units: ["src/node", "src/raft"],
  },
  {
    name: "term-and-vote-not-written",
    class: "B6",
    story: "A new term and vote wait for the next entry before they go to the disk.",
    edits: [
      {
        file: REPLICA,
        find: "    const { ticket, mustSync, snapshot } = work;\n",
        replace:
          "    const { ticket, snapshot } = work;\n" +
          "    const mustSync = work.mustSync && (work.entryCount > 0 || snapshot !== null);\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "unknown-called-never-proposed",
    class: "B23",
    story: "A client whose write was proposed and not seen again is told that it never was.",
    edits: [
      {
        file: REPLICA,
        find: '      this.#settle(proposal, { kind: "outcome-unknown" });\n    } else if',
        replace:
          '      this.#settle(proposal, { kind: "unavailable", reason: "no-leader" });\n    } else if',
      },
    ],
    units: ["src/node"],
  },
  {
    name: "stopping-called-never-proposed",
    class: "B23",
    story: "A node that stops tells everybody that nothing was proposed.",
    edits: [
      {
        file: REPLICA,
        find: "      const offered = proposal.offeredAtTick !== null;\n",
        replace: "      const offered = proposal.offeredAtTick === Number.POSITIVE_INFINITY;\n",
      },
    ],
    outsideSimulator: "it crashes nodes and never stops one in good order",
    units: ["src/node"],
  },
  {
    name: "lost-proposal-not-repeated",
    class: "B23",
    story: "A proposal that was lost on the way to a leader is not offered again.",
    edits: [
      {
        file: REPLICA,
        find: "      if (one.offeredIn !== this.#leadership) this.#toOffer.add(one);\n",
        replace: "      if (one.offeredAtTick === null) this.#toOffer.add(one);\n",
      },
      {
        file: REPLICA,
        find: "      this.#toOffer.add(proposal);\n    }\n",
        replace: "      this.#offersBlocked = false;\n    }\n",
      },
    ],
    outsideSimulator:
      'every client may be told "outcome unknown": nothing that it checks is broken',
    units: ["src/node"],
  },
  {
    name: "proposal-waited-for-without-end",
    class: "B23",
    story: "A write that the cluster does not take is waited for as long as the client lives.",
    edits: [
      {
        file: REPLICA,
        find: "} else if (age >= this.#times.settle) {",
        replace: "} else if (age >= Number.MAX_SAFE_INTEGER) {",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "offers-without-a-quorum",
    class: "B23",
    story: "A leader that knows it has lost its majority goes on filling its log.",
    edits: [
      {
        file: REPLICA,
        find: "    return reachable.length > voters.length / 2;\n",
        replace: "    return reachable.length > 0;\n",
      },
    ],
    outsideSimulator: 'the clients are told "outcome unknown", which is true',
    units: ["src/node"],
  },
  {
    name: "install-keeps-old-state",
    class: "B19",
    story: "A snapshot from the leader is recorded, and the state stays what it was.",
    edits: [
      {
        file: REPLICA,
        find: "    this.#machine = incoming.machine;\n",
        replace: "    if (incoming.machine.appliedIndex === 0) this.#machine = incoming.machine;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "install-before-the-record",
    class: "B19",
    story:
      "A received snapshot replaces the state before raft has accepted it and the log holds it.",
    edits: [
      {
        file: REPLICA,
        find: "        this.#incoming.set(input.index, { term: input.term, machine: input.machine });\n",
        replace:
          "        this.#incoming.set(input.index, { term: input.term, machine: input.machine });\n" +
          "        if (input.index > this.#machine.appliedIndex) this.#machine = input.machine;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "mark-before-snapshot",
    class: "B20",
    story: "The log vouches for a snapshot that is still being written.",
    edits: [
      {
        file: "src/node/snapshot-service.ts",
        find:
          "    await store.write(meta, { parts: snapshotParts(view, SNAPSHOT_BLOCK_BYTES), pause });\n" +
          '    await log.append({ hardState: null, mark: { kind: "local", ...point }, entries: null });\n',
        replace:
          '    await log.append({ hardState: null, mark: { kind: "local", ...point }, entries: null });\n' +
          "    await store.write(meta, { parts: snapshotParts(view, SNAPSHOT_BLOCK_BYTES), pause });\n",
      },
    ],
    units: ["src/node", "src/storage"],
  },
  {
    name: "snapshot-index-ahead",
    class: "B1",
    story: "A snapshot says that it holds the entry that is applied next.",
    edits: [
      {
        file: "src/fsm/machine.ts",
        find: "      index: this.#appliedIndex,\n      term: this.#appliedTerm,\n",
        replace: "      index: this.#appliedIndex + 1,\n      term: this.#appliedTerm,\n",
      },
    ],
    units: ["src/fsm", "src/node"],
  },
  {
    name: "events-not-synced-before-snapshot",
    class: "events",
    story: "The log may be cut at a snapshot while events from before it are in memory only.",
    edits: [
      {
        file: "src/node/snapshot-service.ts",
        find: "    await events.syncThrough(point.index);\n",
        replace: "    if (events.failure !== null) throw events.failure;\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "event-gap-forgotten",
    class: "events",
    story: "A snapshot is installed, and the event log is not cut at its index.",
    edits: [
      {
        file: SHELL,
        find: "      if (effect.snapshot === null) {\n        this.#append(effect);",
        replace:
          "      if (effect.snapshot === null || effect.ticket > 0) {\n        this.#append(effect);",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "event-gap-never-filled",
    class: "events",
    story: "The newest part that a snapshot jumped over is never asked for.",
    edits: [
      {
        file: "src/node/event-service.ts",
        find: "    for (const gap of log.gaps()) {\n",
        replace: "    for (const gap of log.gaps().slice(0, -1)) {\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "log-cut-under-a-transfer",
    class: "B7",
    story: "The log in memory is cut past the snapshot that is on its way to a follower.",
    edits: [
      {
        file: "src/node/compaction.ts",
        find: "    for (const index of this.#transfers.values()) through = Math.min(through, index);\n",
        replace: "",
      },
    ],
    outsideSimulator: "the follower gets another snapshot: slower, and nothing is broken",
    units: ["src/node"],
  },
  {
    name: "hanging-disk-ignored",
    class: "B16",
    story: "A write that never ends is waited for, and the node keeps its leadership.",
    edits: [
      {
        file: REPLICA,
        find: "if (ticks >= this.#times.diskStall && !this.#stallReported) {",
        replace: "if (ticks >= Number.MAX_SAFE_INTEGER && !this.#stallReported) {",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "hanging-mark-ignored",
    class: "B16",
    story:
      "Only writes of the log that raft waits for are watched: the one of a snapshot's mark hangs.",
    edits: [
      {
        file: SHELL,
        find: "if (this.#logWatch.tick(log.writingSinceMs)) this.#diskStalled(diskStallTicks);",
        replace: "this.#logWatch.tick(log.writingSinceMs);",
      },
    ],
    units: ["src/sim/stalls.test.ts"],
  },
  {
    name: "emptied-folder-accepted",
    class: "B18",
    story: "A node whose folder was emptied comes back under its old id.",
    edits: [
      {
        file: REGISTRY,
        find: "    if (known.instance !== facts.instance) {",
        replace: '    if (known.instance === "") {',
      },
    ],
    outsideSimulator: "nobody empties a folder in it",
    units: ["src/node"],
  },
  {
    name: "old-folder-accepted",
    class: "B18",
    story: "A node whose folder was put back from a backup comes back.",
    edits: [
      {
        file: REGISTRY,
        find: "    if (facts.starts < known.starts) {",
        replace: "    if (facts.starts < 0) {",
      },
    ],
    outsideSimulator: "nobody puts a folder back in it",
    units: ["src/node"],
  },
  {
    name: "copied-folder-accepted",
    class: "B18",
    story: "Two processes on two copies of one folder are both let in.",
    edits: [
      {
        file: REGISTRY,
        find: "    if (facts.starts === known.starts && known.run !== facts.run) {",
        replace: '    if (facts.starts === known.starts && known.run === "") {',
      },
    ],
    outsideSimulator: "nobody copies a folder in it",
    units: ["src/node"],
  },
  {
    name: "start-not-durable",
    class: "B18",
    story: "A node speaks before the disk knows that it was started.",
    edits: [
      {
        file: "src/node/print-farm-node.ts",
        find: "    await file.countStart();\n",
        replace: "    file.countStart().catch(() => undefined);\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "peer-not-written-down",
    class: "B18",
    story: "A peer is believed before what it said of itself is on the disk.",
    edits: [
      {
        file: REGISTRY,
        find: "      await this.#book.recordPeer(facts.nodeId, { instance, starts, run });\n",
        replace:
          "      this.#book.recordPeer(facts.nodeId, { instance, starts, run }).catch(() => undefined);\n",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "difference-unnoticed",
    class: "B30",
    story: "A node whose state differs from that of a majority goes on serving.",
    edits: [
      {
        file: "src/node/divergence.ts",
        find: "const oddOneOut = Math.max(...votes.values()) > clusterSize / 2;",
        replace: "const oddOneOut = Math.max(...votes.values()) > clusterSize;",
      },
    ],
    outsideSimulator: "its own checker compares the states, and without a second bug none differ",
    units: ["src/node"],
  },
  {
    name: "refused-snapshot-unanswered",
    class: "B22",
    story:
      "A snapshot that brings nothing new is refused, and the leader never told what is there.",
    edits: [
      {
        file: "src/node/snapshot-service.ts",
        find: '      this.#options.enqueue({ kind: "message", from, bytes: offer.message });\n',
        replace: "",
      },
    ],
    units: ["src/node"],
  },
  {
    name: "entries-wait-as-commits-do",
    class: "B31",
    story:
      "Appends with entries wait and replace each other, as those do that tell a commit index alone.",
    edits: [
      {
        file: REPLICA,
        find: 'message.mayWait ? "commit" : message.type === MSG_APP ? "append" : "other";',
        replace: 'message.mayWait || message.type === MSG_APP ? "commit" : "other";',
      },
    ],
    units: ["src/node"],
  },
  {
    name: "waiting-commit-never-sent",
    class: "B31",
    story: "A commit index that waits for entries is never told when none follow.",
    edits: [
      {
        file: "src/node/outbox.ts",
        find: "for (const [to, bytes] of this.#waiting) this.#transport.send(to, bytes);\n",
        replace: "",
      },
    ],
    units: ["src/node"],
  },
];
