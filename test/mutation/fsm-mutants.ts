// Planted bugs of the state machine: the rules of the print shop, exactly once, the same on every node.

import type { Mutant } from "./mutant.ts";

const DECIDE = "src/fsm/decide.ts";
const EVOLVE = "src/fsm/evolve.ts";
const MACHINE = "src/fsm/machine.ts";
const SESSIONS = "src/fsm/sessions.ts";
export const FSM_MUTANTS: readonly Mutant[] = [
  {
    name: "wall-clock-in-apply",
    class: "B30",
    story: "The time of a change is that of the node that applies it.",
    edits: [
      {
        file: MACHINE,
        find: "at: envelope.at, event: decision.event",
        replace: "at: envelope.at + (Date.now() % 1000), event: decision.event",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "apply-depends-on-history",
    class: "B30",
    story: "What a command comes to depends on how many this process has applied, not on the log.",
    edits: [
      {
        file: MACHINE,
        find: "  #appliedTerm: number;\n\n  constructor",
        replace: "  #appliedTerm: number;\n  #carriedOut = 0;\n\n  constructor",
      },
      {
        file: MACHINE,
        find: "    const decision = decide(this.farm, envelope.command);\n",
        replace:
          "    this.#carriedOut += 1;\n" +
          "    const { command } = envelope;\n" +
          '    const isOdd = this.#carriedOut % 2 === 1 && command.kind === "create-printer";\n' +
          '    const decision = decide(this.farm, isOdd ? { ...command, model: "odd" } : command);\n',
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "duplicates-applied",
    class: "B23",
    story: "A proposal that is offered twice happens twice.",
    edits: [
      {
        file: MACHINE,
        find: '    if (this.#sessions.judge(envelope) === "duplicate") {\n      const { node, start, seq } = envelope;\n      return { kind: "duplicate", node, start, seq };\n    }\n    this.#sessions.record(envelope);\n',
        replace:
          '    if (this.#sessions.judge(envelope) === "fresh") this.#sessions.record(envelope);\n',
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "highest-number-only",
    class: "B23",
    story:
      "A session remembers the highest number that was applied, and takes all below it for done.",
    edits: [
      {
        file: SESSIONS,
        find: '    return isApplied(session, of.seq) ? "duplicate" : "fresh";\n',
        replace: '    return of.seq <= session.high ? "duplicate" : "fresh";\n',
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "stragglers-applied",
    class: "B23",
    story: "A number that its proposer has settled long ago is taken for a new one.",
    edits: [
      {
        file: SESSIONS,
        find: "if (of.start < session.start || of.seq < session.low) return",
        replace: "if (of.start < session.start) return",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "dead-session-applied",
    class: "B23",
    story: "A proposal of a process that is gone is applied after the next process has begun.",
    edits: [
      {
        file: SESSIONS,
        find: '    if (session === undefined || of.start > session.start) return "fresh";\n',
        replace: '    if (session === undefined || of.start !== session.start) return "fresh";\n',
      },
      {
        file: SESSIONS,
        find: "    if (session === undefined || of.start > session.start) {\n",
        replace: "    if (session === undefined || of.start !== session.start) {\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "sessions-not-in-snapshot",
    class: "B23",
    story: "A snapshot leaves out which proposals were applied.",
    edits: [
      {
        file: MACHINE,
        find: "      sessions: this.#sessions.records(),\n",
        replace: "      sessions: [],\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "answers-not-in-snapshot",
    class: "B23",
    story: "A snapshot leaves out the answers to Idempotency-Keys.",
    edits: [
      {
        file: MACHINE,
        find: "      answers: this.#answers.view(),\n",
        replace: "      answers: new Answers(this.#answers.max).view(),\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "next-ids-not-in-snapshot",
    class: "B19",
    story: "After a snapshot was loaded, the next id is one that was given before.",
    edits: [
      {
        file: "src/fsm/snapshot.ts",
        find: "      this.#farm.restoreNextId(kind, counters[kind]);\n",
        replace: "      if (counters[kind] < 1) this.#farm.restoreNextId(kind, counters[kind]);\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "snapshot-view-is-live",
    class: "B1",
    story: "A snapshot that is being written shows what is applied meanwhile.",
    edits: [
      {
        file: "src/fsm/table.ts",
        find: "    if (chunk.epoch === this.#epoch) return chunk;\n",
        replace: "    if (chunk.epoch <= this.#epoch) return chunk;\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "view-of-jobs-is-live",
    class: "B1",
    story: "A snapshot that is being written shows what becomes of its jobs meanwhile.",
    edits: [
      {
        file: "src/fsm/job-table.ts",
        find: "    if (chunk.epoch === this.#epoch) return chunk;\n",
        replace: "    if (chunk.epoch <= this.#epoch) return chunk;\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "key-runs-again",
    class: "B23",
    story: "A request that comes again under its Idempotency-Key is carried out again.",
    edits: [
      {
        file: MACHINE,
        find: "        return replied(envelope, known.reply, true, null);\n",
        replace: "        return this.#carryOut(index, term, envelope);\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "key-of-another-request",
    class: "B23",
    story: "A key that was used for another request brings that one's answer.",
    edits: [
      {
        file: "src/fsm/answers.ts",
        find: 'return answer.fingerprint === fingerprint ? { kind: "replay", reply: answer.reply } : REUSED;',
        replace: 'return fingerprint === "" ? REUSED : { kind: "replay", reply: answer.reply };',
      },
    ],
    outsideSimulator: "its clients use a key for one request only",
    units: ["src/fsm"],
  },
  {
    name: "refusals-not-remembered",
    class: "B23",
    story: "A request that was refused under its key is carried out when it comes again later.",
    edits: [
      {
        file: MACHINE,
        find: "        this.#answers.remember({ id: key, created_index: index, fingerprint, reply });\n",
        replace:
          "        if (reply.ok) this.#answers.remember({ id: key, created_index: index, fingerprint, reply });\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "reservation-not-counted",
    class: "rule",
    story: "A job is held against what is left on the spool, not against what is free.",
    edits: [
      {
        file: DECIDE,
        find: "if (asked > unreserved(filament)) return",
        replace: "if (asked > filament.remaining_weight_in_grams) return",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "last-gram-refused",
    class: "rule",
    story: "A job that needs exactly what is free is refused.",
    edits: [
      {
        file: DECIDE,
        find: "if (asked > unreserved(filament)) return",
        replace: "if (asked >= unreserved(filament)) return",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "done-deducts-twice",
    class: "rule",
    story: "A finished job takes its weight off the spool twice.",
    edits: [
      {
        file: EVOLVE,
        find: "remaining_weight_in_grams: old.remaining_weight_in_grams - deducted,",
        replace: "remaining_weight_in_grams: old.remaining_weight_in_grams - 2 * deducted,",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "cancel-keeps-reservation",
    class: "rule",
    story: "A canceled job goes on reserving its filament.",
    edits: [
      {
        file: EVOLVE,
        find: "  book(farm, filament, -weight, deducted, recorded);\n",
        replace:
          '  book(farm, filament, type === "print_job.canceled" ? 0 : -weight, deducted, recorded);\n',
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "canceled-may-run",
    class: "rule",
    story: "A canceled job can be set running.",
    edits: [
      {
        file: "src/fsm/transitions.ts",
        find: "Canceled: { Queued: null, Running: null, Done: null, Canceled: null },",
        replace:
          'Canceled: { Queued: null, Running: "print_job.running", Done: null, Canceled: null },',
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "if-match-not-decided",
    class: "rule",
    story: "The version that a change expects is not looked at behind the log.",
    edits: [
      {
        file: DECIDE,
        find: "  return expected === null || expected.includes(row.version);\n",
        replace: "  return expected === null || row.version > 0;\n",
      },
    ],
    units: ["src/fsm"],
  },
  {
    name: "printer-deleted-under-its-job",
    class: "rule",
    story: "A printer can be deleted while a job is queued on it.",
    edits: [
      {
        file: DECIDE,
        find: '  if (jobs > 0) return rejected({ code: "in_use", kind: "printer", id: printer.id, jobs });\n',
        replace:
          '  if (jobs > 1) return rejected({ code: "in_use", kind: "printer", id: printer.id, jobs });\n',
      },
    ],
    units: ["src/fsm"],
  },
];
