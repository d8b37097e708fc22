// What the exit codes of a node mean, for people. The codes themselves belong to node/fatal.ts.

import type { ChildEnd } from "../../env/node/process.ts";
import { EXIT_CODES, type FatalReason } from "../../node/fatal.ts";

const MEANINGS: Readonly<Record<FatalReason, string>> = {
  "bad-configuration": "its options are wrong",
  "directory-locked": "another process holds its data folder",
  "directory-refused": "its data folder is damaged, or belongs to another node or cluster",
  "disk-failed": "a write to its disk failed",
  "disk-stalled": "its disk hangs",
  "core-trapped": "its consensus core found its state contradicted",
  "version-unknown": "its log holds entries of a newer version of the program",
  "refused-by-cluster": "the other nodes know it with another data folder",
  diverged: "its state differs from that of the majority",
  "address-unavailable": "an address to listen on cannot be had",
  bug: "a bug in Raft3D",
};

/** How a process ended, as the rest of a sentence: "ended with exit code 12: …". */
export function describeEnd(end: ChildEnd): string {
  if (end.signal !== null) return `was ended by ${end.signal}`;
  const reasons = Object.keys(EXIT_CODES) as readonly FatalReason[]; // the keys of that very object
  const reason = reasons.find((one) => EXIT_CODES[one] === end.code);
  const meaning = reason === undefined ? "" : `: ${MEANINGS[reason]} (${reason})`;
  return `ended with exit code ${end.code}${meaning}`;
}
