// Requests that were good, changed in every way: their bodies, queries and headers, each answer held
// against the contract by the harness; and their bytes, through a real socket. Whatever is sent, the
// answer is a documented one and never a 500, the server goes on, and nothing is left hanging.

import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { Fuzz } from "../sim/fuzz.ts";
import { inPieces, mutated, mutatedJson } from "../sim/mutation.ts";
import type { SimRandom } from "../sim/sim-random.ts";
import { PROBLEMS, type ProblemCode } from "./problems.ts";
import { Harness } from "./testing/harness.ts";
import { Listening } from "./testing/listening.ts";

/** What the simulated heap of a run may grow by: far less than what an endless list would take. */
const HEAP_GROWTH_MAX = 300 * 1024 * 1024;
/** In which an answer or the end of the connection must have come. */
const ANSWER_MS = 20_000;

interface Request {
  readonly method: string;
  readonly url: string;
  readonly body?: string;
}

const API = "/api/v1";
const REQUESTS: readonly Request[] = [
  { method: "POST", url: `${API}/printers`, body: '{"company":"Prusa","model":"MK4S","id":"a"}' },
  { method: "PATCH", url: `${API}/printers/1`, body: '{"company":"Creality","model":"Ender 3"}' },
  {
    method: "POST",
    url: `${API}/filaments`,
    body: '{"type":"PLA","color":"red","total_weight_in_grams":1000,"remaining_weight_in_grams":900}',
  },
  { method: "PATCH", url: `${API}/filaments/1`, body: '{"remaining_weight_in_grams":800}' },
  {
    method: "POST",
    url: `${API}/print_jobs`,
    body: '{"printer_id":1,"filament_id":1,"filepath":"/a.gcode","print_weight_in_grams":10}',
  },
  { method: "POST", url: `${API}/print_jobs/1/status?status=running` },
  { method: "PUT", url: `${API}/print_jobs/1/status`, body: '{"status":"done"}' },
  { method: "GET", url: `${API}/print_jobs?status=queued,running&printer_id=1&limit=5&after=1` },
  { method: "GET", url: `${API}/printers?limit=2&consistency=stale` },
  { method: "GET", url: `${API}/events?after=0&limit=10` },
  { method: "GET", url: `${API}/printers/1` },
  { method: "DELETE", url: `${API}/filaments/1` },
  { method: "GET", url: `${API}/cluster` },
  { method: "GET", url: "/metrics" },
  { method: "GET", url: "/docs" },
];

const BODIES = REQUESTS.flatMap(({ body }) => (body === undefined ? [] : [body]));

const ODD_TEXTS = [
  "",
  "0",
  "-1",
  "1.5",
  "1e9",
  "9007199254740993",
  "99999999999999999999999999",
  "NaN",
  "null",
  "true",
  "%00",
  "%ff%fe",
  "%",
  "%zz",
  "a".repeat(9000),
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "%2e%2e%2f",
  "1,2,,3",
  '"',
  "'; --",
  "%F0%9F%96%A8",
];

const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["idempotency-key", ["k", "", " ", "x".repeat(300), "a b", "\u00e9", '"', "k,k"]],
  ["if-match", ["*", '"1"', '"1", "2"', 'W/"1"', "1", "", '"', '"9007199254740993"', ","]],
  [
    "content-type",
    ["text/plain", "application/json; charset=utf-16", "", "application/json,", "x"],
  ],
  ["accept", ["", "text/html", "application/x-ndjson", "*/*;q=0", "x".repeat(5000)]],
  ["last-event-id", ["-1", "1e400", "x", "", "99999999999999999999"]],
  ["content-encoding", ["gzip", "identity", "br"]],
  ["expect", ["100-continue", "nothing"]],
];

function oddUrl(url: string, random: SimRandom): string {
  const [path = "", query] = url.split("?");
  const odd = (): string => random.pick(ODD_TEXTS);
  switch (random.below(5)) {
    case 0:
      return `${path.replace(/[^/]*$/, odd())}${query === undefined ? "" : `?${query}`}`;
    case 1:
      return `${path}?${(query ?? "limit=1").replace(/=[^&]*/, () => `=${odd()}`)}`;
    case 2:
      return `${path}?${query ?? "limit=1"}&${query ?? "limit=1"}`;
    case 3:
      return `${path}?${odd()}=${odd()}&${query ?? ""}`;
    default:
      return url;
  }
}

function oddHeaders(random: SimRandom): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let n = random.below(3); n > 0; n--) {
    const [name, values] = random.pick(HEADERS);
    headers[name] = random.pick(values);
  }
  return headers;
}

