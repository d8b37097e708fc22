import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { HttpClient } from "./http-client.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
}

function client(): HttpClient {
  const made = new HttpClient();
  onTestFinished(() => made.close());
  return made;
}

function get(origin: string, timeoutMs = 10_000) {
  return { origin, method: "GET", path: "/", timeoutMs };
}

describe("the HTTP client", () => {
  test("gives the whole answer, characters that were cut in two included, over one connection", async () => {
    const connections = new Set<unknown>();
    const bytes = Buffer.from("打印机");
    const origin = await serve((request, response) => {
      connections.add(request.socket);
      response.setHeader("X-Test", "a");
      response.write(bytes.subarray(0, 4), () => response.end(bytes.subarray(4)));
    });
    const http = client();
    for (let n = 0; n < 3; n++) {
      const answer = await http.send(get(origin));
      expect(answer).toMatchObject({ status: 200, body: "打印机" });
      expect(answer.headers.get("x-test")).toBe("a");
    }
    expect(connections.size).toBe(1);
  });

  test("an answer that does not come, or does not end, is a timeout", async () => {
    const silent = await serve(() => undefined);
    const endless = await serve((_, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write("x", () => setImmediate(more));
      };
      more();
    });
    for (const origin of [silent, endless]) {
      await expect(client().send(get(origin, 50))).rejects.toMatchObject({
        name: "NetworkError",
        code: "ETIMEDOUT",
      });
    }
  });

  test("a stream that falls silent breaks, and so does one that the server breaks off", async () => {
    const silent = await serve((_, response) => response.write("x"));
    const broken = await serve((_, response) => response.write("x", () => response.destroy()));
    for (const origin of [silent, broken]) {
      const stream = await client().stream(get(origin, 50));
      const read = async (): Promise<string> => {
        let text = "";
        for await (const chunk of stream.chunks) text += Buffer.from(chunk).toString();
        return text;
      };
      await expect(read()).rejects.toMatchObject({ name: "NetworkError" });
    }
  });

  test("nobody at the address is an error with the system's code", async () => {
    const origin = await serve(() => undefined);
    const dead = origin.replace(/\d+$/, "1");
    await expect(client().send(get(dead))).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
