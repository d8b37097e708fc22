// Everything that a client can get wrong, sent to the leader and to a follower of a real cluster: both must
// give the same documented answer, and nothing may have happened. What is wrong with a field is made up from
// the schemas that the server publishes, so a field or an endpoint that is added is tried as well.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventLines, metric } from "./client.ts";
import { type Operation, address, goodBody, readOperations, wrongValues } from "./operations.ts";
import { ProcessCluster, type ServerProcess, until } from "./process-cluster.ts";
import { type RawAnswer, dial, sendRaw } from "./raw.ts";

let cluster: ProcessCluster;
let leader: ServerProcess;
let follower: ServerProcess;
let operations: readonly Operation[];

const PRINTER = { company: "Prusa Research", model: "MK4S" };
const SPOOL = { type: "PLA", color: "red", total_weight_in_grams: 1000 };
const JOB = { printer_id: 1, filament_id: 1, filepath: "/a.gcode", print_weight_in_grams: 100 };
const JSON_TYPE = { "content-type": "application/json" };

beforeAll(async () => {
  cluster = await ProcessCluster.make(3);
  leader = await cluster.start();
  follower = cluster.servers.find((server) => server !== leader)!;
  for (const [path, body] of [
    ["/api/v1/printers", PRINTER],
    ["/api/v1/filaments", SPOOL],
    ["/api/v1/print_jobs", JOB],
  ] as const) {
    expect((await leader.post(path, body)).status).toBe(201);
  }
  operations = readOperations((await follower.get("/api/v1/openapi.json")).body);
  expect(operations.length).toBeGreaterThan(20);
  await cluster.settled();
});
afterAll(() => cluster.dispose());

interface Case {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
  /** The fields that must be named, and no others. */
  readonly fields?: readonly string[];
}

function nameOf({ body, headers, method, path }: Case): string {
  const what = [method, path.slice(0, 150), JSON.stringify(headers ?? {}).slice(0, 80)];
  return `${what.join(" ")} ${JSON.stringify(body)?.slice(0, 150) ?? ""}`;
}

/** The same from the leader and from a follower, and as documented. */
async function expectRefused(one: Case): Promise<void> {
  const { body, headers, method, path } = one;
  const [fromLeader, fromFollower] = await Promise.all(
    [leader, follower].map((server) => server.request(method, path, body, headers)),
  );
  const name = nameOf(one);
  for (const answer of [fromLeader!, fromFollower!]) {
    expect({ status: answer.status, code: answer.body.code }, name).toEqual({
      status: one.status,
      code: one.code,
    });
    expect(answer.headers.get("content-type"), name).toBe("application/problem+json");
    expect(answer.body.status, name).toBe(one.status);
    if (one.fields !== undefined) {
      const named = answer.body.errors.map(({ field }: { field: string }) => field);
      expect(named.toSorted(), name).toEqual(one.fields.toSorted());
    }
  }
  expect(fromFollower!.body, name).toEqual(fromLeader!.body);
}

/** Bytes that are answered alike by both, with a whole problem. */
async function expectRaw(
  pieces: Iterable<string | Uint8Array>,
  status: number,
  code: string,
): Promise<void> {
  const sent = [...pieces];
  const answers = await Promise.all([leader, follower].map((server) => sendRaw(server, sent)));
  const name = Buffer.concat(sent.map((piece) => Buffer.from(piece)))
    .toString("latin1")
    .slice(0, 200);
  for (const answer of answers) expect(problemIn(answer), name).toEqual({ status, code });
  expect(answers[1]?.text, name).toBe(answers[0]?.text);
}

function problemIn(answer: RawAnswer | null): { status: number; code: string } | null {
  if (answer === null) return null;
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  return { status: answer.status, code: JSON.parse(answer.text).code };
}

/** All of them, some at a time; at the end nobody has proposed anything. */
async function expectNothingProposed(cases: readonly Case[]): Promise<void> {
  expect(cases.length).toBeGreaterThan(0);
  const before = await standing();
  for (let at = 0; at < cases.length; at += 8) {
    await Promise.all(cases.slice(at, at + 8).map(expectRefused));
  }
  expect(await standing()).toEqual(before);
}

