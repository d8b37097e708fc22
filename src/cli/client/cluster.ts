// Where the cluster stands. One node is asked for what it knows; then every member is asked for
// what only it knows itself, how far it has applied the log, and the leader's view of who lags
// behind is taken over.
//
// Works without a quorum: this is the command of somebody who wants to know why there is none. A
// member that does not answer is shown with what the others know of it.

import { Failure } from "../failure.ts";
import { type JsonObject, isObject, parseObject, prettyJson } from "../json.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { type Cell, renderTable } from "../table.ts";
import { printable } from "../text.ts";
import { type Client, bodyOf } from "./client.ts";
import { probe } from "./probe.ts";

const CLUSTER_PATH = "/api/v1/cluster";

/** A member that does not answer in this time is shown without what only it knows. */
const MEMBER_MS_MAX = 1000;

interface MemberView {
  readonly id: number;
  readonly role: string;
  readonly state: string | null;
  readonly peer: string;
  readonly http: string | null;
  readonly lag: number | null;
  readonly reachable: boolean;
}

/** What one node says about the cluster. */
export interface ClusterView {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly leaderId: number | null;
  readonly term: number;
  readonly appliedIndex: number;
  /** The hash of the state at the applied index; null where the node does not tell. */
  readonly stateHash: string | null;
  readonly members: readonly MemberView[];
}

/**
 * Null where it is not the answer of a node. Fields that this version does not need may be missing
 * or new: the command line must be able to ask a node of another version what is the matter.
 */
export function parseCluster(value: unknown): ClusterView | null {
  if (!isObject(value) || !Array.isArray(value["members"])) return null;
  const { cluster_id, leader_id, node_id, term, applied_index, state_hash } = value;
  if (typeof cluster_id !== "string" || typeof node_id !== "number") return null;
  return {
    clusterId: cluster_id,
    nodeId: node_id,
    leaderId: numberOrNull(leader_id),
    term: numberOrNull(term) ?? 0,
    appliedIndex: numberOrNull(applied_index) ?? 0,
    stateHash: textOrNull(state_hash),
    members: value["members"].filter(isObject).map(parseMember),
  };
}

function parseMember(member: JsonObject): MemberView {
  const { id, role, state, peer, http, lag, reachable } = member;
  return {
    id: numberOrNull(id) ?? 0,
    role: textOrNull(role) ?? "-",
    state: textOrNull(state),
    peer: textOrNull(peer) ?? "-",
    http: textOrNull(http),
    lag: numberOrNull(lag),
    reachable: reachable === true,
  };
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export async function askCluster(client: Client): Promise<ClusterView> {
  const view = parseCluster(await client.json({ method: "GET", path: CLUSTER_PATH }));
  if (view === null)
    throw new Failure("The answer is not that of a Raft3D node. Is --endpoint right?");
  return view;
}

/** What the node at this address says; null if it does not answer. */
export async function peekCluster(
  session: Pick<Session, "http">,
  origin: string,
): Promise<ClusterView | null> {
  const request = { origin, method: "GET", path: CLUSTER_PATH, timeoutMs: MEMBER_MS_MAX };
  const answer = await probe(session.http, request);
  return answer?.status === 200 ? parseCluster(parseObject(answer.body)) : null;
}

export async function showStatus(
  session: Session,
  client: Client,
  options: { readonly json: boolean },
): Promise<void> {
  const { answer, endpoint } = await client.ask({ method: "GET", path: CLUSTER_PATH });
  const body: unknown = bodyOf(answer);
  const view = parseCluster(body);
  if (view === null)
    throw new Failure("The answer is not that of a Raft3D node. Is --endpoint right?");
  if (options.json) {
    session.terminal.out(prettyJson(body));
    return;
  }
  // The leader alone knows how far behind the others are: its answer is among these, if it answers.
  const own = await Promise.all(view.members.map((member) => ownView(session, view, member)));
  const leader = own.find((it) => it?.nodeId === view.leaderId) ?? null;
  const lags = new Map(leader?.members.map((member) => [member.id, member.lag]));
  const { terminal } = session;
  const led = view.leaderId === null ? "no leader" : `leader ${view.leaderId}`;
  const facts = [led, `term ${view.term}`, `as node ${view.nodeId} sees it`];
  terminal.out(`Cluster ${printable(view.clusterId)}: ${facts.join(", ")} (${endpoint})\n\n`);
  const columns = [
    { title: "ID", isNumber: true },
    { title: "ROLE" },
    { title: "STATE" },
    { title: "APPLIED", isNumber: true },
    { title: "LAG", isNumber: true },
    { title: "HTTP" },
    { title: "PEER" },
    { title: "REACHABLE" },
  ];
  const rows = view.members.map((member, at): readonly Cell[] => [
    String(member.id),
    member.role,
    stateCell(member, own[at] !== null),
    shown(own[at]?.appliedIndex),
    shown(lags.get(member.id) ?? member.lag),
    member.http ?? "-",
    member.peer,
    member.reachable ? "yes" : { text: "no", style: "red" },
  ]);
  terminal.out(renderTable(terminal, columns, rows));
  if (view.leaderId === null) {
    terminal.err(paint(terminal, "yellow", "Without a leader nothing can be written.\n"));
  }
}

async function ownView(
  session: Session,
  view: ClusterView,
  member: MemberView,
): Promise<ClusterView | null> {
  if (member.id === view.nodeId) return view;
  return member.http === null ? null : peekCluster(session, `http://${member.http}`);
}

/** A node that can be reached by nobody here is not shown in the role it had when it was. */
function stateCell(member: MemberView, answers: boolean): Cell {
  if (!answers && !member.reachable) return { text: "down", style: "red" };
  const text = member.state ?? "-";
  return text === "leader" ? { text, style: "green" } : text;
}

function shown(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : String(value);
}
