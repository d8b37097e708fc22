// Long work in slices, between which others get their turn.

import { SNAPSHOT_REST_MS_MAX } from "../base/limits.ts";
import { type Clock, sleep } from "../env/clock.ts";

/**
 * What a snapshot does between two slices: it rests for as long as the slice took, its write included. With a slice in
 * every round of the event loop each round takes longer, and libuv accepts one connection in each (uv__server_io): of 256
 * connections opened at once under load, half waited for a second to be let in.
 */
export function restsBetweenSlices(clock: Clock): () => Promise<void> {
  let beganMs = clock.monotonicMs();
  return async () => {
    const took = clock.monotonicMs() - beganMs;
    await sleep(clock, Math.min(Math.max(1, took), SNAPSHOT_REST_MS_MAX));
    beganMs = clock.monotonicMs();
  };
}