/** What each node has proposed, applied and holds. */
function standing(): Promise<unknown> {
  return Promise.all(
    [leader, follower].map(async (server) => {
      const { applied_index: applied, state_hash: hash, term } = (await server.status())!;
      const proposed = await metric(server, "raft3d_proposals_submitted_total");
      return { applied, hash, proposed, term, events: (await eventLines(server))?.length };
    }),
  );
}

function withBody(): readonly Operation[] {
  return operations.filter(({ schema }) => schema !== null);
}

describe("fields of a body", () => {
  test("of every wrong kind are refused by name, and nothing is proposed", async () => {
    const cases = withBody().flatMap((operation): Case[] => {
      const at = { method: operation.method, path: address(operation), status: 400 };
      const good = goodBody(operation);
      return Object.entries(operation.schema?.properties ?? {}).flatMap(([field, schema]) => {
        const wrong = wrongValues(schema);
        // The status of a new job is the only word of which a good form is refused here.
        if (field === "status" && operation.path.endsWith("print_jobs")) wrong.push("Running");
        return wrong.map((value) => {
          return {
            ...at,
            body: { ...good, [field]: value },
            code: "invalid_fields",
            fields: [field],
          };
        });
      });
    });
    expect(cases.length).toBeGreaterThan(150);
    await expectNothingProposed(cases);
  });

  test("that are missing, unknown, or there twice are refused by name", async () => {
    const cases = withBody().flatMap((operation): Case[] => {
      const good = goodBody(operation);
      const at = { method: operation.method, path: address(operation), status: 400 };
      const bad = { ...at, code: "invalid_fields" };
      const missing = (operation.schema?.required ?? []).map((field) => {
        const { [field]: _, ...body } = good;
        return { ...bad, body, fields: [field] };
      });
      const [first = ""] = Object.keys(good);
      const twice = `{"${first}":1,${JSON.stringify(good).slice(1)}`;
      const unknown = `{"colour":1,"__proto__":{},${JSON.stringify(good).slice(1)}`;
      return [
        ...missing,
        { ...bad, body: twice, fields: [first] },
        { ...bad, body: unknown, fields: ["colour", "__proto__"] },
        {
          ...bad,
          body: { ...good, version: 1, created_at: "x" },
          fields: ["version", "created_at"],
        },
        { ...bad, body: { ...good, [first]: "\ud83d" }, fields: [first] },
      ];
    });
    await expectNothingProposed(cases);
  });

  test("in a body that is none are not looked for", async () => {
    const deep = '{"a":'.repeat(10_000);
    const json = "malformed_json";
    const bodies: readonly (readonly [string | Buffer, string])[] = [
      [" ", json],
      ["null", json],
      ["[1]", json],
      ['"text"', json],
      ['{"company":', json],
      ["{company: 1}", json],
      ["{'company': 1}", json],
      ['{"a":1}{"b":2}', json],
      ['{"a":NaN}', json],
      ['{"a":01}', json],
      ['{"a":"\u0000"}', json],
      [deep, json],
      [`${deep}1${"}".repeat(10_000)}`.slice(0, 60_000), json],
      ["[".repeat(60_000), json],
    ];
    const cases = withBody().flatMap((operation): Case[] => {
      const at = { method: operation.method, path: address(operation), status: 400 };
      const big = { ...at, status: 413, code: "body_too_large" };
      const type = { ...at, status: 415, code: "unsupported_media_type", body: "{}" };
      return [
        ...bodies.map(([body, code]) => ({ ...at, body, code })),
        { ...big, body: "[".repeat(100_000) },
        { ...big, body: `{"a":"${"x".repeat(70_000)}"}` },
        { ...type, headers: { "content-type": "text/plain" } },
        { ...type, headers: { "content-type": "application/x-www-form-urlencoded" } },
        { ...type, headers: { "content-type": "application/json; charset=latin1" } },
        { ...type, headers: { "content-type": "///" } },
        { ...type, headers: { ...JSON_TYPE, "content-encoding": "gzip" } },
        ...(operation.isBodyRequired ? [{ ...at, code: "body_required" }] : []),
      ];
    });
    await expectNothingProposed(cases);
  });

  test("that are not UTF-8 are refused", async () => {
    const before = await standing();
    const broken = [
      [0xff],
      [0xc3],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80],
      [0xc0, 0xaf],
      [0xf5, 0x80, 0x80, 0x80],
    ];
    for (const operation of withBody()) {
      for (const bytes of broken) {
        const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
        const head = `${operation.method} ${address(operation)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
        await expectRaw(
          [`${head}Content-Length: ${body.length}\r\n\r\n`, body],
          400,
          "invalid_utf8",
        );
      }
    }
    expect(await standing()).toEqual(before);
  });
});

describe("what stands beside the body", () => {
  const long = "x".repeat(129);
  const queries: Readonly<Record<string, readonly string[]>> = {
    limit: ["", "0", "-1", "1.5", "1e3", "0x10", " 7", "10001", "x", "99999999999999999999"],
    cursor: ["", "x", "eyJ9", "%00"],
    consistency: ["", "strong", "Stale", "stale,linearizable"],
    status: ["", "printing", "Queued;Done"],
    printer_id: ["", long],
    filament_id: ["", long],
    after: ["", "-1", "1.5", "x", "9007199254740992"],
    verbose: ["yes", "2"],
  };

  test("as query parameters is refused by name: impossible, unknown, or there twice", async () => {
    const cases = operations.flatMap((operation): Case[] => {
      const { method, parameters } = operation;
      const body = operation.schema === null ? {} : { body: goodBody(operation) };
      const path = address(operation);
      const at = { ...body, method, status: 400, code: "invalid_query" };
      const declared = parameters.filter((one) => one.in === "query").map(({ name }) => name);
      const once = declared.filter(
        (name) => !["status", "printer_id", "filament_id"].includes(name),
      );
      return [
        ...declared.flatMap((name) => {
          const wrong = queries[name];
          if (wrong === undefined) throw new Error(`no wrong values for ?${name}=`);
          return wrong.map((value) => ({
            ...at,
            path: `${path}?${name}=${value}`,
            fields: [name],
          }));
        }),
        ...once.map((name) => ({ ...at, path: `${path}?${name}=1&${name}=1`, fields: [name] })),
        { ...at, path: `${path}?colour=red&force`, fields: ["colour", "force"] },
      ];
    });
    // Pages for people take whatever stands behind their address.
    const forPeople = ["/", "/docs", "/docs/errors", "/api/v1/openapi.json"];
    await expectNothingProposed(
      cases.filter(({ path }) => !forPeople.includes(path.split("?")[0] ?? "")),
    );
  });

  test("as a path that leads nowhere, or with a broken escape, is refused", async () => {
    const withId = operations.filter(({ path }) => path.includes("{id}"));
    expect(withId.length).toBeGreaterThan(8);
    const cases = withId.flatMap((operation): Case[] => {
      const { method } = operation;
      const at = (id: string) => ({
        method,
        path: operation.path.replace("{id}", id),
        ...(operation.schema === null ? {} : { body: goodBody(operation) }),
      });
      const broken = ["%zz", "%", "%ff", "%c3%28", "%ed%a0%80"].map((id) => {
        return { ...at(id), status: 400, code: "malformed_request" };
      });
      const unknown = { ...at(long), status: 404, code: "not_found" };
      const deeper = { ...at("1/2/3"), status: 404, code: "unknown_route" };
      return [...broken, unknown, deeper];
    });
    const lost = [
      "/api",
      "/api/v1",
      "/api/v2/printers",
      "/api/v1/printer",
      "/nowhere",
      "/api/v1//printers",
    ];
    const nowhere = lost.map((path) => ({
      method: "GET",
      path,
      status: 404,
      code: "unknown_route",
    }));
    await expectNothingProposed([...cases, ...nowhere]);
  });

  test("as a method that does not apply is refused, and those that do are named", async () => {
    const paths = [...new Set(operations.map(address))];
    const cases = paths.flatMap((path) => {
      const known = operations.filter((one) => address(one) === path).map(({ method }) => method);
      return ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .filter((method) => !known.includes(method))
        .map((method) => ({ method, path, known }));
    });
    const before = await standing();
    for (const { known, method, path } of cases) {
      await expectRefused({ method, path, status: 405, code: "method_not_allowed" });
      const { headers } = await follower.request(method, path);
      for (const one of known) expect(headers.get("allow"), `${method} ${path}`).toContain(one);
    }
    expect(await standing()).toEqual(before);
  });

  test("as a malformed If-Match, Idempotency-Key or Last-Event-ID is refused by name", async () => {
    const wrong: Readonly<Record<string, readonly string[]>> = {
      "If-Match": ["", "1", '"1', "W/1", '"a" "b"', ",", Array(33).fill('"1"').join(",")],
      "Idempotency-Key": ["", "two words", "x".repeat(256), "clé", "tab\there"],
      "Last-Event-ID": ["", "x", "-1", "1.5", "9007199254740992"],
    };
    const cases = operations.flatMap((operation): Case[] => {
      const { method, parameters, schema } = operation;
      return parameters
        .filter(({ in: place, name }) => place === "header" && name !== "If-None-Match")
        .flatMap(({ name }) =>
          (wrong[name] ?? []).map((value) => ({
            method,
            path: address(operation),
            ...(schema === null ? {} : { body: goodBody(operation) }),
            headers: { [name]: value },
            status: 400,
            code: "invalid_header",
            fields: [name],
          })),
        );
    });
    expect(new Set(cases.flatMap(({ fields }) => fields ?? [])).size).toBe(3);
    await expectNothingProposed(cases);
  });
});

describe("rules that only the log can judge", () => {
  test("are judged alike through leader and follower, and change nothing", async () => {
    const hash = (await cluster.settled()).state_hash;
    const events = await eventLines(leader);
    const status = (word: string) =>
      ["POST", `/api/v1/print_jobs/1/status?status=${word}`] as const;
    const stale = { "if-match": '"999999"' };
    const cases = [
      ["POST", "/api/v1/printers", { ...PRINTER, id: "1" }, 409, "duplicate_id"],
      ["POST", "/api/v1/filaments", { ...SPOOL, id: 1 }, 409, "duplicate_id"],
      ["POST", "/api/v1/print_jobs", { ...JOB, id: 1 }, 409, "duplicate_id"],
      ["POST", "/api/v1/print_jobs", { ...JOB, printer_id: 9 }, 400, "unknown_reference"],
      ["POST", "/api/v1/print_jobs", { ...JOB, filament_id: "9" }, 400, "unknown_reference"],
      [
        "POST",
        "/api/v1/print_jobs",
        { ...JOB, print_weight_in_grams: 901 },
        409,
        "not_enough_filament",
      ],
      [...status("done"), undefined, 409, "transition_not_allowed"],
      [...status("queued"), undefined, 409, "transition_not_allowed"],
      ["DELETE", "/api/v1/printers/1", undefined, 409, "in_use"],
      ["DELETE", "/api/v1/filaments/1", undefined, 409, "in_use"],
      ["PATCH", "/api/v1/filaments/1", { remaining_weight_in_grams: 99 }, 409, "weight_conflict"],
      ["PATCH", "/api/v1/printers/9", { model: "x" }, 404, "not_found"],
      ["DELETE", "/api/v1/filaments/nine", undefined, 404, "not_found"],
      ["POST", "/api/v1/print_jobs/9/status", { status: "running" }, 404, "not_found"],
      ["PATCH", "/api/v1/printers/1", { model: "x" }, 412, "version_mismatch", stale],
      [...status("running"), undefined, 412, "version_mismatch", stale],
    ] as const;
    for (const [method, path, body, code, name, headers] of cases) {
      await expectRefused({ method, path, body, status: code, code: name, headers: headers ?? {} });
    }
    expect((await cluster.settled()).state_hash).toBe(hash);
    for (const server of cluster.servers) expect(await eventLines(server)).toEqual(events);
  });
});

const MIB = 1024 * 1024;

/** 100 MB in pieces, made while they are sent. */
function* aHundredMegabytes(frame: (piece: string) => string): Generator<string> {
  const piece = frame("x".repeat(MIB));
  for (let n = 0; n < 100; n++) yield piece;
}

/** The most memory the process has had since `forgetPeak`, in bytes. */
function peakBytes(server: ServerProcess): number {
  const text = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

function forgetPeak(server: ServerProcess): void {
  writeFileSync(`/proc/${server.pid}/clear_refs`, "5");
}

describe("a body without end", () => {
  const head = "POST /api/v1/printers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  const tooLarge = { status: 413, code: "body_too_large" };

  test.skipIf(process.platform !== "linux")(
    "of 100 MB is refused without being kept in memory, whether its length is told or not",
    async () => {
      const before = await standing();
      const nodes = [leader, follower];
      for (const server of nodes) forgetPeak(server);
      const begin = nodes.map(peakBytes);
      const chunk = (piece: string): string => `${MIB.toString(16)}\r\n${piece}\r\n`;
      for (const server of nodes) {
        const told = [`${head}Content-Length: ${100 * MIB}\r\n\r\n`];
        const chunked = [`${head}Transfer-Encoding: chunked\r\n\r\n`];
        const answers = await Promise.all([
          sendRaw(
            server,
            concatenation(
              told,
              aHundredMegabytes((piece) => piece),
            ),
          ),
          sendRaw(server, concatenation(chunked, aHundredMegabytes(chunk))),
        ]);
        for (const answer of answers) {
          expect(problemIn(answer)).toEqual(tooLarge);
          expect(answer?.headers.get("connection")).toBe("close");
        }
      }
      for (const [at, server] of nodes.entries()) {
        expect(peakBytes(server) - begin[at]!).toBeLessThan(90 * MIB);
      }
      expect(await standing()).toEqual(before);
    },
  );

  test("is refused before it is sent, if the client asks first", async () => {
    const asks = `${head}Content-Length: ${100 * MIB}\r\nExpect: 100-continue\r\n\r\n`;
    await expectRaw([asks], 413, "body_too_large");
  });

  test("in chunks is taken like any other as long as it is small", async () => {
    const before = await standing();
    const chunks = ['{"company"', ':"x","mod', 'el":5}'].map((piece) => {
      return `${piece.length.toString(16)}\r\n${piece}\r\n`;
    });
    const body = `${chunks.join("")}0\r\n\r\n`;
    await expectRaw([`${head}Transfer-Encoding: chunked\r\n\r\n`, body], 400, "invalid_fields");
    expect(await standing()).toEqual(before);
  });
});

function* concatenation<T>(...parts: readonly Iterable<T>[]): Generator<T> {
  for (const part of parts) yield* part;
}

describe("what is no HTTP", () => {
  test("or too much of it, is told so, and the node goes on", async () => {
    const before = await standing();
    const get = "GET /api/v1/printers HTTP/1.1\r\nHost: x\r\n";
    const post = "POST /api/v1/printers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const malformed = [
      "hello\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "FETCH /api/v1/printers HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `${get}Bad Header: 1\r\n\r\n`,
      `${get}X: a\0b\r\n\r\n`,
      `${post}Content-Length: -1\r\n\r\n`,
      `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
      Buffer.from("16030100c8010000c40303", "hex"),
      Buffer.concat([Buffer.from([0]), randomBytes(2000)]),
    ];
    for (const bytes of malformed) await expectRaw([bytes], 400, "malformed_request");
    const large = [
      `${get}X: ${"x".repeat(70_000)}\r\n\r\n`,
      `GET /api/v1/printers?x=${"x".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `${get}${Array.from({ length: 5000 }, (_, n) => `X-${n}: x\r\n`).join("")}\r\n`,
    ];
    for (const bytes of large) await expectRaw([bytes], 431, "headers_too_large");
    expect(await standing()).toEqual(before);
  });

  test("nor the language of peers, is cut off at the peers' port, and the cluster does not notice", async () => {
    const before = await standing();
    const garbage: readonly (string | Uint8Array)[] = [
      "",
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      randomBytes(100_000),
      Buffer.alloc(MIB),
      Buffer.alloc(20_000, 0xff),
      Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]),
    ];
    const strangers = cluster.servers.flatMap((server) =>
      Array.from({ length: 30 }, (_, at) => {
        const socket = dial(server.peer);
        const bytes = garbage[at % garbage.length] ?? "";
        if (bytes.length > 0) socket.write(bytes);
        socket.resume();
        return socket;
      }),
    );
    // Those that say nothing at all as well: after the time that a handshake may take.
    await until("all of them are cut off", () => strangers.every((socket) => socket.closed));
    expect(await standing()).toEqual(before);
    for (const [at, server] of cluster.servers.entries()) {
      expect(
        (await server.post("/api/v1/printers", { ...PRINTER, id: `after-${at}` })).status,
      ).toBe(201);
    }
  });

  test("has left every node as it was: the same processes, without an error in their logs", async () => {
    await until("every node is ready", async () => {
      const answers = await Promise.all(cluster.servers.map((server) => server.get("/readyz")));
      return answers.every(({ status }) => status === 200);
    });
    for (const server of cluster.servers) {
      expect(server.isRunning).toBe(true);
      expect(server.log.match(/^\{"level":"error".*$/gm)).toBeNull();
    }
  });
});
