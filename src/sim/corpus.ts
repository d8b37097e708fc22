/**
 * Seeds that are run every time: short ones, which between them draw every fault beside every other, every
 * size, both wires and a wide range of settings; and some that are narrowed. What a seed stands for changes with the drawing
 * (swarm.ts, fate*.ts, errands.ts); then these are chosen anew. docs/testing.md has the failures that seeds
 * of earlier drawings found, and the tests that hold them now.
 */
export const CORPUS: readonly number[] = [
  5, 6, 8, 9, 23, 26, 31, 36, 38, 43, 59, 65, 107, 146, 172, 173, 177, 189, 195, 241, 243, 245,
  // Narrowed (focus.ts): hangs, snapshots, clients.
  318, 335, 348, 317, 410, 344, 404, 416,
];

/** Seeds of the present drawing that failed once. They are run every time, too. */
export const FAILED_ONCE: readonly number[] = [
  // The simulator's own: a write that strayed into the history was meant for the log, and was missing there.
  100028,
  // Its own as well: hangs one after the other, each short, were taken for one that a node did not end over.
  327,
];
