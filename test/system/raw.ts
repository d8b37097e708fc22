// Requests byte by byte, for tests of what no HTTP library would send.

import { type Socket, connect } from "node:net";
import type { ServerProcess } from "./process-cluster.ts";

export interface RawAnswer {
  readonly status: number;
  /** Lower case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** Opens a connection to host:port. Errors are no news here: a node may close it when it likes. */
export function dial(address: string): Socket {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  return socket;
}

/** Sends the pieces, as many as the node takes, and resolves with its first whole answer; null if none. */
export function sendRaw(
  server: ServerProcess,
  pieces: Iterable<string | Uint8Array>,
): Promise<RawAnswer | null> {
  const socket = dial(server.http);
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    let answer: RawAnswer | null = null;
    let isSent = false;
    const finish = (): void => {
      if (answer === null || !isSent) return;
      socket.destroy();
      resolve(answer);
    };
    socket.on("data", (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      answer ??= parseAnswer(received);
      finish();
    });
    socket.on("close", () => resolve(answer ?? parseAnswer(received)));
    void write(socket, pieces).then(() => {
      isSent = true;
      finish();
    });
  });
}

/** Until everything is written or the connection is gone. */
async function write(socket: Socket, pieces: Iterable<string | Uint8Array>): Promise<void> {
  const closed = new Promise<void>((go) => socket.once("close", () => go()));
  for (const piece of pieces) {
    if (socket.destroyed) return;
    if (socket.write(piece)) continue;
    let onDrain = (): void => undefined;
    const drained = new Promise<void>((go) => socket.once("drain", (onDrain = go)));
    await Promise.race([drained, closed]);
    socket.off("drain", onDrain);
  }
}

/** Null while it is not complete. */
function parseAnswer(bytes: Buffer): RawAnswer | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get("content-length") ?? 0);
  const body = bytes.subarray(end + 4);
  if (body.length < length) return null;
  return {
    status: Number(first.split(" ")[1]),
    headers,
    text: body.subarray(0, length).toString(),
  };
}
