import { describe, expect, test } from "vitest";
import { eventLine, indexOf, sendCluster, sendEvents } from "../testing/fake-cluster.ts";
import { deadOrigin, fakeServer, fakeSession, sendJson } from "../testing/fakes.ts";
import { clientFor } from "../session.ts";
import { type TailOptions, tail } from "./events-tail.ts";

const OPTIONS = {
  after: null,
  lines: 10,
  consistency: "linearizable" as const,
  follow: false,
  json: true,
  timeout: 5,
};

function runTail(options: Partial<TailOptions> & Pick<TailOptions, "endpoint">) {
  const session = fakeSession();
  const whole = { ...OPTIONS, ...options };
  const done = tail(session, clientFor(session, whole), whole);
  return { session, done };
}

function printed(session: ReturnType<typeof fakeSession>): readonly number[] {
  const text = session.terminal.stdout();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(indexOf);
}

// Not every log index has an event.
const LINES = [3, 5, 6, 9, 14, 15, 20].map((index) => eventLine(index));
const LAST = 40;

function history(perPage = 2) {
  return fakeServer((request, response) => {
    if (request.url === "/api/v1/cluster") {
      sendCluster(response, { nodeId: 1, leaderId: 1, appliedIndex: LAST, members: [] });
    } else sendEvents(request, response, LINES, LAST, perPage);
  });
}

describe("events tail", () => {
  test("shows everything behind an index, page after page", async () => {
    const server = await history();
    const { done, session } = runTail({ endpoint: [server.origin], after: 5 });
    await done;
    expect(printed(session)).toEqual([6, 9, 14, 15, 20]);
  });

  test("shows the newest events, however far apart they lie in the log", async () => {
    const server = await history();
    for (const [lines, expected] of [
      [2, [15, 20]],
      [5, [6, 9, 14, 15, 20]],
      [50, [3, 5, 6, 9, 14, 15, 20]],
      [0, []],
    ] as const) {
      const { done, session } = runTail({ endpoint: [server.origin], lines });
      await done;
      expect(printed(session)).toEqual(expected);
    }
  });

  test("for people, an event is one line with its time, its type and its fields", async () => {
    const server = await history();
    const { done, session } = runTail({ endpoint: [server.origin], lines: 1, json: false });
    await done;
    expect(session.terminal.stdout()).toBe(
      '      20  2026-11-22T14:30:00Z  printer.created     id=20 company="a b" model=c\n',
    );
  });

  test("following, it goes on at a node the cluster named when its own breaks off, without a gap or repeat", async () => {
    const second = await fakeServer((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`id: 42\nevent: x\ndata: ${eventLine(42)}\n\n`, () => response.destroy());
    });
    const first = await fakeServer((request, response) => {
      if (request.url === "/api/v1/cluster") {
        const http = second.origin.slice("http://".length);
        const members = [{ id: 2, http }];
        sendCluster(response, { nodeId: 1, leaderId: 1, appliedIndex: LAST, members });
      } else if (request.url.startsWith("/api/v1/events/stream")) {
        response.writeHead(200, { "content-type": "text/event-stream" });
        // The second event breaks off before its end: it did not happen here.
        const text = `id: 41\ndata: ${eventLine(41)}\n\nid: 42\ndata: ${eventLine(42)}\n`;
        response.write(text, () => response.destroy());
      } else sendEvents(request, response, LINES, LAST, 100);
    });
    const { done, session } = runTail({ endpoint: [first.origin], lines: 1, follow: true });
    const ended = done.catch((error: unknown) => error);
    while (second.seen.length === 0) await new Promise((next) => setImmediate(next));
    expect(first.seen.at(-1)?.headers["last-event-id"]).toBe(String(LAST));
    expect(second.seen[0]?.headers["last-event-id"]).toBe("41");
    await first.close();
    await second.close();
    expect(String(await ended)).toContain("--after 42 goes on from here");
    expect(printed(session)).toEqual([20, 41, 42]);
  });

  test("says from where on events are kept, when those asked for are gone", async () => {
    const server = await fakeServer((_, response) =>
      sendJson(response, 410, { code: "events_gone", detail: "The oldest kept is at 900." }),
    );
    const { done } = runTail({ endpoint: [await deadOrigin(), server.origin], after: 1 });
    await expect(done).rejects.toThrow("The oldest kept is at 900.");
  });
});
