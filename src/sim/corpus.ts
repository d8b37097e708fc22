/**
 * Seeds that are run every time. Each stands for what it caught, or for what its swarm covers:
 * 26, 58, 98, 112: an acknowledgement before the sync was planted; 1, 6, 8, 9, 112, 142: a read without
 * ReadIndex; 6, 9, 14, 142: a proposal applied twice; 1, 2, 4, 142: "never proposed" said of a proposal;
 * 142 itself: time stood still at a wait shorter than the clock can tell. 1, 112 and 142 run the
 * transport over simulated byte streams; 31 is a single node.
 */
export const CORPUS: readonly number[] = [1, 2, 4, 6, 8, 9, 14, 26, 31, 58, 98, 112, 142];
