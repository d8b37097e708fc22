import type { Clock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { Logger } from "./logger.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

/**
 * Everything a node needs from the world. Made in two places only: for real in src/cli/serve.ts, and
 * simulated in src/sim. Whoever gets an Env touches no clock, disk, network or chance but through it.
 */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  readonly logger: Logger;
}
