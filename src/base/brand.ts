// The numbers of Raft, told apart by the compiler. Each is made in one checked place; 2^53 log entries
// at a million a second would take 285 years, so a safe integer is enough for etcd's uint64.

import { assert } from "./assert.ts";

declare const brand: unique symbol;
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** A position in the Raft log; the first entry a new cluster writes is 2 (1 is the founding snapshot). */
export type LogIndex = Brand<number, "LogIndex">;
/** A Raft term. */
export type Term = Brand<number, "Term">;
/** A node's id: 1 to 2^32 − 1, never used twice in a cluster's life. */
export type NodeId = Brand<number, "NodeId">;

export const NODE_ID_MAX = 0xffff_ffff;

export function logIndex(value: number): LogIndex {
  assert(Number.isSafeInteger(value) && value >= 0, () => `bad log index ${value}`);
  return value as LogIndex;
}

export function term(value: number): Term {
  assert(Number.isSafeInteger(value) && value >= 0, () => `bad term ${value}`);
  return value as Term;
}

export function nodeId(value: number): NodeId {
  assert(isNodeId(value), () => `bad node id ${value}`);
  return value as NodeId;
}

export function isNodeId(value: number): value is NodeId {
  return Number.isInteger(value) && value >= 1 && value <= NODE_ID_MAX;
}
