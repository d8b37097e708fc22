// What every handler may use: the node, time and log, and the server's own state.

import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { FarmNode } from "../node/api.ts";
import type { HttpMetrics } from "./metrics.ts";
import type { Outlet } from "./outlet.ts";

export interface HttpContext {
  readonly node: FarmNode;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: HttpMetrics;
  /** Streams without an end of their own; the server ends them when it closes. */
  readonly live: Set<Outlet>;
  /** True once the server has been told to close. */
  readonly draining: () => boolean;
}

/**
 * What every answer carries, as names and values in turn. `index` is the applied index that the
 * answer describes, where that is not the current one.
 */
export function commonHeaders({ node }: HttpContext, index: number | null = null): string[] {
  return [
    "Raft3D-Index",
    String(index ?? node.appliedIndex),
    "Raft3D-Leader",
    node.leaderId === null ? "none" : String(node.leaderId),
    "Raft3D-Served-By",
    String(node.id),
  ];
}
