// What Raft3D is to reach beside etcd and beside a bare server, and what it reached in this run.

import { median } from "../../src/cli/bench/report.ts";
import { plural } from "../../src/cli/text.ts";
import { markdownTable } from "./markdown.ts";
import { type Operation, type Sample, perSecond, ratios } from "./samples.ts";
import { ECHO, ETCD, RAFT3D, type Through } from "./systems.ts";

/** Where load goes, and what it is. */
interface Place {
  readonly system: string;
  readonly operation: Operation;
  readonly connections: number;
  readonly through: Through;
}

interface Target {
  readonly what: string;
  readonly of: Place;
  readonly to: Place;
  /** Of rates at least this much, of latencies at most. */
  readonly figure: "rate" | "p99";
  readonly bound: number;
}

/** Of etcd's creates, by connections. */
const OF_ETCD = [
  [1, 1.2],
  [16, 2.5],
  [64, 3.5],
  [256, 4],
] as const;
/** No longer than etcd's. */
const P99_OF_ETCD = 1;

const CREATE = { system: RAFT3D, operation: "create", through: "leader" } as const;
const GET = { system: RAFT3D, operation: "get", through: "leader", connections: 64 } as const;
const ECHO_GET: Place = { ...GET, system: ECHO };

export const TARGETS: readonly Target[] = [
  ...OF_ETCD.flatMap(([connections, bound]): readonly Target[] => {
    const of = { ...CREATE, connections };
    const to = { ...of, system: ETCD };
    const at = `at ${plural(connections, "connection")}, of etcd`;
    return [
      { what: `creates ${at}`, of, to, figure: "rate", bound },
      { what: `p99 of creates ${at}`, of, to, figure: "p99", bound: P99_OF_ETCD },
    ];
  }),
  {
    what: "creates at 256 connections, of bare node:http",
    of: { ...CREATE, connections: 256 },
    to: { ...CREATE, connections: 256, system: ECHO },
    figure: "rate",
    bound: 0.55,
  },
  {
    what: "creates through a follower at 64, of those through the leader",
    of: { ...CREATE, connections: 64, through: "follower" },
    to: { ...CREATE, connections: 64 },
    figure: "rate",
    bound: 0.8,
  },
  {
    what: "linearizable reads at the leader at 64, of bare node:http",
    of: GET,
    to: ECHO_GET,
    figure: "rate",
    bound: 0.6,
  },
  {
    what: "linearizable reads at a follower at 64, of bare node:http",
    of: { ...GET, through: "follower" },
    to: ECHO_GET,
    figure: "rate",
    bound: 0.5,
  },
];

/** In each round. Empty where it was not measured in every one. */
export function reached(target: Target, samples: readonly Sample[]): readonly number[] {
  const at = (place: Place): readonly Sample[] =>
    samples.filter(
      (sample) =>
        sample.system === place.system &&
        sample.operation === place.operation &&
        sample.connections === place.connections &&
        sample.through === place.through,
    );
  const figure = ({ closed }: Sample): number =>
    target.figure === "rate" ? perSecond(closed) : closed.p99;
  return ratios(at(target.of), at(target.to), figure);
}

export function isMet({ bound, figure }: Target, value: number): boolean {
  return figure === "rate" ? value >= bound : value <= bound;
}

export function verdict(samples: readonly Sample[]): string {
  const rows = TARGETS.map((target) => {
    const all = reached(target, samples);
    const wanted = `${target.figure === "rate" ? "≥" : "≤"} ${target.bound.toFixed(2)}`;
    if (all.length === 0) return [target.what, wanted, "", "", "not measured"];
    const value = median(all);
    const byRound = all.map((one) => one.toFixed(2)).join(" ");
    return [target.what, wanted, value.toFixed(2), byRound, isMet(target, value) ? "yes" : "no"];
  });
  return markdownTable(["", "target", "reached", "by round", "met"], rows);
}
