// /api/v1/cluster: where the cluster stands, as this node sees it. Answered without a quorum: this
// is what people ask when there is none.

import type { MemberStatus, NodeStatus } from "../../node/api.ts";
import { askQuery } from "../ask.ts";
import type { Route } from "../route.ts";
import { ANY_PROBLEMS } from "../route.ts";
import { cluster } from "../schemas.ts";
import { answer } from "./collection.ts";

function presentMember(member: MemberStatus) {
  return {
    id: member.id,
    role: member.role,
    state: member.state,
    peer: member.peer,
    http: member.http,
    match_index: member.matchIndex,
    lag: member.lag,
    reachable: member.reachable,
  };
}

function presentCluster(status: NodeStatus) {
  return {
    cluster_id: status.clusterId,
    node_id: status.nodeId,
    leader_id: status.leaderId,
    term: status.term,
    commit_index: status.commitIndex,
    applied_index: status.appliedIndex,
    state_hash: status.stateHash,
    members: status.members.map(presentMember),
  };
}

export const clusterRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/cluster",
    operation: {
      id: "getCluster",
      tag: "Cluster",
      summary: "Show the cluster",
      description: "Answered from this node's own knowledge, also without a quorum.",
      answers: { 200: answer("The cluster as this node sees it.", cluster, []) },
      problems: ANY_PROBLEMS,
    },
    handle: (exchange) => {
      if (askQuery(exchange, {}) === null) return;
      exchange.json(200, presentCluster(exchange.context.node.status()));
    },
  },
];
