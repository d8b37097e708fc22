// What tests with real processes ask of a node, beside single requests: one write until it is answered, a
// node's numbers, its whole event log.

import { type Answer, type ProcessCluster, type ServerProcess, until } from "./process-cluster.ts";

export interface Write {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** The Idempotency-Key. */
  readonly key: string;
}

/** "Not now" and "outcome unknown": the documentation says to ask again under the same key. */
const ASK_AGAIN: readonly number[] = [429, 503, 504];

/** One attempt; null if it has to be asked again, at this node or another. */
export async function attempt(server: ServerProcess, write: Write): Promise<Answer | null> {
  if (!server.isRunning) return null;
  const { body, key, method, path } = write;
  try {
    const answer = await server.request(method, path, body, { "idempotency-key": key });
    return ASK_AGAIN.includes(answer.status) ? null : answer;
  } catch {
    return null; // the process was killed under the request
  }
}

/** As the documentation tells clients to: at the next node, under the same key, until it is answered. */
export async function insist(
  cluster: ProcessCluster,
  write: Write,
  first = 0,
  passedOver: () => void = () => undefined,
): Promise<Answer> {
  let answer: Answer | null = null;
  let at = first;
  await until(`an answer to ${write.method} ${write.path}`, async () => {
    const server = cluster.servers[at++ % cluster.servers.length];
    answer = server === undefined ? null : await attempt(server, write);
    if (answer === null) passedOver();
    return answer !== null;
  });
  if (answer === null) throw new Error("no answer");
  return answer;
}

/** A number that the node shows at /metrics. */
export async function metric(server: ServerProcess, name: string): Promise<number> {
  const { body } = await server.get("/metrics");
  const line = String(body)
    .split("\n")
    .find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`node ${server.id} has no metric ${name}`);
  return Number(line.slice(name.length));
}

/** Every event the node serves, in lines; null while it lacks a part. */
export async function eventLines(server: ServerProcess): Promise<readonly string[] | null> {
  const lines: string[] = [];
  for (let after = 0; ;) {
    const path = `/api/v1/events?after=${after}&limit=10000&consistency=stale`;
    const answer = await server.request("GET", path, undefined, { accept: "application/x-ndjson" });
    if (answer.status === 503 && answer.body.code === "events_missing") return null;
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    lines.push(...String(answer.body).split("\n").slice(0, -1));
    if (!answer.headers.has("link")) return lines;
    after = Number(answer.headers.get("raft3d-events-through"));
  }
}
