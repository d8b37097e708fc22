// What the farm or the node refused, as a problem with sentences for people. Decides nothing: every
// refusal was decided behind the log or by the node, and is only put into words here.

import type { Id } from "../fsm/objects.ts";
import type { ObjectKind, Rejection } from "../fsm/reply.ts";
import type { Unavailable } from "../node/api.ts";
import { unreachable } from "../base/assert.ts";
import { quote } from "./describe.ts";
import type { Problem, ProblemCode } from "./problems.ts";
import { fieldProblem } from "./problems.ts";

const NAMES: Readonly<Record<ObjectKind, string>> = {
  printer: "printer",
  filament: "filament",
  print_job: "print job",
};

export function notFound(kind: ObjectKind, key: string): Problem {
  return {
    code: "not_found",
    detail: `There is no ${NAMES[kind]} with the id ${quote(key)}. It was never created, or it has been deleted.`,
  };
}

export function refusalProblem(rejection: Rejection): Problem {
  switch (rejection.code) {
    case "not_found":
      return notFound(rejection.kind, rejection.key);
    case "unknown_reference":
      return unknownReference(rejection.fields);
    case "duplicate_id":
      return {
        code: "duplicate_id",
        detail: `A ${NAMES[rejection.kind]} with the id ${idText(rejection.id)} exists already. Choose another id, or leave it out and the cluster assigns one.`,
        members: { id: rejection.id },
      };
    case "transition_not_allowed":
      return transitionNotAllowed(rejection);
    case "not_enough_filament":
      return notEnoughFilament(rejection);
    case "in_use":
      return inUse(rejection);
    case "weight_conflict":
      return weightConflict(rejection);
    case "version_mismatch":
      return {
        code: "version_mismatch",
        detail: `If-Match does not name the object's current version, which is ${rejection.version}: it has changed since you read it. Read it again, then decide anew.`,
        members: { version: rejection.version },
      };
    case "idempotency_key_reused":
      return {
        code: "idempotency_key_reused",
        detail:
          "This Idempotency-Key was used for a different request. Use a new key for a new request; use a key again only to repeat the very same request.",
      };
    default:
      return unreachable(rejection);
  }
}

function unknownReference(fields: (Rejection & { code: "unknown_reference" })["fields"]): Problem {
  const errors = fields.map(({ field, id }) => ({
    field,
    message: `must be the id of an existing ${field === "printer_id" ? "printer" : "filament"}; there is none with the id ${idText(id)}`,
  }));
  return fieldProblem("unknown_reference", errors);
}

function transitionNotAllowed(rejection: Rejection & { code: "transition_not_allowed" }): Problem {
  const { from, to, allowed } = rejection;
  const rule =
    allowed.length === 0
      ? `${from} is final`
      : `from ${from} it can become ${allowed.join(" or ")} only`;
  return {
    code: "transition_not_allowed",
    detail: `The print job is ${from} and cannot become ${to}: ${rule}.`,
    members: { from, to, allowed },
  };
}

// The numbers stand in the sentence for people and as members for programs: neither has to do sums.

function notEnoughFilament(rejection: Rejection & { code: "not_enough_filament" }): Problem {
  const { filament_id, remaining, reserved, asked } = rejection;
  const available = remaining - reserved;
  return {
    code: "not_enough_filament",
    detail: `Filament ${idText(filament_id)} has ${remaining} g remaining, of which ${reserved} g are reserved by Queued and Running jobs. That leaves ${available} g; the job needs ${asked} g.`,
    members: { filament_id, remaining, reserved, available, asked },
  };
}

function inUse(rejection: Rejection & { code: "in_use" }): Problem {
  const { kind, id, jobs } = rejection;
  const holders = jobs === 1 ? "1 print job that is" : `${jobs} print jobs that are`;
  return {
    code: "in_use",
    detail: `The ${NAMES[kind]} ${idText(id)} has ${holders} Queued or Running. Finish or cancel them before deleting it.`,
    members: { id, jobs },
  };
}

function weightConflict(rejection: Rejection & { code: "weight_conflict" }): Problem {
  const { total, remaining, reserved } = rejection;
  const reason =
    remaining > total
      ? `the remaining weight (${remaining} g) would exceed the total (${total} g)`
      : `the remaining weight (${remaining} g) would be less than the ${reserved} g reserved by Queued and Running jobs`;
  return {
    code: "weight_conflict",
    detail: `The change is refused because ${reason}.`,
    members: { total, remaining, reserved },
  };
}

/** An id as it stands in JSON: a number bare, a string in quotes. */
function idText(id: Id): string {
  return typeof id === "number" ? String(id) : quote(id);
}

// The same reason means two things: a write was not proposed, so it can be repeated without a
// thought; a read was not confirmed, and there is another way to have it.

interface Reason {
  readonly code: ProblemCode;
  readonly because: string;
  readonly advice: string;
}

const UNAVAILABLE: Readonly<Record<Unavailable, Reason>> = {
  "no-leader": {
    code: "no_leader",
    because: "This node knows of no leader that it can reach",
    advice: "An election takes about a second; try again, or ask another node.",
  },
  "not-current": {
    code: "not_current",
    because: "This node has a leader and could not catch up with it in time",
    advice: "Try again shortly, or ask another node.",
  },
  overloaded: {
    code: "overloaded",
    because: "This node has as many requests in flight as it takes",
    advice: "Try again shortly, with fewer requests at a time.",
  },
  forming: {
    code: "cluster_forming",
    because: "This node does not belong to a formed cluster yet",
    advice: "Try again shortly.",
  },
  stopping: {
    code: "shutting_down",
    because: "This node is shutting down",
    advice: "Ask another node.",
  },
};

/** For a write: nothing was proposed. */
export function unavailableWrite(unavailable: Unavailable): Problem {
  const { code, because, advice } = UNAVAILABLE[unavailable];
  return { code, detail: `${because}, so nothing was proposed. ${advice}` };
}

/** For a read: nobody confirmed that the answer would be current. */
export function unavailableRead(unavailable: Unavailable): Problem {
  const { code, because, advice } = UNAVAILABLE[unavailable];
  return {
    code,
    detail: `${because}, so it cannot make sure that its answer is current. ${advice} With ?consistency=stale it answers from its own state.`,
  };
}

export const OUTCOME_UNKNOWN: Problem = {
  code: "outcome_unknown",
  detail:
    "The command was proposed, but it is not known whether it was carried out, and it may still be. Repeat the request under the same Idempotency-Key to learn the outcome without doing it twice.",
};
