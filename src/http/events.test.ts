import { beforeEach, describe, expect, it } from "vitest";

import type { Answer } from "./testing/harness.ts";
import { Harness } from "./testing/harness.ts";

interface Event {
  readonly index: number;
  readonly type: string;
}

const events = (answer: Answer): readonly Event[] => answer.json as unknown as readonly Event[];

describe("the event log in pages", () => {
  let shop: Harness;

  beforeEach(async () => {
    shop = new Harness();
    await shop.farm();
    await shop.job();
    await shop.call("POST", "/api/v1/print_jobs/1/status?status=running");
  });

  it("holds what happened, oldest first, each with its place in the log", async () => {
    const answer = await shop.get("/api/v1/events");
    expect(events(answer).map(({ index, type }) => [index, type])).toEqual([
      [2, "printer.created"],
      [3, "filament.created"],
      [4, "print_job.created"],
      [5, "print_job.running"],
    ]);
    expect(answer.headers["raft3d-events-through"]).toBe("5");
    expect(answer.headers["link"]).toBeUndefined();
    expect(events(answer)[0]).toMatchObject({ data: { id: 1, company: "Prusa Research" } });
  });

  it("goes on after the index that is asked for, by the Link or by hand", async () => {
    const first = await shop.get("/api/v1/events?limit=2");
    expect(events(first).map((event) => event.index)).toEqual([2, 3]);
    expect(first.headers["link"]).toBe('</api/v1/events?limit=2&after=3>; rel="next"');
    const second = await shop.get("/api/v1/events?limit=2&after=3");
    expect(events(second).map((event) => event.index)).toEqual([4, 5]);
    expect(second.headers["link"]).toBeUndefined();
    const beyond = await shop.get("/api/v1/events?after=99&consistency=stale");
    expect([beyond.text, beyond.headers["raft3d-events-through"]]).toEqual(["[]", "99"]);
  });

  it("refuses a position past the end, which is one of another cluster, once it knows the end", async () => {
    const page = await shop.get("/api/v1/events?after=99");
    expect(page.status).toBe(400);
    expect(page.json).toMatchObject({ code: "invalid_query", errors: [{ field: "after" }] });
    expect(page.text).toContain("the log ends at ");
    const live = await shop.get("/api/v1/events/stream", { "last-event-id": "99" });
    expect(live.status).toBe(400);
    expect(live.json).toMatchObject({
      code: "invalid_header",
      errors: [{ field: "Last-Event-ID" }],
    });
  });

  it("passes over entries that caused no event", async () => {
    await shop.call("POST", "/api/v1/print_jobs/1/status?status=queued");
    const answer = await shop.get("/api/v1/events?after=5");
    expect([answer.text, answer.headers["raft3d-events-through"]]).toEqual(["[]", "6"]);
  });

  it("comes a line at a time to whoever accepts that", async () => {
    const answer = await shop.get("/api/v1/events", {
      accept: "text/html;q=0.1, application/x-ndjson",
    });
    expect(answer.headers["content-type"]).toBe("application/x-ndjson");
    const lines = answer.text.split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => (JSON.parse(line) as Event).index)).toEqual([2, 3, 4, 5]);
  });

  it("says 410 and what is left when the part is no longer kept", async () => {
    shop.node.events.oldest = 4;
    const answer = await shop.get("/api/v1/events?after=1");
    expect(answer.status).toBe(410);
    expect(answer.json).toMatchObject({ code: "events_gone", oldest_index: 4 });
    expect((await shop.get("/api/v1/events?after=3")).status).toBe(200);
    const live = await shop.get("/api/v1/events/stream?after=1");
    expect(live.json).toMatchObject({ code: "events_gone", oldest_index: 4 });
  });

  it("says 503 while the node is still fetching the part", async () => {
    shop.node.events.isMissing = true;
    for (const url of ["/api/v1/events", "/api/v1/events/stream"]) {
      const answer = await shop.get(url);
      expect(answer.status).toBe(503);
      expect(answer.json["code"]).toBe("events_missing");
      expect(answer.headers["retry-after"]).toBe("1");
    }
  });

  it("refuses a Last-Event-ID that is none", async () => {
    for (const id of ["x", "-1", "1 2", "01"]) {
      const answer = await shop.get("/api/v1/events/stream", { "last-event-id": id });
      expect(answer.json["code"], id).toBe("invalid_header");
    }
  });
});
