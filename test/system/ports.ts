// Ports for servers of tests. Suites run side by side, each in a process of its own, and a node that is
// down must find its port free when it comes back: so every process claims a range for itself, and holds
// it by listening at its first port as long as it lives. All ranges lie below the ports that the program
// draws from for clusters of its own (src/cli/local/plan.ts), and below those that the system
// gives to outgoing connections.

import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 10_000;
const END = 12_000;
/** Ports of a range; the first one is its guard. */
const RANGE = 250;

let range: Promise<number> | null = null;
let next = 1;

/** Ports in a row that nobody listens on, and that no other suite is given. */
export async function freePorts(count: number): Promise<number[]> {
  range ??= claimRange();
  const first = await range;
  for (let tries = 0; tries < RANGE; tries++) {
    if (next + count > RANGE) next = 1;
    const ports = Array.from({ length: count }, (_, at) => first + next + at);
    next += count;
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return ports;
  }
  throw new Error(`no ${count} ports in a row are free from ${first} on`);
}

export async function isFree(port: number): Promise<boolean> {
  const server = await listenAt(port);
  if (server === null) return false;
  server.close();
  await once(server, "close");
  return true;
}

async function claimRange(): Promise<number> {
  for (let first = FIRST; first + RANGE <= END; first += RANGE) {
    const guard = await listenAt(first);
    if (guard === null) continue;
    guard.unref();
    return first;
  }
  throw new Error("no range of ports is left for this suite");
}

async function listenAt(port: number): Promise<ReturnType<typeof createServer> | null> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return null; // somebody listens there
  }
}
