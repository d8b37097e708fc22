// What a node answers about the cluster and its events, for tests of the commands that read it.

import type { ServerResponse } from "node:http";
import { type SeenRequest, sendJson } from "./fakes.ts";

export interface FakeNodeState {
  readonly nodeId: number;
  readonly leaderId: number | null;
  readonly appliedIndex: number;
  readonly stateHash?: string;
  readonly members: readonly {
    readonly id: number;
    readonly http: string | null;
    readonly lag?: number;
    readonly reachable?: boolean;
  }[];
}

export function sendCluster(response: ServerResponse, state: FakeNodeState): void {
  sendJson(response, 200, {
    cluster_id: "c0ffee",
    node_id: state.nodeId,
    leader_id: state.leaderId,
    term: 7,
    commit_index: state.appliedIndex,
    applied_index: state.appliedIndex,
    state_hash: state.stateHash ?? null,
    members: state.members.map((member) => ({
      id: member.id,
      role: "voter",
      state: member.id === state.leaderId ? "leader" : "follower",
      peer: `127.0.0.1:${9000 + member.id}`,
      http: member.http,
      match_index: null,
      lag: member.lag ?? null,
      reachable: member.reachable ?? true,
    })),
  });
}

/** An event's line as a node would serve it; the hash is the caller's affair. */
export function eventLine(index: number, hash = "0000000000000000"): string {
  return JSON.stringify({
    index,
    term: 1,
    time: "2026-11-22T14:30:00.000Z",
    type: "printer.created",
    data: { id: index, company: "a b", model: "c" },
    hash,
  });
}

/** Answers GET /api/v1/events as a node does that holds these lines, `perPage` at a time. */
export function sendEvents(
  request: SeenRequest,
  response: ServerResponse,
  lines: readonly string[],
  lastIndex: number,
  perPage: number,
): void {
  const url = new URL(request.url, "http://node");
  const after = Number(url.searchParams.get("after"));
  const behind = lines.filter((line) => indexOf(line) > after);
  const page = behind.slice(0, perPage);
  const isAll = page.length === behind.length;
  const through = isAll ? lastIndex : indexOf(page.at(-1) ?? "{}");
  response.setHeader("raft3d-events-through", String(Math.max(through, after)));
  if (!isAll) response.setHeader("link", `<${url.pathname}?after=${through}>; rel="next"`);
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.end(page.map((line) => `${line}\n`).join(""));
}

export function indexOf(line: string): number {
  return (JSON.parse(line) as { readonly index: number }).index; // lines of `eventLine`
}
