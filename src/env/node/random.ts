import { randomFillSync } from "node:crypto";
import type { Random } from "../random.ts";

const POOL_BYTES = 4096;
const pool = new Uint8Array(POOL_BYTES);
const view = new DataView(pool.buffer);
let at = POOL_BYTES;

/** The operating system's randomness, drawn in pools because a system call per number is dear. */
export const nodeRandom: Random = {
  u32(): number {
    if (at + 4 > POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    const value = view.getUint32(at, true);
    at += 4;
    return value;
  },
  fill: (bytes: Uint8Array) => void randomFillSync(bytes),
};
