// What the parts of the simulated stream network share: the faults that may happen on the way, the
// machines, and the world as a connection needs it.

import { below, type Random } from "../env/random.ts";

/** What may happen on the way. The simulation may change it while it runs. */
export interface StreamFaults {
  /** One way. */
  delayMsMin: number;
  delayMsMax: number;
  /** Bytes on their way, or arrived and not read, before more wait at the sender. */
  windowBytes: number;
  /** Longest piece in which bytes arrive. */
  pieceBytesMax: number;
  /** That a piece resets its connection instead of arriving. */
  resetChance: number;
  /** That a connection which was held up by a cut is reset when the cut heals. */
  healResetChance: number;
  /** Longest time after healing until what was held up is sent again. */
  healDelayMsMax: number;
  /** That a crashed node is gone without a word, as with a power cut. */
  silentCrashChance: number;
}

/** Runs `run` after `delayMs`; the answer takes that back. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

/** The world, as far as a connection needs it. */
export interface Wire {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly faults: StreamFaults;
  isCut(from: Host, to: Host): boolean;
  /** Whether a machine of this name is up: this one, or the one after its crash. */
  isUp(host: Host): boolean;
}

/** A machine. It dies with a crash; the same name started again is another Host. */
export interface Host {
  readonly name: string;
  isAlive: boolean;
  /** What its program will be told when it wakes up; null while it is awake. */
  held: (() => void)[] | null;
}

/** Tells a program something, unless it is dead; once it wakes up, if it is stalled. */
export function tell(host: Host, run: () => void): void {
  if (!host.isAlive) return;
  if (host.held === null) run();
  else host.held.push(() => tell(host, run));
}

export function chance(random: Random, ratio: number): boolean {
  return random.u32() < ratio * 0x1_0000_0000;
}

export function delayMs(wire: Wire): number {
  const { delayMsMin, delayMsMax } = wire.faults;
  const spanUs = Math.round((delayMsMax - delayMsMin) * 1000);
  return delayMsMin + below(wire.random, spanUs + 1) / 1000;
}
