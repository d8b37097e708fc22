import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock, Timer } from "../../env/clock.ts";
import { nodeClock } from "../../env/node/clock.ts";
import { nodeNetwork } from "../../env/node/network.ts";
import { encodeUtf8 } from "../../base/bytes.ts";
import { deadOrigin, fakeServer, sendJson } from "../testing/fakes.ts";
import { type Target, measure } from "./load.ts";
import { encodeRequest } from "./operations.ts";

const LOAD = { connections: 3, warmUpMs: 1, measuredMs: 2 };

/** Both phases end when enough requests have come, whatever time that takes; pauses take none. */
function clockOf(requests: () => number): Clock {
  const until = (condition: () => boolean, run: () => void): Timer => {
    let isCanceled = false;
    const look = (): void => {
      if (isCanceled) return;
      if (condition()) run();
      else setImmediate(look);
    };
    setImmediate(look);
    return { cancel: () => void (isCanceled = true) };
  };
  return {
    ...nodeClock,
    after(delayMs, run) {
      if (delayMs === LOAD.warmUpMs) return until(() => requests() >= 20, run);
      if (delayMs === LOAD.measuredMs) return until(() => requests() >= 80, run);
      // The pause before a new connection; the bound of an answer is longer, and is not reached.
      return delayMs < 1000 ? until(() => true, run) : nodeClock.after(delayMs, run);
    },
  };
}

function targetAt(...origins: readonly string[]): Target {
  const addresses = origins.map((origin) => origin.slice("http://".length));
  const body = '{"company":"a"}';
  return {
    addresses,
    requests: (address) => [
      encodeRequest(address, { method: "POST", path: "/one", body }),
      encodeRequest(address, { method: "GET", path: "/two" }),
    ],
  };
}

function run(target: Target, requests: () => number) {
  return measure(nodeNetwork, clockOf(requests), target, LOAD);
}

describe("the load generator", () => {
  test("asks in turn, one request at a time on each connection, over connections that it keeps", async () => {
    let open = 0;
    let most = 0;
    let connections = 0;
    const paths: string[] = [];
    const server = createServer((request, response) => {
      open += 1;
      most = Math.max(most, open);
      paths.push(`${request.method} ${request.url} ${request.headers["content-length"] ?? "-"}`);
      request.resume().on("end", () =>
        setImmediate(() => {
          open -= 1;
          sendJson(response, 200, {});
        }),
      );
    });
    server.on("connection", () => (connections += 1));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const measured = await run(targetAt(`http://127.0.0.1:${port}`), () => paths.length);
    expect(measured.unexpected).toEqual({});
    expect(measured.requests).toBeGreaterThan(0);
    expect(measured.requests).toBeLessThan(paths.length);
    expect(most).toBeLessThanOrEqual(LOAD.connections);
    expect(connections).toBe(LOAD.connections);
    expect(new Set(paths)).toEqual(new Set(["POST /one 15", "GET /two -"]));
    const { p50, p99, max } = measured;
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
  });

  test("counts what is no success by status and code, and goes on", async () => {
    const server = await fakeServer((request, response) => {
      if (request.method === "POST") sendJson(response, 503, { code: "no_leader", detail: "" });
      else sendJson(response, 200, {});
    });
    const measured = await run(targetAt(server.origin), () => server.seen.length);
    expect(Object.keys(measured.unexpected)).toEqual(["503 no_leader"]);
    const posts = server.seen.filter((request) => request.method === "POST").length;
    expect(measured.unexpected["503 no_leader"]).toBe(posts);
    expect(measured.requests).toBeGreaterThan(0);
  });

  test("spreads its connections over the nodes, and reports the one that is not there", async () => {
    const server = await fakeServer((_, response) => sendJson(response, 200, {}));
    const measured = await run(
      targetAt(server.origin, await deadOrigin()),
      () => server.seen.length,
    );
    expect(Object.keys(measured.unexpected)).toEqual(["connection failed: ECONNREFUSED"]);
    expect(measured.requests).toBeGreaterThan(0);
  });

  test("a connection that the server closes is reported and made anew", async () => {
    let answers = 0;
    const server = await fakeServer((_, response) => {
      answers += 1;
      const isLast = answers % 4 === 0;
      sendJson(response, 200, {}, isLast ? { connection: "close" } : {});
    });
    const measured = await run(targetAt(server.origin), () => server.seen.length);
    expect(Object.keys(measured.unexpected)).toEqual(["the server closed the connection"]);
    const closed = measured.unexpected["the server closed the connection"];
    // Once the load has been stopped, nobody minds any more.
    expect(closed).toBeLessThanOrEqual(Math.floor(answers / 4));
    expect(closed).toBeGreaterThanOrEqual(Math.floor(answers / 4) - LOAD.connections);
  });
});

test("a request has the length of its bytes, not of its characters", () => {
  const request = { method: "POST", path: "/", body: '{"a":"ü"}' } as const;
  const bytes = encodeRequest("host:1", request);
  expect(bytes).toEqual(
    encodeUtf8(
      'POST / HTTP/1.1\r\nHost: host:1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a":"ü"}',
    ),
  );
});
