// The HTTP server of one node: opened on an address, closed in good order.
//
// Closing: the live streams are ended, and from then on every answer says "Connection: close"; for a
// moment what clients had sent before is still read and answered, on old connections and new; then no
// connection is accepted any more, requests in flight are answered, connections that fall idle are
// closed, and after a bounded time whatever is left is cut off. The node must still be running
// meanwhile, so that writes in flight are answered: close the server first, then the node.

import { toError } from "../base/assert.ts";
import { HTTP_CLOSE_MS_MAX, HTTP_CONNECTIONS_MAX, HTTP_DRAIN_MS } from "../base/limits.ts";
import { type Clock, type Timer, sleep } from "../env/clock.ts";
import type { Env } from "../env/env.ts";
import { NetworkError } from "../env/network.ts";
import type { FarmNode } from "../node/api.ts";
import { createApp } from "./app.ts";
import type { HttpContext } from "./context.ts";
import { HttpMetrics } from "./metrics.ts";
import { allRoutes } from "./routes.ts";

export interface HttpServer {
  /**
   * Listens on "host:port" and resolves with the same, the port filled in where it was 0. Rejects
   * with a NetworkError that names the address.
   */
  listen(address: string): Promise<string>;
  /** Resolves when every connection is closed. Later calls wait for the first. */
  close(): Promise<void>;
}

/** The parts of Env that the server uses. */
export type HttpEnv = Pick<Env, "clock" | "logger">;

/** The least time between two lines in the log about dropped connections. */
const DROP_LOG_MS = 1000;
/** How often connections that have fallen idle are looked for while the server closes. */
const SWEEP_MS = 50;

export function createServer(node: FarmNode, env: HttpEnv): HttpServer {
  const state = { draining: false };
  const context: HttpContext = {
    node,
    clock: env.clock,
    logger: env.logger,
    metrics: new HttpMetrics(),
    live: new Set(),
    draining: () => state.draining,
  };
  const app = createApp(context, allRoutes());
  app.server.maxConnections = HTTP_CONNECTIONS_MAX;
  let toldMs = Number.NEGATIVE_INFINITY;
  app.server.on("drop", (dropped) => {
    // Whoever opens too many connections opens many: one line a second says as much as all of them.
    const nowMs = env.clock.monotonicMs();
    if (nowMs - toldMs < DROP_LOG_MS) return;
    toldMs = nowMs;
    env.logger.warn("connection dropped: too many are open", { remote: dropped?.remoteAddress });
  });
  let closed: Promise<void> | null = null;

  const close = async (): Promise<void> => {
    state.draining = true;
    for (const outlet of context.live) outlet.end();
    const cut = env.clock.after(HTTP_CLOSE_MS_MAX, () => {
      env.logger.warn("requests were cut off: the server is closing");
      app.server.closeAllConnections();
    });
    // A request that the kernel holds and this process has not read would be reset.
    if (app.server.listening) await sleep(env.clock, HTTP_DRAIN_MS);
    const sweeper = new Sweeper(env.clock, () => app.server.closeIdleConnections());
    await app.close();
    sweeper.stop();
    cut.cancel();
  };

  return {
    async listen(address) {
      const { host, port } = parseAddress(address);
      try {
        await app.listen({ host, port });
      } catch (thrown) {
        throw listenError(address, thrown);
      }
      const bound = app.server.address();
      const actual = bound !== null && typeof bound === "object" ? bound.port : port;
      return address.replace(/\d+$/, String(actual));
    },
    close: () => (closed ??= close()),
  };
}

/** "127.0.0.1:8001", "localhost:8001", "[::1]:8001"; ":8001" for every address there is. */
function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host: host === "" ? "::" : host, port };
  throw new NetworkError("EINVAL", address, `cannot listen on "${address}": it is not host:port`);
}

function listenError(address: string, thrown: unknown): NetworkError {
  const error = toError(thrown);
  const code = "code" in error && typeof error.code === "string" ? error.code : "EOTHER";
  const reason =
    code === "EADDRINUSE" ? "another process already listens there (EADDRINUSE)" : error.message;
  return new NetworkError(code, address, `cannot listen on ${address}: ${reason}`);
}

/** Calls `sweep` again and again until it is stopped. */
class Sweeper {
  #timer: Timer;

  constructor(clock: Clock, sweep: () => void) {
    const again = (): void => {
      sweep();
      this.#timer = clock.after(SWEEP_MS, again);
    };
    this.#timer = clock.after(SWEEP_MS, again);
  }

  stop(): void {
    this.#timer.cancel();
  }
}
