/**
 * Seeds that are run every time: short ones, which between them draw every fault, every size, both wires
 * and a wide range of settings. docs/mutants.md says which planted bugs each of them finds.
 */
export const CORPUS: readonly number[] = [
  5,
  // Events of the file being written rot: a page that met rot gave what stands before it twice.
  6, 8, 9, 23, 26, 31, 35, 36, 38, 43, 56, 59, 65, 75, 80, 86, 97, 99, 109, 113,
  // A file of events vanishes under a running node: it said so to readers, and never fetched it anew.
  10087,
  // The simulator's own: a snapshot was sent for ever to a node that had died over it.
  10482,
];

/** Seeds that failed once and take long: `npm run sim -- --corpus` runs these, too. */
export const LONG_CORPUS: readonly number[] = [
  // The checker's own: a burst of requests that met one drawn-out election passed for a stall.
  10161,
  // As 10087, of a file that was sealed.
  10308,
  // As 10482.
  10331,
  // The simulator's own: a receiver whose disk was full was never told that its transfer had ended.
  12962, 14484,
  // The checker's own: a write said that the disk was full after there was room again.
  14849,
  // A snapshot that could not be read once was renamed, the power failed, and nothing was left to start from.
  13701,
];
