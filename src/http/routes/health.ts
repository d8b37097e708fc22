// For machines that watch machines. /livez says that the process answers, and nothing about the
// cluster: an orchestrator that restarts nodes because there is no quorum makes the outage longer.
// /readyz says whether this node can serve now, in the lines that etcd and Kubernetes made
// customary.

import { Type } from "typebox";

import type { NodeStatus } from "../../node/api.ts";
import { askQuery } from "../ask.ts";
import type { Exchange } from "../exchange.ts";
import { RETRY_AFTER_SECONDS } from "../problems.ts";
import * as query from "../query.ts";
import type { HttpContext } from "../context.ts";
import type { Route } from "../route.ts";
import { ANY_PROBLEMS } from "../route.ts";

const TEXT_MEDIA_TYPE = "text/plain; charset=utf-8";

/** Supervisors ask every few seconds and wait for one or two. */
const READY_READ_MS_MAX = 1000;

const QUERY = { verbose: query.verbose };

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What it means that the check fails. */
  readonly otherwise: string;
}

/** In the order in which they come true when a node starts. */
function readyChecks(status: NodeStatus, draining: boolean): readonly Check[] {
  const { formed, leader, caughtUp, disk } = status.checks;
  return [
    { name: "cluster", ok: formed, otherwise: "the cluster has not formed yet" },
    { name: "leader", ok: leader, otherwise: "no leader is known" },
    { name: "applied", ok: caughtUp, otherwise: "still applying the log" },
    { name: "disk", ok: disk, otherwise: "the disk does not complete writes" },
    { name: "shutdown", ok: !draining, otherwise: "shutting down" },
  ];
}

function isReady(status: NodeStatus, draining: boolean): boolean {
  return readyChecks(status, draining).every((check) => check.ok);
}

/** Whether a linearizable read is confirmed within the bound. */
function isCurrent({ clock, node }: HttpContext): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(READY_READ_MS_MAX, () => resolve(false));
    void node.barrier().then((result) => {
      timer.cancel();
      resolve(result.kind === "ok");
    });
  });
}

function sendChecks(exchange: Exchange, checks: readonly Check[], verbose: boolean): void {
  const ok = checks.every((check) => check.ok);
  const lines = checks.map(({ name, ok: holds, otherwise }) =>
    holds ? `[+]${name} ok` : `[-]${name} failed: ${otherwise}`,
  );
  const verdict = ok ? "ok" : "not ready";
  // What fails is said without being asked for: whoever sees the status wants to know.
  const text = verbose || !ok ? [...lines, verdict] : [verdict];
  if (!ok) exchange.header("Retry-After", String(RETRY_AFTER_SECONDS));
  exchange.header("Cache-Control", "no-store");
  exchange.send(ok ? 200 : 503, TEXT_MEDIA_TYPE, `${text.join("\n")}\n`);
}

const text = (description: string) => ({
  description,
  content: { "text/plain": Type.String() },
});

const livez: Route = {
  method: "GET",
  path: "/livez",
  operation: {
    id: "getLiveness",
    tag: "Health",
    summary: "Whether the process is alive",
    description: "200 as long as the process answers, also without a quorum.",
    query: QUERY,
    answers: { 200: text("It is alive.") },
    problems: ANY_PROBLEMS,
  },
  handle: (exchange) => {
    const asked = askQuery(exchange, QUERY);
    if (asked === null) return;
    const checks = [{ name: "process", ok: true, otherwise: "" }];
    sendChecks(exchange, checks, asked.verbose ?? false);
  },
};

const readyz: Route = {
  method: "GET",
  path: "/readyz",
  operation: {
    id: "getReadiness",
    tag: "Health",
    summary: "Whether this node can serve now",
    description:
      "503 while there is no leader, the log is still being applied, the disk hangs, or this node cannot confirm within a second that it is current.",
    query: QUERY,
    answers: {
      200: text("It can serve."),
      503: { ...text("It cannot; the lines say why."), headers: ["Retry-After"] },
    },
    problems: ANY_PROBLEMS,
  },
  handle: async (exchange) => {
    const asked = askQuery(exchange, QUERY);
    if (asked === null) return;
    const { node, draining } = exchange.context;
    const checks = readyChecks(node.status(), draining());
    // A node that has fallen behind cannot tell by itself: it knows as little of the commit index as of
    // the entries. Whether it can answer a linearizable read is the question, so one is asked for.
    const ok = checks.every((check) => check.ok) && (await isCurrent(exchange.context));
    const otherwise = "it cannot confirm that it is current";
    sendChecks(exchange, [...checks, { name: "read", ok, otherwise }], asked.verbose ?? false);
  },
};

const metrics: Route = {
  method: "GET",
  path: "/metrics",
  operation: {
    id: "getMetrics",
    tag: "Health",
    summary: "Numbers for Prometheus",
    answers: { 200: text("The metrics in Prometheus' text format.") },
    problems: ANY_PROBLEMS,
  },
  handle: async (exchange) => {
    if (askQuery(exchange, {}) === null) return;
    const { draining, live, metrics: numbers, node } = exchange.context;
    const status = node.status();
    const server = { ready: isReady(status, draining()), liveStreams: live.size };
    exchange.send(200, numbers.mediaType, await numbers.render(status, server));
  },
};

export const healthRoutes: readonly Route[] = [livez, readyz, metrics];
