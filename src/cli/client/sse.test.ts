import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ServerSentEvent, linesOf, serverSentEvents } from "./sse.ts";

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...new Set(cuts)].toSorted((a, b) => a - b)) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
  yield bytes.subarray(from);
}

async function eventsIn(text: string, cuts: readonly number[] = []): Promise<ServerSentEvent[]> {
  const bytes = new TextEncoder().encode(text);
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(linesOf(pieces(bytes, cuts)))) events.push(event);
  return events;
}

describe("server-sent events", () => {
  test("are the same however the stream is cut, characters of several bytes included", async () => {
    const text =
      'retry: 1000\n\n: still here\n\nid: 3\nevent: printer.created\ndata: {"company":"打印机"}\n\n' +
      "id: 4\r\ndata:one\r\ndata: two\r\n\r\n";
    const expected = [
      { id: "3", type: "printer.created", data: '{"company":"打印机"}' },
      { id: "4", type: "", data: "one\ntwo" },
    ];
    const { length } = new TextEncoder().encode(text);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: length })), async (cuts) => {
        expect(await eventsIn(text, cuts)).toEqual(expected);
      }),
      { seed: 11 },
    );
  });

  test("one that broke off before its blank line did not happen", async () => {
    expect(await eventsIn("id: 3\ndata: x\n")).toEqual([]);
    expect(await eventsIn("id: 3\ndata: x\n\nid: 4\ndata: y")).toHaveLength(1);
  });
});
