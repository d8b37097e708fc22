// Planted bugs at the edges: the consensus core and its ABI, the wire between nodes, HTTP.

import type { Mutant } from "./mutant.ts";

const GROUP = "core/group.go";
const HELLO = "src/transport/hello.ts";
const NO_HTTP = "HTTP is not under it";

export const CORE_MUTANTS: readonly Mutant[] = [
  {
    name: "message-field-left-out",
    class: "wire",
    story: "The codec of raft messages forgets the hint of a refused append.",
    edits: [
      {
        file: "core/message_codec.go",
        find: "\tbuf = appendOptional(buf, msgRejectHint, m.RejectHint)\n",
        replace: "",
      },
    ],
    units: ["core"],
  },
  {
    name: "answers-before-the-disk",
    class: "B2",
    story: "Answers to other nodes leave with the append that they vouch for, not after it.",
    edits: [
      {
        file: GROUP,
        find: "\t\t\tappendMsg = m\n",
        replace:
          "\t\t\tappendMsg = m\n" +
          "\t\t\tfor _, response := range m.GetResponses() {\n" +
          "\t\t\t\tif response.GetTo() != g.id {\n" +
          "\t\t\t\t\tnetwork = append(network, response)\n" +
          "\t\t\t\t}\n\t\t\t}\n",
      },
    ],
    units: ["core"],
  },
  {
    name: "vote-needs-no-sync",
    class: "B6",
    story: "A vote alone is not worth a sync.",
    edits: [
      {
        file: GROUP,
        find: "\t\tterm != g.writtenTerm || vote != g.writtenVote\n",
        replace: "\t\tterm > g.writtenTerm+1<<40 || vote > g.writtenVote+1<<40\n",
      },
    ],
    units: ["core"],
  },
  {
    name: "quorum-not-checked",
    class: "B16",
    story: "A leader that hears from nobody goes on leading.",
    edits: [
      {
        file: GROUP,
        find: "CheckQuorum:               true,",
        replace: "CheckQuorum:               false,",
      },
    ],
    units: ["core"],
  },
  {
    name: "no-pre-vote",
    class: "B27",
    story: "A node that comes back from behind a cut link throws out a leader that works.",
    edits: [
      {
        file: GROUP,
        find: "PreVote:                   true,",
        replace: "PreVote:                   false,",
      },
    ],
    outsideSimulator: "an election more is no fault to it",
    units: ["core"],
  },
  {
    name: "lease-reads",
    class: "B5",
    story: "A leader answers reads without asking whether it still leads.",
    edits: [
      {
        file: GROUP,
        find: "raft.ReadOnlySafe,",
        replace: "raft.ReadOnlyLeaseBased,",
      },
    ],
    units: ["core", "src/node"],
  },
  {
    name: "message-for-another-node",
    class: "wire",
    story: "A message that was meant for another node is taken.",
    edits: [
      {
        file: GROUP,
        find: "if m.GetTo() != g.id || !ownName",
        replace: "if !ownName",
      },
    ],
    outsideSimulator: "its network delivers nothing to the wrong node",
    units: ["core"],
  },
  {
    name: "snapshot-without-its-file",
    class: "B20",
    story: "Raft is given a snapshot whose file has not come.",
    edits: [
      {
        file: GROUP,
        find: "\t\tif isNews && !withSnapshot {\n\t\t\treturn statusRefused\n\t\t}\n",
        replace: "\t\t_ = isNews\n",
      },
    ],
    outsideSimulator: "no node of its own sends one outside a transfer",
    units: ["core"],
  },
  {
    name: "compaction-past-the-snapshot",
    class: "B7",
    story: "The core forgets entries that no snapshot holds.",
    edits: [
      {
        file: GROUP,
        find: "\tif index > g.snapshotIndex {\n",
        replace: "\tif index > g.snapshotIndex+1<<40 {\n",
      },
    ],
    outsideSimulator: "the host never asks for it",
    units: ["core"],
  },
  {
    name: "hard-state-misread",
    class: "B6",
    story: "A core that is opened again takes the commit index and leaves the term.",
    edits: [
      {
        file: GROUP,
        find: "\tif err := g.storage.SetHardState(hard); err != nil {\n\t\treturn nil, err\n\t}\n",
        replace:
          '\tif hard.GetCommit() == 0 {\n\t\treturn nil, errors.New("nothing is committed")\n\t}\n',
      },
    ],
    units: ["core", "src/raft"],
  },
];

