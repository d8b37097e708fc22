// What the server answers, as schemas for the OpenAPI document. The tests hold every answer they
// get against these. Objects may get further fields in later versions, so clients must not refuse
// those.

import type { TProperties, TSchema } from "typebox";
import { Type } from "typebox";

import { JOB_STATUSES, MATERIALS } from "../fsm/objects.ts";
import { PROBLEM_CODES } from "./problems.ts";

const described = (description: string) => ({ description });

const id = (noun: string): TSchema =>
  Type.Union(
    [Type.String(), Type.Integer({ minimum: 0 })],
    described(`The ${noun}'s id, in the form in which it was created. 1 and "1" are the same id.`),
  );

const grams = (description: string): TSchema => Type.Integer({ minimum: 0, description });

const index = (description: string): TSchema => Type.Integer({ minimum: 0, description });

const words = (values: readonly string[], description: string): TSchema =>
  Type.Enum([...values], { type: "string", description });

const instant = (description: string): TSchema => Type.String({ format: "date-time", description });

const stamps: TProperties = {
  created_at: instant(
    "When the object was created, by the clock of the node that took the request.",
  ),
  updated_at: instant("When the object was changed last."),
  version: index("Log index of the last change. It is the entity tag."),
};

export const printer = Type.Object(
  {
    id: id("printer"),
    company: Type.String(described("Who made the printer.")),
    model: Type.String(described("The model of the printer.")),
    ...stamps,
  },
  described("A printer."),
);

export const filament = Type.Object(
  {
    id: id("filament"),
    type: words(MATERIALS, "The material."),
    color: Type.String(described("The color of the filament.")),
    total_weight_in_grams: grams("What the full spool holds."),
    remaining_weight_in_grams: grams("What is left on the spool: falls when a print job is Done."),
    reserved_weight_in_grams: grams("What Queued and Running print jobs will take."),
    available_weight_in_grams: grams("Remaining minus reserved: what a new print job may weigh."),
    ...stamps,
  },
  described("A spool of filament."),
);

const status = words(JOB_STATUSES, "Queued → Running → Done; Queued or Running → Canceled.");

export const printJob = Type.Object(
  {
    id: id("print job"),
    printer_id: id("printer"),
    filament_id: id("filament"),
    filepath: Type.String(described("Where the file to print lies.")),
    print_weight_in_grams: grams("What the print takes off the spool."),
    status,
    ...stamps,
  },
  described("A print job."),
);

export const event = Type.Object(
  {
    index: index("Log index of the entry that caused the event: at most one event for each."),
    term: index("The Raft term of that entry."),
    time: instant(
      "The clock of the node that took the request. The index is the order, not the time.",
    ),
    type: Type.String({
      description: "What happened: an object's kind and what became of it.",
      examples: ["printer.created", "print_job.done"],
    }),
    data: Type.Object({}, { description: "The object's id, and what was set or changed." }),
    hash: Type.String(
      described("The hash of all objects after the event; the same on every node."),
    ),
    crc: Type.Optional(
      Type.String(described("CRC-32 of the event as the log of events keeps it.")),
    ),
  },
  described("Something that happened to the farm."),
);

const member = Type.Object(
  {
    id: index("The member's id."),
    role: words(["voter", "learner"], "Whether the member takes part in elections and commits."),
    state: Type.Union(
      [words(["follower", "candidate", "leader", "pre-candidate"], "A role of Raft."), Type.Null()],
      described("What the member is doing; null where this node cannot know."),
    ),
    peer: Type.String(described("The member's address for the other members.")),
    http: Type.Union(
      [Type.String(), Type.Null()],
      described("The member's address for clients; null until this node has heard from it."),
    ),
    match_index: Type.Union(
      [Type.Integer({ minimum: 0 }), Type.Null()],
      described("The log index up to which the member has the leader's log. Known at the leader."),
    ),
    lag: Type.Union(
      [Type.Integer({ minimum: 0 }), Type.Null()],
      described("Entries that the member lacks. Known at the leader."),
    ),
    reachable: Type.Boolean(described("Whether this node has a working connection to the member.")),
  },
  described("A member of the cluster, as this node sees it."),
);

export const cluster = Type.Object(
  {
    cluster_id: Type.String(),
    node_id: index("The node that answers."),
    leader_id: Type.Union(
      [Type.Integer({ minimum: 1 }), Type.Null()],
      described("Null while this node knows of no leader."),
    ),
    term: index("The Raft term."),
    commit_index: index("Log index up to which entries are known to be committed."),
    applied_index: index("Log index up to which entries are applied at this node."),
    state_hash: Type.Union(
      [Type.String(), Type.Null()],
      described("The hash of all objects at applied_index: equal at equal indexes on every node."),
    ),
    members: Type.Array(member),
  },
  described("The cluster as this node sees it."),
);

const fieldError = Type.Object(
  {
    field: Type.String(described("The field, query parameter or header; empty: the whole.")),
    message: Type.String(described("What it must be.")),
  },
  described("One mistake."),
);

export const problem = Type.Object(
  {
    type: Type.String({ format: "uri-reference", description: "Where the code is explained." }),
    title: Type.String(described("The kind of problem in short.")),
    status: Type.Integer({ minimum: 400, maximum: 599, description: "The HTTP status again." }),
    detail: Type.String(described("What was wrong, what the rule is, what to do.")),
    code: words(PROBLEM_CODES, "Stable: for programs."),
    errors: Type.Optional(Type.Array(fieldError, described("Every mistake at once."))),
  },
  described("RFC 9457. Some codes carry further members; the page of the codes lists them."),
);

/**
 * The components of the OpenAPI document by name; a schema that stands here is referred to by it.
 */
export const COMPONENTS: Readonly<Record<string, TSchema>> = {
  Printer: printer,
  Filament: filament,
  PrintJob: printJob,
  Event: event,
  Member: member,
  Cluster: cluster,
  FieldError: fieldError,
  Problem: problem,
};