describe("a request changed in any way", () => {
  it("is answered as documented, and never with 500", async () => {
    const fuzz = new Fuzz("HTTP requests", { runs: 1500 });
    let shop = new Harness();
    await shop.farm();
    await shop.job();
    const statuses = new Map<number, number>();
    const heapBefore = process.memoryUsage().heapUsed;
    let count = 0;
    await fuzz.run(
      (random) => {
        const { method, url, body } = random.pick(REQUESTS);
        const to = random.chance(0.5) ? oddUrl(url, random) : url;
        const odd =
          body === undefined && random.chance(0.8)
            ? undefined
            : random.chance(0.7)
              ? mutatedJson([body ?? random.pick(BODIES), ...BODIES], random)
              : encodeUtf8(body ?? "");
        const headers = random.chance(0.4) ? oddHeaders(random) : {};
        return { method, url: to, odd, headers, show: { method, url: to, odd, headers } };
      },
      async ({ headers, method, odd, url }) => {
        // A farm that has grown answers every list more slowly.
        count += 1;
        if (count % 2000 === 0) {
          await shop.app.close();
          shop = new Harness();
          await shop.farm();
          await shop.job();
        }
        const answer = await shop.call(method, url, {
          headers,
          ...(odd === undefined ? {} : { body: odd }),
        });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        expect(answer.status).toBeLessThan(500);
        const loud = shop.logger.lines.filter(({ level }) => level === "error");
        expect(loud).toEqual([]);
      },
    );
    fuzz.note(JSON.stringify(Object.fromEntries(statuses)));
    expect(statuses.get(400) ?? 0).toBeGreaterThan(100);
    expect([...statuses.keys()].filter((status) => status < 300).length).toBeGreaterThan(0);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(HEAP_GROWTH_MAX);
    await shop.app.close();
  });
});

function rawRequest({ body, method, url }: Request): Uint8Array {
  const head = `${method} ${url} HTTP/1.1\r\nHost: x\r\n`;
  if (body === undefined) return encodeUtf8(`${head}\r\n`);
  const framing = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return encodeUtf8(`${head}${framing}\r\n\r\n${body}`);
}

const CHUNKED = encodeUtf8(
  `POST ${API}/printers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
    "Transfer-Encoding: chunked\r\nIdempotency-Key: k1\r\n\r\n" +
    '1a\r\n{"company":"x","model":"y"\r\n1\r\n}\r\n0\r\n\r\n',
);

/** Sends the bytes, then no more; everything that came back by the end of the connection. */
function exchange(address: string, pieces: readonly Uint8Array[]): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) });
    let text = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of the connection after ${ANSWER_MS} ms; so far: ${text}`));
    }, ANSWER_MS);
    socket.on("data", (piece: Buffer) => (text += piece.toString("latin1")));
    socket.on("error", () => undefined); // the server may end it first
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

/** The statuses of all answers; throws where one is not what is documented. */
function checkAnswers(text: string): readonly number[] {
  const statuses: number[] = [];
  for (const match of text.matchAll(/^HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n/gm)) {
    const status = Number(match[1]);
    statuses.push(status);
    expect(status, match[0]).not.toBe(500);
    if (status < 400) continue;
    expect(match[2], match[0]).toMatch(/content-type: application\/problem\+json/i);
    const rest = text.slice((match.index ?? 0) + match[0].length);
    const length = Number(/content-length: (\d+)/i.exec(match[2] ?? "")?.[1] ?? 0);
    if (length === 0 || rest === "") continue; // an answer to HEAD
    const body = decodeUtf8(Buffer.from(rest.slice(0, length), "latin1"));
    const { code } = JSON.parse(body) as { code: ProblemCode };
    expect(PROBLEMS[code]?.status, body).toBe(status);
  }
  if (text !== "") expect(statuses.length, text.slice(0, 200)).toBeGreaterThan(0);
  return statuses;
}

describe("bytes that are nearly a request", () => {
  it("are answered as documented, or not at all, and the next client is served", async () => {
    const fuzz = new Fuzz("HTTP bytes", { runs: 400 });
    const listening = await Listening.start();
    const corpus = [...REQUESTS.map(rawRequest), CHUNKED];
    const statuses = new Map<number, number>();
    await fuzz.run(
      (random) => {
        const bytes = mutated(corpus, random);
        return { pieces: inPieces(bytes, random), show: { bytes } };
      },
      async ({ pieces }) => {
        const found = checkAnswers(await exchange(listening.address, pieces));
        for (const status of found) statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const loud = listening.logger.lines.filter(({ level }) => level === "error");
        expect(loud).toEqual([]);
      },
    );
    const good = encodeUtf8("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(checkAnswers(await exchange(listening.address, [good]))).toEqual([200]);
    fuzz.note(JSON.stringify(Object.fromEntries(statuses)));
    expect(statuses.get(400) ?? 0).toBeGreaterThan(50);
    await listening.stop();
  });
});
