import type { Clock, Timer } from "../clock.ts";

/** The machine's clocks and the event loop's timers. */
export const nodeClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, run: () => void): Timer {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (run: () => void) => void setImmediate(run),
};
