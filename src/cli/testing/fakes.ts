// Stand-ins for tests of the command line: a terminal that remembers, a clock that does not wait,
// and HTTP servers that say what they are told to.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Clock } from "../../env/clock.ts";
import { HttpClient } from "../../env/node/http-client.ts";
import { nodeRandom } from "../../env/node/random.ts";
import type { Terminal } from "../../env/node/terminal.ts";
import type { Session } from "../session.ts";

export interface FakeTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function fakeTerminal(
  looks: Partial<Pick<Terminal, "columns" | "hasColor">> = {},
): FakeTerminal {
  let out = "";
  let err = "";
  return {
    columns: Number.POSITIVE_INFINITY,
    hasColor: false,
    ...looks,
    isInteractive: false,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    stdout: () => out,
    stderr: () => err,
  };
}

/** Time passes only while somebody waits, and then at once. */
function jumpingClock(): Clock & { readonly waits: number[] } {
  let nowMs = 0;
  const waits: number[] = [];
  return {
    waits,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after(delayMs, run) {
      let isCanceled = false;
      setImmediate(() => {
        if (isCanceled) return;
        nowMs += delayMs;
        waits.push(delayMs);
        run();
      });
      return { cancel: () => void (isCanceled = true) };
    },
    defer: (run) => void setImmediate(run),
  };
}

export interface FakeSession extends Session {
  readonly terminal: FakeTerminal;
  readonly clock: ReturnType<typeof jumpingClock>;
}

export function fakeSession(looks: Parameters<typeof fakeTerminal>[0] = {}): FakeSession {
  const http = new HttpClient();
  onTestFinished(() => http.close());
  return { terminal: fakeTerminal(looks), clock: jumpingClock(), random: nodeRandom, http };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface FakeServer {
  readonly origin: string;
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

/** A server on a port of its own; `answer` is called when a request has come whole. */
export async function fakeServer(
  answer: (request: SeenRequest, response: ServerResponse) => void,
): Promise<FakeServer> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { headers, method = "", url = "" } = request;
      const one = { method, url, headers, body: Buffer.concat(pieces).toString() };
      seen.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const close = (): Promise<void> =>
    new Promise((closed) => {
      server.closeAllConnections();
      server.close(() => closed());
    });
  onTestFinished(close);
  return { origin: `http://127.0.0.1:${port}`, seen, close };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

/** The origin of a port on which nobody listens any more. */
export async function deadOrigin(): Promise<string> {
  const server = await fakeServer(() => undefined);
  await server.close();
  return server.origin;
}
