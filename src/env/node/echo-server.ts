// The yardstick of `raft3d bench --baseline`: the least that a JSON service on Node.js does. It
// parses the body of a POST and sends it back with 201; a GET gets a small constant object. Nothing
// is kept, validated, logged or replicated: whatever a cluster does beyond this is what its
// promises cost.

import * as http from "node:http";
import { onStopSignal } from "./signals.ts";
import { splitAddress } from "./network.ts";

const CONSTANT = JSON.stringify({ id: 1, company: "Creality", model: "Ender 3 V2" });

function answer(response: http.ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Each text is sent back when `keep` has called back. */
export function echoServer(keep: (text: string, done: () => void) => void): http.Server {
  return http.createServer((request, response) => {
    if (request.method === "GET") return answer(response, 200, CONSTANT);
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      let text: string;
      try {
        text = JSON.stringify(JSON.parse(body));
      } catch {
        return answer(response, 400, JSON.stringify({ code: "malformed_json" }));
      }
      keep(text, () => answer(response, 201, text));
    });
  });
}

/** Serves until a signal; resolves with the exit code. */
export function serveEcho(address: string): Promise<number> {
  const server = echoServer((_, done) => done());
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(splitAddress(address));
    onStopSignal(() => {
      server.closeAllConnections();
      server.close(() => resolve(0));
    });
  });
}
