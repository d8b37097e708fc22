import { describe, expect, test } from "vitest";
import {
  type FakeServer,
  deadOrigin,
  fakeServer,
  fakeSession,
  sendJson,
} from "../testing/fakes.ts";
import { Client } from "./client.ts";
import { ProblemFailure } from "./problem.ts";

function clientOf(origins: readonly string[], timeoutMs = 15_000) {
  const session = fakeSession();
  const { clock, http, random } = session;
  return { client: new Client({ endpoints: origins, timeoutMs, http, clock, random }), clock };
}

const CREATE = { method: "POST", path: "/api/v1/printers", body: { company: "a" } } as const;

function problem(code: string, status: number) {
  return { type: `/docs/errors#${code}`, title: code, status, detail: `It is ${code}.`, code };
}

/** Answers each request with the next of these, and with the last from then on. */
function scripted(
  ...script: readonly { readonly status: number; readonly body: unknown; readonly after?: string }[]
): Promise<FakeServer> {
  let at = 0;
  return fakeServer((_, response) => {
    const { after, body, status } = script[Math.min(at++, script.length - 1)]!;
    sendJson(response, status, body, after === undefined ? {} : { "retry-after": after });
  });
}

describe("the client and its retries", () => {
  test("a node that is not there is passed over for the next, without waiting", async () => {
    const server = await scripted({ status: 201, body: { id: 1 } });
    const { client, clock } = clientOf([await deadOrigin(), server.origin]);
    const told = await client.ask(CREATE);
    expect(told.endpoint).toBe(server.origin);
    expect(told.attempts).toBe(2);
    expect(clock.waits).toEqual([]);
    // Once found, it is asked first.
    expect((await client.ask(CREATE)).attempts).toBe(1);
  });

  test("when nobody is there at all, it says so at once, with every address", async () => {
    const dead = [await deadOrigin(), await deadOrigin()];
    const { client, clock } = clientOf(dead);
    const failure = await client.ask(CREATE).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    for (const origin of dead) expect(String(failure)).toContain(`${origin} (connection refused)`);
    // Nothing can have arrived, so there is nothing to repeat.
    expect(String(failure)).not.toContain("--idempotency-key");
    expect(clock.waits).toEqual([]);
  });

  test("a 503 is asked again after the time that it names, under the same key", async () => {
    const busy = { status: 503, body: problem("no_leader", 503), after: "2" };
    const server = await scripted(busy, busy, { status: 201, body: { id: 1 } });
    const { client, clock } = clientOf([server.origin]);
    expect((await client.ask(CREATE)).attempts).toBe(3);
    expect(clock.waits).toEqual([2000, 2000]);
    const keys = server.seen.map((request) => request.headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^cli-[0-9a-f]{32}$/);
    expect(new Set(keys).size).toBe(1);
    expect(server.seen.map((request) => request.body)).toEqual(Array(3).fill('{"company":"a"}'));
  });

  test("every write has a key of its own, and a read has none", async () => {
    const server = await scripted({ status: 200, body: {} });
    const { client } = clientOf([server.origin]);
    await client.ask(CREATE);
    await client.ask(CREATE);
    await client.ask({ method: "GET", path: "/" });
    const [first, second, third] = server.seen.map((request) => request.headers["idempotency-key"]);
    expect(first).not.toBe(second);
    expect(third).toBeUndefined();
  });

  test("all nodes are asked before it waits, and it waits as long as the most patient one asks", async () => {
    const first = await scripted(
      { status: 503, body: problem("no_leader", 503), after: "1" },
      { status: 200, body: {} },
    );
    const second = await scripted({ status: 429, body: problem("overloaded", 429), after: "3" });
    const { client, clock } = clientOf([first.origin, second.origin]);
    expect((await client.ask(CREATE)).endpoint).toBe(first.origin);
    expect(second.seen).toHaveLength(1);
    expect(clock.waits).toEqual([3000]);
  });

  test("it gives up at the bound, with the server's last word and no advice about a write not proposed", async () => {
    const busy = { status: 503, body: problem("no_leader", 503), after: "4" };
    const server = await scripted(busy);
    const { client, clock } = clientOf([server.origin], 10_000);
    const failure = await client.ask(CREATE).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ProblemFailure);
    expect((failure as ProblemFailure).message).toBe("It is no_leader.\n  (no_leader, status 503)");
    expect(clock.waits).toEqual([4000, 4000]);
    expect(server.seen).toHaveLength(3);
  });

  test("an unknown outcome is asked for again under the same key, and at the bound the key is told", async () => {
    const unknown = { status: 504, body: problem("outcome_unknown", 504) };
    const server = await scripted(unknown, { status: 201, body: { id: 1 } });
    const { client } = clientOf([server.origin]);
    await expect(client.json(CREATE)).resolves.toEqual({ id: 1 });

    const stubborn = await scripted(unknown);
    const failing = clientOf([stubborn.origin], 1000);
    const failure = await failing.client.ask(CREATE).catch((error: unknown) => error);
    const key = stubborn.seen[0]!.headers["idempotency-key"];
    expect(String(failure)).toContain(`--idempotency-key ${String(key)}`);
  });

  test("a connection that breaks in the middle of an answer leaves the outcome open, and says so", async () => {
    const server = await fakeServer((_, response) => {
      response.writeHead(201, { "content-length": "100" });
      response.write("{", () => response.destroy());
    });
    const { client } = clientOf([server.origin]);
    const ask = { ...CREATE, idempotencyKey: "mine" };
    const failure = await client.ask(ask).catch((error: unknown) => error);
    expect(String(failure)).toContain("connection reset");
    expect(String(failure)).toContain("--idempotency-key mine");
  });

  test("a refusal is final, is not asked again, and names every field", async () => {
    const body = {
      ...problem("invalid_fields", 400),
      errors: [
        { field: "company", message: "must not be empty" },
        { field: "mod\u001bel", message: "is missing" },
      ],
    };
    const server = await scripted({ status: 400, body });
    const { client } = clientOf([server.origin, await deadOrigin()]);
    const failure = await client.ask(CREATE).catch((error: unknown) => error);
    expect((failure as ProblemFailure).message.split("\n")).toEqual([
      "It is invalid_fields.",
      "  company: must not be empty",
      "  mod\\u001bel: is missing",
      "  (invalid_fields, status 400)",
    ]);
    expect(server.seen).toHaveLength(1);
  });

  test("an answer that is not Raft3D's is told from one that is", async () => {
    const server = await fakeServer((_, response) => response.writeHead(404).end("<html>"));
    const { client } = clientOf([server.origin]);
    await expect(client.ask(CREATE)).rejects.toThrow("not in the form of Raft3D");
    const page = await fakeServer((_, response) => response.writeHead(200).end("<html>"));
    const other = clientOf([page.origin]);
    await expect(other.client.json(CREATE)).rejects.toThrow("is not JSON");
  });
});
