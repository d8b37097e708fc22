// What a server says when it refuses (RFC 9457), in the words of the command line: its sentence,
// the fields it names, and the stable code, which is what a script or a search engine wants.
// Everything in it may come from somebody else, and is made harmless for a terminal.

import type { HttpAnswer } from "../../env/node/http-client.ts";
import { Failure } from "../failure.ts";
import { fieldText, isObject, parseObject } from "../json.ts";
import { printable } from "../text.ts";

export interface Problem {
  readonly status: number;
  /** "none" where the answer is not Raft3D's. */
  readonly code: string;
  readonly detail: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
}

export function problemOf(answer: HttpAnswer): Problem {
  const { status } = answer;
  // A proxy sends pages of its own.
  const { code, detail, errors } = parseObject(answer.body) ?? {};
  if (typeof code !== "string" || typeof detail !== "string") {
    const about = `The server answered with status ${status}, and not in the form of Raft3D.`;
    return {
      status,
      code: "none",
      detail: `${about} Is --endpoint a node's HTTP address?`,
      errors: [],
    };
  }
  const fields = Array.isArray(errors) ? errors.filter(isObject) : [];
  return {
    status,
    code,
    detail,
    errors: fields.map(({ field, message }) => ({
      field: fieldText(field),
      message: fieldText(message),
    })),
  };
}

/** The server's answer is final: asking again would not change it. */
export class ProblemFailure extends Failure {
  readonly problem: Problem;

  constructor(problem: Problem, advice: string | null = null) {
    const { code, detail, errors, status } = problem;
    // One wrong field stands in the sentence already.
    const fields = errors.length < 2 ? [] : errors.map((it) => `  ${it.field}: ${it.message}`);
    const lines = [detail, ...fields, `  (${code}, status ${status})`];
    if (advice !== null) lines.push(advice);
    super(lines.map(printable).join("\n"));
    this.problem = problem;
  }
}
