import { type Clock, sleep } from "../../env/clock.ts";

const POLL_MS = 25;

/** Asks until the answer is not null; null after `boundMs`. */
export async function waitFor<T>(
  clock: Clock,
  boundMs: number,
  ask: () => Promise<T | null>,
): Promise<T | null> {
  const deadlineMs = clock.monotonicMs() + boundMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (clock.monotonicMs() >= deadlineMs) return null;
    await sleep(clock, POLL_MS);
  }
}

/** Whether the promise is fulfilled within `boundMs`. Its rejection is passed on. */
export async function isFulfilledWithin(
  clock: Clock,
  boundMs: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let cancel: () => void = () => undefined;
  const late = new Promise<false>((resolve) => {
    const timer = clock.after(boundMs, () => resolve(false));
    cancel = () => timer.cancel();
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    cancel();
  }
}
