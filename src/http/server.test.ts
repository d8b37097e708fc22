// The server on a real port: reading requests, whole and broken, and listening.

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { BODY_BYTES_MAX, HTTP_DRAIN_MS } from "../base/limits.ts";
import { NetworkError } from "../env/network.ts";
import { createServer } from "./server.ts";
import type { FakeClock } from "./testing/fake-clock.ts";
import type { FakeNode } from "./testing/fake-node.ts";
import type { MemoryLogger } from "./testing/harness.ts";
import type { Wire } from "./testing/listening.ts";
import { get, Listening, post, postHead, PRINTER, turns } from "./testing/listening.ts";

describe("the server", () => {
  let node: FakeNode;
  let clock: FakeClock;
  let logger: MemoryLogger;
  let listening: Listening;
  const open = (): Wire => listening.open();

  beforeEach(async () => {
    listening = await Listening.start();
    ({ node, clock, logger } = listening);
  });

  afterEach(() => listening.stop());

  describe("reading requests", () => {
    it("keeps the connection, and answers requests sent ahead in their order", async () => {
      const wire = open().send(post(PRINTER) + get("/api/v1/printers/1") + get("/livez"));
      await wire.until("\r\n\r\nok\n");
      const statuses = [...wire.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
      expect(statuses).toEqual(["201", "200", "200"]);
      expect(wire.isClosed).toBe(false);
      expect(wire.text).not.toMatch(/^server:/im);
    });

    it("puts a body together that comes in single bytes", async () => {
      const body = JSON.stringify({ company: "Průša 💡", model: "x" });
      const wire = open();
      for (const byte of Buffer.from(post(body))) {
        wire.send(Uint8Array.of(byte));
        await turns(1);
      }
      await wire.until("HTTP/1.1 201");
      expect(node.submitted).toMatchObject([{ company: "Průša 💡" }]);
    });

    it("does not wait for a body that it would not look at", async () => {
      const head = "HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
      await open().send(`DELETE /api/v1/printers/9 ${head}`).until("not_found");
      await open().send(`POST /nowhere ${head}`).until("unknown_route");
      await open().send(`PUT /api/v1/printers ${head}`).until("method_not_allowed");
    });

    it("refuses a request without a Host in its own words, with the headers of every answer", async () => {
      const wire = open().send("GET /api/v1/printers/1 HTTP/1.1\r\n\r\n");
      const answer = await wire.until('"code":"malformed_request"');
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain("application/problem+json");
      expect(answer).toContain("Raft3D-Served-By: ");
    });

    it("takes a chunked body", async () => {
      const hex = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
      const body = `${hex(PRINTER.slice(0, 9))}${hex(PRINTER.slice(9))}0\r\n\r\n`;
      await open()
        .send(postHead("Transfer-Encoding: chunked\r\n") + body)
        .until("HTTP/1.1 201");
    });

    it("goes on when a client does not wait for its answer", async () => {
      let release: () => void = () => undefined;
      node.held = new Promise((resolve) => {
        release = resolve;
      });
      const impatient = open().send(post(PRINTER));
      const sending = open().send(post("x".repeat(BODY_BYTES_MAX + 1)));
      while (node.submitted.length === 0) await turns();
      impatient.destroy();
      sending.destroy();
      await turns();
      release();
      await turns();
      await open().send(get("/api/v1/printers/1")).until("HTTP/1.1 200");
      expect(logger.lines.filter((line) => line.level === "error")).toEqual([]);
    });

    it("proposes nothing for a body that ends before its length", async () => {
      const wire = open().send(post(PRINTER).slice(0, -1));
      await turns();
      wire.destroy();
      await turns();
      expect(node.submitted).toEqual([]);
      await open().send(post(PRINTER)).until("HTTP/1.1 201");
    });

    it("never answers what follows a request in the place of that request", async () => {
      const wire = open().send(`${post(PRINTER)}}}}`);
      await wire.closed();
      expect(wire.text).toMatch(/^HTTP\/1\.1 201/);
      expect(wire.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
      const late = open().send(post(PRINTER));
      await late.until("HTTP/1.1 201");
      await late.send("}}}").until("malformed_request");
    });

    it("answers a request of which the chunks are malformed", async () => {
      const wire = open().send(`${postHead("Transfer-Encoding: chunked\r\n")}zz\r\n`);
      await wire.until("malformed_request");
      expect(node.submitted).toEqual([]);
    });

    it.each([
      ["no HTTP at all", "hello\r\n\r\n"],
      ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000"],
      ["two lengths", post(PRINTER, "Content-Length: 5\r\n")],
      ["a length and chunks", post(PRINTER, "Transfer-Encoding: chunked\r\n")],
      [
        "a negative length",
        "POST /api/v1/printers HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      ],
      ["a header without a name", "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"],
    ])("answers %s with a problem, complete and with its headers", async (_, bytes) => {
      const wire = open().send(bytes);
      await wire.closed();
      expect(wire.text).toMatch(/^HTTP\/1\.1 400 /);
      expect(wire.text).toMatch(/\r\nContent-Type: application\/problem\+json\r\n/);
      expect(wire.text).toMatch(/\r\nRaft3D-Index: 1\r\n/);
      const body = wire.text.slice(wire.text.indexOf("\r\n\r\n") + 4);
      expect(JSON.parse(body)).toMatchObject({ code: "malformed_request", status: 400 });
      expect(node.submitted).toEqual([]);
    });

    it("answers headers without end by 431", async () => {
      const wire = open().send(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
      await wire.closed();
      expect(wire.text).toMatch(/^HTTP\/1\.1 431 /);
      expect(wire.text).toContain('"code":"headers_too_large"');
    });
  });

  describe("a body that is too large", () => {
    const MIB = new Uint8Array(1024 * 1024).fill(0x20);
    /** Megabytes: many times what the garbage collector leaves lying about. */
    const SENT = 400;

    /** Sends it all and does not look up before the end, like most HTTP libraries. */
    async function sendAll(wire: Wire, piece: Uint8Array): Promise<number> {
      let peak = 0;
      const before = process.memoryUsage().arrayBuffers;
      for (let sent = 0; sent < SENT && !wire.isClosed; sent += 1) {
        await wire.push(piece);
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
      }
      return peak;
    }

    it("is refused while it is sent, reaches nobody's memory, and its sender gets the answer", async () => {
      const wire = open().send(postHead(`Content-Length: ${SENT * MIB.length}\r\n`));
      const peak = await sendAll(wire, MIB);
      await wire.closed();
      expect(wire.error).toBeNull();
      expect(wire.text).toMatch(/^HTTP\/1\.1 413 /);
      expect(wire.text).toMatch(/\r\nConnection: close\r\n/i);
      expect(wire.text).toContain(`"limit_bytes":${BODY_BYTES_MAX}`);
      expect(peak).toBeLessThan((SENT / 2) * MIB.length);
      expect(node.submitted).toEqual([]);
      expect(clock.timers).toBe(0);
    });

    it("is refused when it is chunked and says nothing of its length", async () => {
      const wire = open().send(postHead("Transfer-Encoding: chunked\r\n"));
      const chunk = Buffer.concat([
        Buffer.from(`${MIB.length.toString(16)}\r\n`),
        MIB,
        Buffer.from("\r\n"),
      ]);
      const peak = await sendAll(wire, chunk);
      wire.send("0\r\n\r\n");
      await wire.closed();
      expect(wire.error).toBeNull();
      expect(wire.text).toMatch(/^HTTP\/1\.1 413 /);
      expect(peak).toBeLessThan((SENT / 2) * MIB.length);
    });

    it("is not waited for forever: its connection is closed after a while", async () => {
      const wire = open().send(postHead("Content-Length: 1000000\r\n"));
      await wire.until("body_too_large");
      await turns();
      expect(wire.isClosed).toBe(false);
      clock.advance(10_000);
      await wire.closed();
    });

    it("is accepted up to the last byte of the limit", async () => {
      const around = `{"zzz":"",${PRINTER.slice(1)}`;
      const exact = around.replace('""', `"${"x".repeat(BODY_BYTES_MAX - around.length)}"`);
      expect(exact).toHaveLength(BODY_BYTES_MAX);
      await open().send(post(exact)).until('"field":"zzz"');
      const chunked = (body: string): string =>
        `${postHead("Transfer-Encoding: chunked\r\n")}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
      await open().send(chunked(exact)).until('"field":"zzz"');
      for (const request of [post(`${exact} `), chunked(`${exact} `)]) {
        await open().send(request).until("body_too_large");
      }
    });

    it("need not be sent at all by a client that asks first", async () => {
      const wire = open().send(postHead("Content-Length: 1000000\r\nExpect: 100-continue\r\n"));
      await wire.until("body_too_large");
      expect(wire.text).not.toContain("100 Continue");
      const small = open().send(
        postHead(`Content-Length: ${PRINTER.length}\r\nExpect: 100-continue\r\n`),
      );
      await small.until("HTTP/1.1 100 Continue");
      await small.send(PRINTER).until("HTTP/1.1 201");
    });
  });

  describe("listening", () => {
    it("names the address that another process has", async () => {
      const other = createServer(node, { clock, logger });
      const { address } = listening;
      const error: unknown = await other.listen(address).catch((thrown: unknown) => thrown);
      if (!(error instanceof NetworkError)) throw new Error(`not typed: ${String(error)}`);
      expect([error.code, error.address]).toEqual(["EADDRINUSE", address]);
      expect(error.message).toBe(
        `cannot listen on ${address}: another process already listens there (EADDRINUSE)`,
      );
      await other.close();
    });

    it("takes a port without a host as every address of the machine", async () => {
      const other = createServer(node, { clock, logger });
      const address = await other.listen(":0");
      const answer = await fetch(`http://127.0.0.1${address}/livez`);
      expect(answer.status).toBe(200);
      const closed = other.close();
      clock.advance(HTTP_DRAIN_MS);
      await closed;
    });

    it.each(["", "8001", "localhost", "x:y", "127.0.0.1:70000", "::1:80", "[::1]"])(
      "refuses %j as an address",
      async (address) => {
        const other = createServer(node, { clock, logger });
        await expect(other.listen(address)).rejects.toThrow(/is not host:port/);
        await other.close();
      },
    );
  });
});
