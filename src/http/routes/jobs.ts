// /api/v1/print_jobs, with the filters of its list and the change of status, the only change there
// is: a print job is neither edited nor deleted, it is history from the moment it is queued.

import type { JobStatus, PrintJob } from "../../fsm/objects.ts";
import { idKey } from "../../fsm/objects.ts";
import { askBody, askIfMatch, askKey, askQuery, checkForm } from "../ask.ts";
import { changeJobStatus, createJob } from "../commands.ts";
import type { Exchange } from "../exchange.ts";
import { newPrintJob, statusChange } from "../forms.ts";
import { sendList } from "../list.ts";
import { fieldProblem } from "../problems.ts";
import * as query from "../query.ts";
import { settle } from "../read.ts";
import type { Method, Route } from "../route.ts";
import { BODY_PROBLEMS, CHANGE_PROBLEMS } from "../route.ts";
import { printJob } from "../schemas.ts";
import { jobStatus } from "../status.ts";
import { write } from "../write.ts";
import type { Collection } from "./collection.ts";
import { answer, createRoute, JSON_BODY, listOperation, PAGING, readRoute } from "./collection.ts";

const JOBS: Collection<PrintJob> = {
  kind: "print_job",
  path: "/api/v1/print_jobs",
  noun: "print job",
  nouns: "print jobs",
  name: "PrintJob",
  names: "PrintJobs",
  tag: "Print jobs",
  schema: printJob,
  table: (farm) => farm.jobs,
};

const LIST_QUERY = {
  status: query.statusFilter,
  printer_id: query.printerFilter,
  filament_id: query.filamentFilter,
  ...PAGING,
};

interface Filters {
  readonly status: ReadonlySet<JobStatus> | undefined;
  readonly printer_id: ReadonlySet<string> | undefined;
  readonly filament_id: ReadonlySet<string> | undefined;
}

/** Null: every job is wanted. */
function filterOf(filters: Filters): ((job: PrintJob) => boolean) | null {
  const { status, printer_id: printers, filament_id: filaments } = filters;
  if (status === undefined && printers === undefined && filaments === undefined) return null;
  return (job) =>
    (status?.has(job.status) ?? true) &&
    (printers?.has(idKey(job.printer_id)) ?? true) &&
    (filaments?.has(idKey(job.filament_id)) ?? true);
}

const listJobs: Route = {
  method: "GET",
  path: JOBS.path,
  operation: { ...listOperation(JOBS), query: LIST_QUERY },
  handle: async (exchange) => {
    const asked = askQuery(exchange, LIST_QUERY);
    if (asked === null || !(await settle(exchange, asked.consistency))) return;
    const { cursor: after = 0, limit = null } = asked;
    const table = exchange.context.node.farm.jobs;
    await sendList(exchange, { table, filter: filterOf(asked), after, limit });
  },
};

const STATUS_QUERY = { status: query.newStatus };

/** The status that is asked for in the query, the body, or both; null if that has been answered. */
function askedStatus(exchange: Exchange): JobStatus | null {
  const asked = askQuery(exchange, STATUS_QUERY);
  if (asked === null) return null;
  const body = askBody(exchange);
  if (body === null) return null;
  // Many clients cannot send a POST without a body and make it {}: that says nothing, like no body.
  const checked = body === "none" ? {} : checkForm(exchange, statusChange, body);
  if (checked === null) return null;
  const inQuery = asked.status ?? null;
  const inBody = checked.status === undefined ? null : jobStatus(checked.status);
  const to = inQuery ?? inBody;
  if (to !== null && (inQuery === null || inBody === null || inQuery === inBody)) return to;
  const message =
    to === null
      ? "is missing: say which status the print job is to have, as ?status=running or in a JSON body"
      : `must be the same in the query (${inQuery}) and in the body (${inBody}), or stand in one of them only`;
  exchange.problem(fieldProblem("invalid_fields", [{ field: "status", message }]));
  return null;
}

/** POST as the specification has it, PUT as others expect it: both mean the same command. */
function statusRoute(method: Method, id: string): Route {
  return {
    method,
    path: `${JOBS.path}/:id/status`,
    operation: {
      id,
      tag: JOBS.tag,
      summary: "Change the status of a print job",
      description:
        "Queued → Running → Done; Queued or Running → Canceled. When a print job is Done its weight is taken off the filament, once. The status stands in the query or in the body; if in both, they must agree.",
      idOf: JOBS.noun,
      query: STATUS_QUERY,
      headers: ["If-Match", "Idempotency-Key"],
      body: { form: statusChange, required: false, mediaTypes: JSON_BODY },
      answers: {
        200: answer("The print job with its new status.", printJob, [
          "ETag",
          "Idempotency-Replayed",
        ]),
      },
      problems: [...CHANGE_PROBLEMS, ...BODY_PROBLEMS, "transition_not_allowed"],
    },
    handle: (exchange) => {
      const key = askKey(exchange, JOBS.kind);
      if (key === null) return;
      const expected = askIfMatch(exchange);
      if (expected === undefined) return;
      const to = askedStatus(exchange);
      if (to === null) return;
      return write(exchange, JOBS.path, changeJobStatus(key, expected, to));
    },
  };
}

export const jobRoutes: readonly Route[] = [
  createRoute(JOBS, newPrintJob, ["unknown_reference", "not_enough_filament"], createJob),
  listJobs,
  readRoute(JOBS),
  statusRoute("POST", "changePrintJobStatus"),
  statusRoute("PUT", "putPrintJobStatus"),
];
