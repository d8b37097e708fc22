// A group as tests and benchmarks open it: founded, with nothing in its log.

import type { GroupConfig } from "../core.ts";
import type { ConfState } from "../messages.ts";

export function votersOnly(...voters: readonly number[]): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

export function foundedConfig(id: number, confState: ConfState): GroupConfig {
  return {
    id,
    electionTicks: 10,
    heartbeatTicks: 1,
    messageBytesMax: 1 << 20,
    inflightMessagesMax: 256,
    uncommittedBytesMax: 1 << 26,
    committedBytesMax: 1 << 20,
    base: { index: 1, term: 1 },
    snapshot: { index: 1, term: 1 },
    confState,
    hardState: { term: 1, vote: 0, commit: 1 },
  };
}
