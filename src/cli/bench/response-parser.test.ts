import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Answer, AnswerError, ResponseParser } from "./response-parser.ts";

function parse(text: string, cuts: readonly number[] = []): Answer[] {
  const bytes = Buffer.from(text, "latin1");
  const answers: Answer[] = [];
  const parser = new ResponseParser((answer) => answers.push(answer));
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    // Each piece in memory of its own, as they come off a socket.
    parser.push(Uint8Array.from(bytes.subarray(from, cut)));
    from = Math.max(from, cut);
  }
  return answers;
}

const CREATED = 'HTTP/1.1 201 Created\r\nContent-Length: 8\r\nETag: "3"\r\n\r\n{"id":1}';
const EMPTY = "HTTP/1.1 204 No Content\r\n\r\n";
const REFUSED =
  'HTTP/1.1 503 Service Unavailable\r\ncontent-length:20\r\nConnection: close\r\n\r\n{"code":"no_leader"}';
const CHUNKED =
  'HTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{"c\r\n11\r\node":"overloaded"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n';

describe("the parser of the load generator", () => {
  test("reads answers with a length, in chunks, and without a body", () => {
    expect(parse(CREATED)).toEqual([{ status: 201, body: "", isKept: true }]);
    expect(parse(EMPTY)).toEqual([{ status: 204, body: "", isKept: true }]);
    expect(parse(REFUSED)).toEqual([{ status: 503, body: '{"code":"no_leader"}', isKept: false }]);
    expect(parse(CHUNKED)).toEqual([{ status: 429, body: '{"code":"overloaded"}', isKept: true }]);
    expect(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).toHaveLength(1);
  });

  test("reads the same answers however they are cut or merged on the way", () => {
    const whole = [CREATED, CHUNKED, EMPTY, REFUSED, CREATED];
    const text = whole.join("");
    const expected = whole.flatMap((one) => parse(one));
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        expect(parse(text, cuts)).toEqual(expected);
      }),
      { seed: 17 },
    );
    const everyByte = Array.from({ length: text.length }, (_, at) => at);
    expect(parse(text, everyByte)).toEqual(expected);
  });

  test("an answer is not there before its last byte", () => {
    for (const text of [CREATED, CHUNKED, REFUSED]) {
      expect(parse(text.slice(0, -1))).toEqual([]);
    }
  });

  test.each([
    ["another protocol", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["no protocol", "hello\r\n\r\n"],
    ["an answer that is not final", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["no length", "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: 8x\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 8\r\n\r\n"],
    [
      "a length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ["a header without a colon", "HTTP/1.1 200 OK\r\nContent-Length 8\r\n\r\n"],
    ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"],
    [
      "a chunk that is too long",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
    ["a head without an end", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(20_000)}`],
  ])("refuses %s", (_, text) => {
    expect(() => parse(text)).toThrow(AnswerError);
  });
});
