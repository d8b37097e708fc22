// What a command works with: the terminal, the clock, chance, and connections.

import type { Clock } from "../env/clock.ts";
import type { HttpClient } from "../env/node/http-client.ts";
import type { Terminal } from "../env/node/terminal.ts";
import type { Random } from "../env/random.ts";
import { Client } from "./client/client.ts";

export interface Session {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  readonly http: HttpClient;
}

export function clientFor(
  session: Session,
  options: { readonly endpoint: readonly string[]; readonly timeout: number },
): Client {
  const { clock, http, random } = session;
  const { endpoint: endpoints, timeout } = options;
  return new Client({ endpoints, timeoutMs: timeout * 1000, http, clock, random });
}
