/**
 * Seeds that are run every time: short ones, which between them draw every fault, every size, both wires
 * and a wide range of settings. 6: events of the file being written rot, and a page that meets rot gave
 * what stands before it twice. docs/mutants.md says which planted bugs each of them finds.
 */
export const CORPUS: readonly number[] = [
  5, 6, 8, 9, 23, 26, 31, 35, 36, 38, 43, 56, 59, 65, 75, 80, 86, 97, 99, 109, 113,
];
