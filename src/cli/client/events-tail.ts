// Shows events as they are recorded, and goes on live. The log index of the last event shown is all
// that has to be known to go on at any node: none is left out, none comes twice.
//
// Following has no end of its own. It ends with an error when no node has answered for a while, and
// the error names the index from which it can be taken up.

import { must } from "../../base/assert.ts";
import { sleep } from "../../env/clock.ts";
import { NetworkError } from "../../env/network.ts";
import { Failure } from "../failure.ts";
import { isObject, parseObject } from "../json.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { printable } from "../text.ts";
import type { Client } from "./client.ts";
import { askCluster } from "./cluster.ts";
import { type Consistency, EVENTS_PATH, readEvents } from "./event-pages.ts";
import { ProblemFailure, problemOf } from "./problem.ts";
import { type ServerSentEvent, linesOf, serverSentEvents } from "./sse.ts";

/** Three times the server's heartbeat: then the connection is dead, whatever TCP says. */
const SILENCE_MS_MAX = 45_000;
const RETRY_PAUSE_MS = 500;

export interface TailOptions {
  readonly after: number | null;
  readonly lines: number;
  readonly follow: boolean;
  readonly json: boolean;
  readonly endpoint: readonly string[];
  readonly timeout: number;
  readonly consistency: Consistency;
}

export async function tail(session: Session, client: Client, options: TailOptions): Promise<void> {
  let last = 0;
  const print = (line: string): void => {
    session.terminal.out(options.json ? `${line}\n` : humanLine(session, line));
  };
  if (options.after === null) {
    const newest = await newestEvents(client, options.lines, options.consistency);
    for (const line of newest.lines) print(line);
    last = newest.through;
  } else {
    last = options.after;
    for await (const page of readEvents(client, options.after, options.consistency)) {
      for (const line of page.lines) print(line);
      last = Math.max(last, page.through);
    }
  }
  if (!options.follow) return;
  const endpoints = await everyNode(client, options.endpoint);
  await follow(session, endpoints, options.timeout, last, print);
}

/** The nodes that were named, and behind them those that the cluster names itself. */
async function everyNode(client: Client, named: readonly string[]): Promise<readonly string[]> {
  const { members } = await askCluster(client);
  const origins = members.flatMap(({ http }) => (http === null ? [] : [`http://${http}`]));
  return [...new Set([...named, ...origins])];
}

/**
 * The last `count` events: read from ever further back, because not every log index has an event.
 */
async function newestEvents(
  client: Client,
  count: number,
  consistency: Consistency,
): Promise<{ readonly lines: readonly string[]; readonly through: number }> {
  const { appliedIndex } = await askCluster(client);
  if (count === 0) return { lines: [], through: appliedIndex };
  for (let back = count; ; back *= 4) {
    const after = Math.max(0, appliedIndex - back);
    const lines: string[] = [];
    let through = after;
    for await (const page of readEvents(client, after, consistency)) {
      lines.push(...page.lines);
      through = Math.max(through, page.through);
    }
    if (lines.length >= count || after === 0) return { lines: lines.slice(-count), through };
  }
}

async function follow(
  session: Session,
  endpoints: readonly string[],
  timeoutSeconds: number,
  after: number,
  print: (line: string) => void,
): Promise<never> {
  const { clock, terminal } = session;
  const note = (text: string): void => terminal.err(paint(terminal, "dim", `${text}\n`));
  let last = after;
  let lostMs: number | null = null;
  for (let n = 0; ; n++) {
    const origin = must(endpoints[n % endpoints.length], "an endpoint");
    try {
      const opened = (): void => {
        if (lostMs !== null) note(`Going on at ${origin}.`);
        lostMs = null;
      };
      for await (const event of stream(session, origin, last, opened)) {
        last = Number(event.id);
        print(event.data);
      }
    } catch (error) {
      // The node is gone, or the way to it. A refusal (410) is thrown on: the next would say the
      // same.
      if (!(error instanceof NetworkError)) throw error;
    }
    const nowMs = clock.monotonicMs();
    if (lostMs === null)
      note(`No more from ${origin}; looking for a node to go on after ${last} …`);
    lostMs ??= nowMs;
    if (nowMs - lostMs > timeoutSeconds * 1000) {
      throw new Failure(
        `No node has answered for ${timeoutSeconds} seconds. --after ${last} goes on from here.`,
      );
    }
    await sleep(clock, RETRY_PAUSE_MS);
  }
}

/**
 * `opened` is called when the node has agreed. Ends when the node ends it, or cannot serve it now.
 */
async function* stream(
  session: Session,
  origin: string,
  after: number,
  opened: () => void,
): AsyncGenerator<ServerSentEvent, void> {
  const path = `${EVENTS_PATH}/stream`;
  const headers = { accept: "text/event-stream", "last-event-id": String(after) };
  const request = { origin, method: "GET", path, headers, timeoutMs: SILENCE_MS_MAX };
  const answer = await session.http.stream(request);
  try {
    if (answer.status === 200) {
      opened();
      yield* serverSentEvents(linesOf(answer.chunks));
      return;
    }
    let body = "";
    for await (const line of linesOf(answer.chunks)) body += line;
    // Not now: another node may have what is asked for.
    if (answer.status === 503) return;
    const { headers: sent, status } = answer;
    throw new ProblemFailure(problemOf({ status, headers: sent, body }));
  } finally {
    answer.close();
  }
}

function humanLine(session: Session, line: string): string {
  const event = parseObject(line);
  if (event === null) return `${printable(line)}\n`;
  const { data, index, time, type } = event;
  const { terminal } = session;
  const facts = isObject(data) ? Object.entries(data).map(fact).join(" ") : "";
  const when = String(time).replace(/\.\d+Z$/, "Z");
  const name = paint(terminal, "cyan", printable(String(type)).padEnd(18));
  return `${String(index).padStart(8)}  ${printable(when)}  ${name}  ${printable(facts)}\n`;
}

function fact([name, value]: readonly [string, unknown]): string {
  if (typeof value !== "string") return `${name}=${JSON.stringify(value)}`;
  // Quoted only where it could be taken for more than one field.
  return `${name}=${/[\s="]/.test(value) ? JSON.stringify(value) : value}`;
}
