// What a planted bug is: a patch of the sources, and never a switch in them. Production code knows
// nothing of it; it exists in a copy of the tree that is thrown away (workshop.ts).

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AssertionError } from "../../src/base/assert.ts";

/** The classes of bugs found in systems like this one, as docs/mutants.md lists them. */
export const BUG_CLASSES = {
  B1: "the applied index and the state are saved apart",
  B2: "acknowledged before it is on the disk",
  B3: "a linearizable read that is stale",
  B4: "a read is served before an entry of the leader's own term is committed",
  B5: "a read on a lease that ran out unnoticed",
  B6: "two leaders, or one that replaces what another acknowledged",
  B7: "a gap between the snapshot and the log",
  B10: "what was never synced is counted on",
  B11: "a flipped bit is believed, or takes good data with it",
  B12: "bytes that were never synced are taken for entries",
  B13: "a torn write is taken for a whole one, or damage for a torn write",
  B14: "a name that is not on the disk; writes that overtake each other",
  B15: "a failed write or sync is tried again",
  B16: "a leader that cannot work keeps its leadership",
  B17: "a full disk is passed over",
  B18: "a node comes back without its memory",
  B19: "an installed snapshot and the state go apart",
  B20: "a snapshot that was never restored is started from",
  B22: "snapshots get in each other's way, or are offered without end",
  B23: "a repeated request happens twice, or is told the wrong thing",
  B27: "elections where none is needed",
  B28: "liveness depends on a quorum",
  B31: "one slow part holds up all",
  B30: "two nodes apply the same entry differently",
  wire: "what a peer or a network sends is believed",
  rule: "a rule of the print shop or of the interface is broken",
  events: "the history has a hole or a repeat that nobody is told of",
} as const;

export type BugClass = keyof typeof BUG_CLASSES;

export interface Edit {
  /** Relative to the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly class: BugClass;
  /** The bug in one sentence, as its author would never have written it. */
  readonly story: string;
  readonly edits: readonly Edit[];
  /** Why the simulator cannot meet it, where that is so; then it is not asked. */
  readonly outsideSimulator?: string;
  /** Paths whose tests are run: for vitest, or `core` for the tests in Go. */
  readonly units: readonly string[];
}

/** `text` with an edit made; throws unless its place is there exactly once. */
export function applyEdit(text: string, edit: Edit, mutant: string): string {
  const at = text.indexOf(edit.find);
  const wrong = (what: string): never => {
    throw new AssertionError(`mutant ${mutant}: ${edit.file} ${what}:\n${edit.find}`);
  };
  if (at < 0) return wrong("no longer holds the text that it changes");
  if (text.includes(edit.find, at + 1)) return wrong("holds the text that it changes twice");
  if (edit.find === edit.replace) return wrong("would stay as it is");
  return text.slice(0, at) + edit.replace + text.slice(at + edit.find.length);
}

/** Changes the files below `root`; returns what puts them back. */
export function plant(root: string, mutant: Mutant): () => void {
  const before = new Map<string, string>();
  const restore = (): void => {
    for (const [path, text] of before) writeFileSync(path, text);
  };
  try {
    for (const edit of mutant.edits) {
      const path = join(root, edit.file);
      const text = readFileSync(path, "utf8");
      if (!before.has(path)) before.set(path, text);
      writeFileSync(path, applyEdit(text, edit, mutant.name));
    }
  } catch (thrown) {
    restore();
    throw thrown;
  }
  return restore;
}

/** As `plant`, beside others that were planted; null if they have changed the same place. */
export function tryPlant(root: string, mutant: Mutant): (() => void) | null {
  try {
    return plant(root, mutant);
  } catch (thrown) {
    if (thrown instanceof AssertionError) return null;
    throw thrown;
  }
}

/** Whether the consensus core has to be compiled anew. */
export function isInCore(mutant: Mutant): boolean {
  return mutant.edits.some(({ file }) => file.startsWith("core/"));
}
