/** Randomness, from outside: seeded in the simulator, the operating system's in production. */
export interface Random {
  /** A uniform integer, 0 to 2^32 − 1. */
  u32(): number;
  /** Fills all of `bytes`. */
  fill(bytes: Uint8Array): void;
}

/** A uniform integer from 0 to `bound` − 1; the bias of the modulo is below 2^−20 for small bounds. */
export function below(random: Random, bound: number): number {
  return random.u32() % bound;
}

/** `bytes` random bytes in hexadecimal. */
export function randomHex(random: Random, bytes: number): string {
  const drawn = new Uint8Array(bytes);
  random.fill(drawn);
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
