// Server-Sent Events (WHATWG HTML, 9.2.6), as far as a node sends them: id, event, data, comments.

import { must } from "../../base/assert.ts";

export interface ServerSentEvent {
  /** "" where none was sent. */
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/**
 * Cuts a stream of bytes into lines, whatever the pieces it comes in; the last may lack its end.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = must(lines.pop(), "what stands behind the last line end");
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

/**
 * An event counts only when its blank line has come: one that broke off comes again after the id
 * before.
 */
export async function* serverSentEvents(
  lines: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent, void> {
  let [id, type, data] = ["", "", [] as string[]];
  for await (const line of lines) {
    if (line === "") {
      if (data.length > 0) yield { id, type, data: data.join("\n") };
      [id, type, data] = ["", "", []];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") id = value;
    else if (field === "event") type = value;
    else if (field === "data") data.push(value);
  }
}
