// Runs a fuzz test: a few thousand inputs from a fixed seed in `npm test`, and for minutes, from a fresh
// seed, under `npm run fuzz -- --minutes N`. A failure says how to have its input again.

import { toError } from "../base/assert.ts";
import { nodeClock } from "../env/node/clock.ts";
import { printable } from "./mutation.ts";
import { SimRandom } from "./sim-random.ts";

const FIXED_SEED = 20_261_122;

interface Shown {
  /** What a failure prints; bytes as hex. */
  readonly show: unknown;
}

export class Fuzz {
  readonly name: string;
  readonly seed: number;
  readonly random: SimRandom;
  readonly #runs: number;
  readonly #forMs: number;
  #done = 0;

  constructor(name: string, options: { readonly runs: number }) {
    const minutes = Number(process.env["FUZZ_MINUTES"] ?? 0);
    this.name = name;
    this.#forMs = minutes * 60_000;
    this.#runs = options.runs;
    const fresh = this.#forMs > 0 ? nodeClock.wallMs() : FIXED_SEED;
    this.seed = Number(process.env["FUZZ_SEED"] ?? fresh);
    this.random = new SimRandom(this.seed);
  }

  get isLong(): boolean {
    return this.#forMs > 0;
  }

  /** Makes inputs and hands each to `check`, which throws at what must not be. */
  async run<T extends Shown>(
    make: (random: SimRandom) => T,
    check: (input: T) => Promise<void> | void,
  ): Promise<void> {
    const endMs = nodeClock.monotonicMs() + this.#forMs;
    for (; this.isLong ? nodeClock.monotonicMs() < endMs : this.#done < this.#runs; this.#done++) {
      const input = make(this.random);
      try {
        await check(input);
      } catch (thrown) {
        const error = toError(thrown);
        const line = `${this.name}, seed ${this.seed}, input ${this.#done}: ${shown(input.show)}`;
        throw new Error(`${line}\n${error.message}`, { cause: error });
      }
    }
    if (this.isLong) this.note(`${this.#done} inputs, seed ${this.seed}`);
  }

  /** A line of figures, in long runs only. */
  note(text: string): void {
    if (this.isLong) process.stderr.write(`${this.name}: ${text}\n`);
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? printable(part) : part,
  );
}
