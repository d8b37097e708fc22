// The process that sends at a fixed rate (open-loop.ts), so that nothing else that the benchmark does gets
// into the measured latencies. Its argument is JSON (`Order`); it writes one line to standard output (`Report`).
//
// Over connections that are kept, one request at a time on each. Its timers come once in a millisecond: against
// the bare echo, which takes 0.1 ms, half of the latencies are above 0.8. That is in those of every system alike, and
// the report says how late it was itself. Being woken is what it pays for: with that echo, which answers one at a
// time, some 120 µs of a processor for a request at 2,000 a second and 80 at 6,000. The report says that too.

import { type Socket, connect } from "node:net";
import { ResponseParser } from "../../src/cli/bench/response-parser.ts";
import type { Open, Rate } from "./open-loop.ts";
import { OpenLoop } from "./open-loop.ts";
import type { Load } from "./wrk.ts";

/** As long as wrk waits for an answer. */
const ANSWER_MS_MAX = 15_000;
const RECONNECT_MS = 100;

export interface Order {
  readonly address: string;
  readonly load: Load;
  readonly rate: Rate;
  readonly connections: number;
  /** Where the numbers for %s begin. */
  readonly first: number;
}

export interface Report {
  readonly open: Open;
  /** All requests, those of the warm-up too. */
  readonly sent: number;
  /** Processor time of this process, in microseconds. */
  readonly cpuUsPerRequest: number;
}

const order = JSON.parse(process.argv[2] ?? "") as Order; // as fixed-rate.ts writes it
const [host = "", port = ""] = order.address.split(":");
const { body, method, path } = order.load;
const [before = "", after] = body.split("%s");
const DIGITS = 12;
const bytes = Buffer.byteLength(body) + (after === undefined ? 0 : DIGITS - "%s".length);
const head =
  `${method} ${path} HTTP/1.1\r\nHost: ${order.address}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n${before}`;

function request(n: number): string {
  return after === undefined
    ? head
    : `${head}${String(order.first + n).padStart(DIGITS, "0")}${after}`;
}

const sockets: (Socket | undefined)[] = [];
let startMs = performance.now();

function now(): number {
  return performance.now() - startMs;
}

const loop = new OpenLoop(order.rate, (connection, n) => {
  sockets[connection]?.write(request(n), "utf8");
});
let timer: NodeJS.Timeout | undefined;

/** One timer, for the request that is due next; every answer sends what is due as well. */
function wake(): void {
  timer = undefined;
  loop.advance(now());
  arm();
}

function arm(): void {
  const { nextMs } = loop;
  if (loop.isDone) finish();
  else if (timer === undefined && nextMs !== null) timer = setTimeout(wake, nextMs - now());
}

/** Resolves when it is open for the first time; opens it anew whenever it breaks. */
function open(connection: number): Promise<void> {
  return new Promise((opened) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    sockets[connection] = socket;
    const parser = new ResponseParser(({ isKept, status }) => {
      loop.answered(connection, status >= 200 && status < 300, now());
      if (!isKept) socket.destroy();
      arm();
    });
    socket.on("connect", () => {
      if (hasBegun) {
        loop.opened(connection, now());
        arm();
      }
      opened();
    });
    socket.on("data", (data: Buffer) => parser.push(data));
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      loop.broke(connection, now());
      if (!hasBegun) throw new Error(`${order.address} does not take connections`);
      setTimeout(() => void open(connection), RECONNECT_MS);
      arm();
    });
  });
}

function finish(): never {
  const { system, user } = process.cpuUsage(cpuAtStart);
  const counted = order.rate.perSecond * order.rate.seconds;
  const report: Report = {
    open: loop.result(),
    sent: loop.sent,
    cpuUsPerRequest: (system + user) / counted,
  };
  process.stdout.write(`OPEN ${JSON.stringify(report)}\n`); // to a pipe: written when this returns
  process.exit();
}

let hasBegun = false;
let cpuAtStart = process.cpuUsage();
await Promise.all(Array.from({ length: order.connections }, (_, at) => open(at)));
hasBegun = true;
startMs = performance.now();
for (let at = 0; at < order.connections; at++) loop.opened(at, 0);
setTimeout(() => (cpuAtStart = process.cpuUsage()), order.rate.warmUpSeconds * 1000);
setTimeout(() => {
  loop.giveUp(now());
  arm();
}, loop.lastDueMs + ANSWER_MS_MAX);
arm();
