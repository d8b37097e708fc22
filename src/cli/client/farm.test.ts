import { describe, expect, test } from "vitest";
import { clientFor } from "../session.ts";
import { fakeServer, fakeSession, sendJson } from "../testing/fakes.ts";
import { JOBS, PRINTERS } from "./collections.ts";
import { create, get, idValue, list, moveJob, remove, update } from "./farm.ts";

const JOB = {
  id: "a/b",
  printer_id: 1,
  filament_id: "red",
  filepath: "x.gcode",
  print_weight_in_grams: 80,
  status: "Running",
  version: 9,
};
const WRITE = { json: false, idempotencyKey: null, ifMatch: null };
const LIST = { json: false, consistency: "linearizable", limit: 1000 };

/** A session, and a client of one server that gives this answer to everything. */
async function against(answer: Parameters<typeof fakeServer>[0]) {
  const server = await fakeServer(answer);
  const session = fakeSession();
  const client = clientFor(session, { endpoint: [server.origin], timeout: 5 });
  return { server, session, client };
}

describe("the farm's objects on the command line", () => {
  test("a list follows the pages up to its limit, and says how much more there is", async () => {
    const total = 25;
    const { client, server, session } = await against((request, response) => {
      const url = new URL(request.url, "http://node");
      const from = Number(url.searchParams.get("cursor") ?? 0);
      const rows = Array.from({ length: 10 }, (_, at) => ({ ...JOB, id: from + at + 1 }));
      const headers: Record<string, string> = { "x-total-count": String(total) };
      url.searchParams.set("cursor", String(from + 10));
      headers["link"] = `<${url.pathname}${url.search}>; rel="next"`;
      sendJson(response, 200, rows, headers);
    });
    const filters = { status: ["queued", "running"], printer_id: null };
    await list(session, client, JOBS, { ...LIST, limit: 15, filters });
    expect(server.seen.map((request) => request.url)).toEqual([
      "/api/v1/print_jobs?status=queued&status=running&limit=15",
      "/api/v1/print_jobs?status=queued&status=running&limit=15&cursor=10",
    ]);
    const lines = session.terminal.stdout().trim().split("\n");
    expect(lines).toHaveLength(1 + 15);
    expect(lines[1]).toBe("1   Running  1        red             80  x.gcode        9");
    expect(session.terminal.stderr()).toBe(
      "Shown are 15 of 25 print jobs; --limit 25 shows them all.\n",
    );
  });

  test("an empty list is a sentence for people and an empty array for programs", async () => {
    const { client, session } = await against((_, response) => sendJson(response, 200, []));
    await list(session, client, PRINTERS, LIST);
    await list(session, client, PRINTERS, { ...LIST, json: true });
    expect(session.terminal.stdout()).toBe("There are no printers to show.\n[]\n");
  });

  test("an id with any characters in it arrives as it is, and stale is asked for only when wanted", async () => {
    const { client, server, session } = await against((_, response) =>
      sendJson(response, 200, JOB),
    );
    await get(session, client, JOBS, "a/b ?%", { json: false, consistency: "stale" });
    expect(server.seen[0]?.url).toBe("/api/v1/print_jobs/a%2Fb%20%3F%25?consistency=stale");
    expect(session.terminal.stdout()).toContain("printer_id             1\n");
    await get(session, client, JOBS, "1", { json: false, consistency: "linearizable" });
    expect(server.seen[1]?.url).toBe("/api/v1/print_jobs/1");
  });

  test("what was not given is not sent, and what was created is named", async () => {
    const { client, server, session } = await against((_, response) =>
      sendJson(response, 201, { id: 5, company: "a", model: "b" }),
    );
    const fields = { id: null, company: "a", model: "b" };
    await create(session, client, PRINTERS, fields, WRITE);
    expect(server.seen[0]).toMatchObject({
      method: "POST",
      url: "/api/v1/printers",
      body: '{"company":"a","model":"b"}',
    });
    expect(session.terminal.stderr()).toBe("Created printer 5.\n");
  });

  test("a version becomes an entity tag, and a given key is used instead of a new one", async () => {
    const { client, server, session } = await against((_, response) =>
      sendJson(response, 200, JOB),
    );
    const options = { json: true, ifMatch: "9", idempotencyKey: "k" };
    await update(session, client, PRINTERS, "1", { company: null, model: "c" }, options);
    await moveJob(session, client, "a/b", "running", { ...options, ifMatch: 'W/"9"' });
    await remove(session, client, PRINTERS, "1", { ...options, ifMatch: "*" });
    const sent = server.seen.map(({ body, headers, method, url }) => [
      `${method} ${url}`,
      body,
      headers["if-match"],
      headers["idempotency-key"],
    ]);
    expect(sent).toEqual([
      ["PATCH /api/v1/printers/1", '{"model":"c"}', '"9"', "k"],
      ["POST /api/v1/print_jobs/a%2Fb/status?status=running", "", 'W/"9"', "k"],
      ["DELETE /api/v1/printers/1", "", "*", "k"],
    ]);
  });

  test("an id that looks like a number is sent as one, unless that would change it", () => {
    expect(["0", "5", "9007199254740991"].map(idValue)).toEqual([0, 5, 9_007_199_254_740_991]);
    for (const text of ["05", "-1", "1.0", "9007199254740993", "a5", ""]) {
      expect(idValue(text)).toBe(text);
    }
  });
});
