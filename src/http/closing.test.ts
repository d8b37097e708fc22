// Closing the server while all kinds of things are going on.

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { HTTP_CLOSE_MS_MAX, HTTP_DRAIN_MS, STREAM_SLICE_ROWS } from "../base/limits.ts";
import type { FakeClock } from "./testing/fake-clock.ts";
import type { FakeNode } from "./testing/fake-node.ts";
import type { MemoryLogger } from "./testing/harness.ts";
import type { Wire } from "./testing/listening.ts";
import { get, Listening, post, PRINTER, turns } from "./testing/listening.ts";

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

  describe("closing", () => {
    it("answers what is in flight, ends the live streams, closes what is idle, and takes no more", async () => {
      const idle = open().send(get("/livez"));
      await idle.until("ok\n");
      const live = open().send(get("/api/v1/events/stream"));
      await live.until("retry");
      let release: () => void = () => undefined;
      node.held = new Promise((resolve) => {
        release = resolve;
      });
      const busy = open().send(post(PRINTER));
      while (node.submitted.length === 0) await turns();

      let isClosed = false;
      const closed = listening.server.close().then(() => {
        isClosed = true;
      });
      await live.until("\r\n0\r\n\r\n");
      clock.advance(HTTP_DRAIN_MS);
      await idle.closed();
      const refused = open();
      await refused.closed();
      expect(refused.error).toContain("ECONNREFUSED");
      expect(isClosed).toBe(false);

      release();
      await busy.until("HTTP/1.1 201");
      expect(busy.text).toMatch(/\r\nConnection: close\r\n/i);
      await busy.closed();
      while (!isClosed) {
        clock.advance(50);
        await turns();
      }
      await closed;
      expect(node.events.subscribers).toBe(0);
    });

    it("answers what was sent before anybody could know, on old connections and new", async () => {
      const old = open().send(get("/livez"));
      await old.until("ok\n");
      let isClosed = false;
      const closed = listening.server.close().then(() => {
        isClosed = true;
      });
      old.send(post(PRINTER));
      const late = open().send(post(PRINTER));
      for (const wire of [old, late]) {
        await wire.until("HTTP/1.1 201");
        expect(wire.text).toMatch(/\r\nConnection: close\r\n/i);
        await wire.closed();
      }
      expect(isClosed).toBe(false);
      clock.advance(HTTP_DRAIN_MS);
      await closed;
    });

    it("closes a connection that kept its place with an answer begun before", async () => {
      listening.fill(2 * STREAM_SLICE_ROWS);
      const wire = open();
      wire.pause();
      wire.send(get("/api/v1/printers"));
      while (clock.timers === 0) await turns();
      let isClosed = false;
      const closed = listening.server.close().then(() => {
        isClosed = true;
      });
      clock.advance(HTTP_DRAIN_MS);
      await turns();
      expect(isClosed).toBe(false);
      wire.resume();
      await wire.until("\r\n0\r\n\r\n");
      expect(wire.text).not.toMatch(/\r\nConnection: close\r\n/i);
      // Less time than after which the connection would be cut off.
      for (let n = 0; n < 20 && !isClosed; n += 1) {
        clock.advance(50);
        await turns();
      }
      await closed;
      expect(logger.lines.filter((line) => line.level === "warn")).toEqual([]);
    });

    it("does not begin a live stream that nobody would end", async () => {
      // The read of the first page is under way when the server is told to close.
      const read = node.events.read.bind(node.events);
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let isReading = false;
      node.events.read = (after, limit) => {
        isReading = true;
        return held.then(() => read(after, limit));
      };
      const late = open().send(get("/api/v1/events/stream"));
      while (!isReading) await turns(1);
      const closed = listening.server.close();
      release();
      clock.advance(HTTP_DRAIN_MS);
      await late.closed();
      expect(late.text).toMatch(/^HTTP\/1\.1 200/);
      expect(late.text.endsWith("\r\n0\r\n\r\n")).toBe(true);
      await closed;
    });

    it("cuts off what does not come to an end", async () => {
      node.held = new Promise(() => undefined);
      const busy = open().send(post(PRINTER));
      while (node.submitted.length === 0) await turns();
      const closed = listening.server.close();
      clock.advance(HTTP_DRAIN_MS);
      await turns();
      clock.advance(HTTP_CLOSE_MS_MAX);
      await closed;
      await busy.closed();
      expect(logger.lines.some((line) => line.message.includes("cut off"))).toBe(true);
    });
  });
});
