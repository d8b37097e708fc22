// Long lists and live streams on a real port: slow clients, clients that go away, resuming.

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { STREAM_SLICE_ROWS } from "../base/limits.ts";
import type { FakeClock } from "./testing/fake-clock.ts";
import type { FakeNode } from "./testing/fake-node.ts";
import type { MemoryLogger } from "./testing/harness.ts";
import type { Wire } from "./testing/listening.ts";
import { get, Listening, turns } from "./testing/listening.ts";

describe("long answers", () => {
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

  describe("long lists", () => {
    it("wait for a client that is slow, and go on when it reads", async () => {
      listening.fill(2 * STREAM_SLICE_ROWS);
      const wire = open();
      wire.pause();
      wire.send(get("/api/v1/printers"));
      while (clock.timers === 0) await turns();
      const deferred = clock.deferred;
      await turns(200);
      // Nothing is made for a client that takes nothing.
      expect(clock.deferred).toBe(deferred);
      expect(clock.timers).toBe(1);
      wire.resume();
      await wire.until("\r\n0\r\n\r\n");
      expect(wire.text.match(/"model"/g)).toHaveLength(2 * STREAM_SLICE_ROWS);
      expect(clock.timers).toBe(0);
    });

    it("stop when the client is gone", async () => {
      listening.fill(2 * STREAM_SLICE_ROWS);
      const wire = open();
      wire.pause();
      wire.send(get("/api/v1/printers"));
      while (clock.timers === 0) await turns();
      wire.destroy();
      while (clock.timers > 0) await turns();
      const deferred = clock.deferred;
      await turns(100);
      expect(clock.deferred).toBe(deferred);
      expect(logger.lines.filter((line) => line.level === "error")).toEqual([]);
    });

    it("drop a client that takes nothing for too long", async () => {
      listening.fill(2 * STREAM_SLICE_ROWS);
      const wire = open();
      wire.pause();
      wire.send(get("/api/v1/printers"));
      while (clock.timers === 0) await turns();
      clock.advance(60_000);
      wire.resume();
      await wire.closed();
      expect(wire.text.endsWith("\r\n0\r\n\r\n")).toBe(false);
    });
  });

  describe("the live stream", () => {
    const create = (id: number | null = null): void => {
      node.apply({ kind: "create-printer", id, company: "Prusa", model: "MK4S" });
    };

    const idsOf = (text: string): number[] =>
      [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

    function follow(query = "", headers = ""): Wire {
      return open().send(`GET /api/v1/events/stream${query} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    }

    it("sends what happens from now on, each event whole and once", async () => {
      create();
      const wire = follow();
      await wire.until("retry: 1000\n\n");
      expect(wire.text).toMatch(/\r\nContent-Type: text\/event-stream\r\n/i);
      create();
      await wire.until("id: 3\n");
      create();
      await wire.until("id: 4\n");
      expect(idsOf(wire.text)).toEqual([3, 4]);
      const frame = /id: 3\nevent: (\S+)\ndata: (.+)\n\n/.exec(wire.text);
      expect(frame?.[1]).toBe("printer.created");
      expect(JSON.parse(frame?.[2] ?? "")).toMatchObject({ index: 3, data: { id: 2 } });
    });

    it("begins where it is asked to, and Last-Event-ID beats the address", async () => {
      for (let n = 0; n < 5; n += 1) create();
      const wire = follow("?after=2");
      await wire.until("id: 6\n");
      expect(idsOf(wire.text)).toEqual([3, 4, 5, 6]);
      const resumed = follow("?after=2", "Last-Event-ID: 4\r\n");
      await resumed.until("id: 6\n");
      expect(idsOf(resumed.text)).toEqual([5, 6]);
    });

    it("has neither a gap nor a repeat over connections that break off", async () => {
      const seen: number[] = [];
      for (let round = 0; round < 8; round += 1) {
        const last = seen.at(-1);
        const wire = follow("?after=0", last === undefined ? "" : `Last-Event-ID: ${last}\r\n`);
        for (let n = 0; n < 40; n += 1) {
          create();
          if (n % 7 === round % 7) await turns(2);
        }
        await wire.until("\nid: ");
        wire.destroy();
        // What came in half is not an event: the client has not seen it.
        const whole = wire.text.slice(0, wire.text.lastIndexOf("\n\n") + 2);
        seen.push(...idsOf(whole));
      }
      const wire = follow("", `Last-Event-ID: ${seen.at(-1) ?? 0}\r\n`);
      await wire.until(`id: ${node.appliedIndex}\n`);
      seen.push(...idsOf(wire.text));
      expect(seen).toEqual(Array.from({ length: 8 * 40 }, (_, n) => n + 2));
    });

    it("sends a sign of life when nothing happens", async () => {
      const wire = follow();
      await wire.until("retry");
      while (clock.timers === 0) await turns();
      clock.advance(15_000);
      await wire.until(": still here\n\n");
      while (clock.timers === 0) await turns();
      clock.advance(15_000);
      create();
      await wire.until("id: 2\n");
      expect(wire.text.match(/: still here\n\n/g)).toHaveLength(2);
    });

    it("does not sleep through what happens while it begins", async () => {
      const read = node.events.read.bind(node.events);
      let reads = 0;
      node.events.read = async (after, limit) => {
        reads += 1;
        const page = await read(after, limit);
        // Added when the page is made and its reader has not seen it yet.
        if (reads === 1) create();
        return page;
      };
      await follow().until("id: 2\n");
    });

    it("does not ask the log again and again while nothing happens", async () => {
      const wire = follow();
      await wire.until("retry");
      await turns(50);
      const { reads } = node.events;
      await turns(200);
      expect(node.events.reads).toBe(reads);
    });

    it("holds a client back that does not read, and costs one page meanwhile", async () => {
      const wire = follow("?after=0");
      await wire.until("retry");
      wire.pause();
      // Far more than the buffers of both kernels.
      for (let n = 0; n < 60_000; n += 1) {
        node.events.all.push({ index: n + 2, type: "x", line: `"${"x".repeat(500)}"` });
      }
      node.events.lastIndex = 60_001;
      node.events.wake();
      await turns(300);
      const { reads } = node.events;
      await turns(300);
      expect(node.events.reads).toBe(reads);
      expect(reads * 256).toBeLessThan(60_000);
      wire.resume();
      await wire.until("id: 60001\n");
      expect(idsOf(wire.text)).toEqual(Array.from({ length: 60_000 }, (_, n) => n + 2));
    });

    it("waits for a part that the node is fetching, and ends when a part is gone", async () => {
      create();
      const wire = follow("?after=0");
      await wire.until("id: 2\n");
      node.events.isMissing = true;
      create();
      await turns(50);
      node.events.isMissing = false;
      node.events.wake();
      await wire.until("id: 3\n");
      node.events.oldest = 100;
      node.events.lastIndex = 100;
      node.events.wake();
      await wire.until("\r\n0\r\n\r\n");
    });

    it("forgets a client that is gone", async () => {
      const wire = follow();
      await wire.until("retry");
      expect(node.events.subscribers).toBe(1);
      wire.destroy();
      while (node.events.subscribers > 0) await turns();
      while (clock.timers > 0) await turns();
    });
  });
});