export const TRANSPORT_MUTANTS: readonly Mutant[] = [
  {
    name: "frame-crc-unchecked",
    class: "wire",
    story: "A frame is handed up whatever its checksum says.",
    edits: [
      {
        file: "src/transport/frame.ts",
        find: "if (checksum(bytes, at, header.length) !== header.crc) {",
        replace: "if (checksum(bytes, at, header.length) < 0) {",
      },
    ],
    outsideSimulator: "its network flips no bits: TCP would not let them pass",
    units: ["src/transport"],
  },
  {
    name: "frame-length-unchecked",
    class: "wire",
    story: "A frame may be as long as a stranger says.",
    edits: [
      {
        file: "src/transport/frame.ts",
        find: "if (length < shape.min || length > Math.min(shape.max, this.#payloadBytesMax)) {",
        replace: "if (length < shape.min) {",
      },
    ],
    outsideSimulator: "no stranger talks to its nodes",
    units: ["src/transport"],
  },
  {
    name: "another-cluster-welcome",
    class: "wire",
    story: "Nodes of two clusters talk to each other.",
    edits: [
      {
        file: HELLO,
        find: "if (theirs.clusterId === own.clusterId) return { ok: true };",
        replace: 'if (theirs.clusterId !== "") return { ok: true };',
      },
    ],
    outsideSimulator: "it knows one cluster only",
    units: ["src/transport"],
  },
  {
    name: "another-node-answers",
    class: "wire",
    story: "Whoever answers at a peer's address is taken for that peer.",
    edits: [
      {
        file: HELLO,
        find: "if (facts.nodeId !== wanted) {",
        replace: "if (facts.nodeId < 1) {",
      },
    ],
    outsideSimulator: "every address leads to its node",
    units: ["src/transport"],
  },
  {
    name: "admission-not-asked",
    class: "B18",
    story: "A peer is welcomed before the node has judged whether it may come back.",
    edits: [
      {
        file: "src/transport/handshake.ts",
        find: 'const verdict = check.ok ? await askOwner(context, { facts, purpose, side: "accepted" }) : check;',
        replace:
          'if (check.ok) void askOwner(context, { facts, purpose, side: "accepted" });\n  const verdict: Check | null = check;',
      },
    ],
    units: ["src/transport"],
  },
  {
    name: "snapshot-hole-accepted",
    class: "wire",
    story: "A snapshot from a peer may come with a piece left out.",
    edits: [
      {
        file: "src/transport/snapshot-receiver.ts",
        find: "    if (at !== writtenBytes) throw new Abandoned(`bytes from ${at} instead of ${writtenBytes}`);\n",
        replace: "",
      },
    ],
    outsideSimulator: "no node of its own leaves a piece out",
    units: ["src/transport"],
  },
  {
    name: "lost-connection-not-told",
    class: "B23",
    story: "Raft is not told that what was sent to a peer may be lost.",
    edits: [
      {
        file: "src/transport/message-link.ts",
        find: "    if (!this.#context.isStopped) this.#context.handlers.disconnected(this.#target.id);\n",
        replace: "",
      },
    ],
    units: ["src/transport"],
  },
  {
    name: "messages-kept-for-the-next-connection",
    class: "wire",
    story: "Messages that were gathered for a connection that ended go out on the next one.",
    edits: [
      {
        file: "src/transport/message-link.ts",
        find: "    this.#gatherer.clear();\n    while (this.#gathered > 0) {\n",
        replace: "    while (this.#gathered < 0) {\n",
      },
    ],
    units: ["src/transport"],
  },
];

export const HTTP_MUTANTS: readonly Mutant[] = [
  {
    name: "get-is-stale",
    class: "B3",
    story: "A GET that asks for nothing special is answered from what this node has.",
    edits: [
      {
        file: "src/http/read.ts",
        find: 'if (consistency === "stale") {',
        replace: 'if (consistency !== "linearizable") {',
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "if-match-ignored",
    class: "rule",
    story: "If-Match is read and not passed on.",
    edits: [
      {
        file: "src/http/ask.ts",
        find: 'if (parsed.kind === "expected") return parsed.expected;',
        replace: 'if (parsed.kind === "expected") return null;',
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "unknown-answered-as-503",
    class: "B23",
    story: "A client whose write may have happened is told that it may safely try again.",
    edits: [
      {
        file: "src/http/write.ts",
        find: "      exchange.problem(OUTCOME_UNKNOWN);\n",
        replace: '      exchange.problem(unavailableWrite("no-leader"));\n',
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "fingerprint-of-the-kind-only",
    class: "B23",
    story: "Two requests of one kind under one key pass for the same.",
    edits: [
      {
        file: "src/http/ask.ts",
        find: "sha256Hex(JSON.stringify(command), FINGERPRINT_DIGITS)",
        replace: "sha256Hex(command.kind, FINGERPRINT_DIGITS)",
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "key-not-passed-on",
    class: "B23",
    story: "The Idempotency-Key is read and not passed on.",
    edits: [
      {
        file: "src/http/write.ts",
        find: "exchange.context.node.submit(command, key)",
        replace: "exchange.context.node.submit(command, key && null)",
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "stream-resumes-one-late",
    class: "events",
    story: "A live stream that is taken up again leaves one event out.",
    edits: [
      {
        file: "src/http/routes/events.ts",
        find: "  return index;\n}",
        replace: "  return index === null ? null : index + 1;\n}",
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
  {
    name: "liveness-needs-a-leader",
    class: "B28",
    story: "/livez fails without a quorum, so that a supervisor restarts the whole cluster.",
    edits: [
      {
        file: "src/http/routes/health.ts",
        find: 'const checks = [{ name: "process", ok: true, otherwise: "" }];',
        replace:
          'const ok = exchange.context.node.leaderId !== null;\n    const checks = [{ name: "process", ok, otherwise: "" }];',
      },
    ],
    outsideSimulator: NO_HTTP,
    units: ["src/http"],
  },
];
