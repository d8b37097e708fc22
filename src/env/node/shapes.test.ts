import { execFileSync } from "node:child_process";

import { expect, test } from "vitest";

// A process of its own, because V8 decides on the shape of answers once in the life of a process. Between requests all
// of the heap is collected, six times: hidden classes are kept for two collections longer than anybody uses them.
const PROGRAM = `
  import { executionAsyncResource } from "node:async_hooks";
  import { subscribe } from "node:diagnostics_channel";
  import { once } from "node:events";
  import { createServer } from "node:http";
  import { connect } from "node:net";
  import { setTimeout as sleep } from "node:timers/promises";
  const { keepShapes } = await import(process.env.SHAPES);
  const kept = process.env.KEEPS === "yes" ? keepShapes() : null;
  let isHashTable;
  subscribe("http.server.response.finish", ({ response }) => {
    isHashTable = !%HasFastProperties(response);
  });
  const server = createServer((_, response) => response.end("x")).listen(0, "127.0.0.1");
  await once(server, "listening");
  for (let n = 0; n < 10; n += 1) {
    const socket = connect(server.address().port, "127.0.0.1").resume();
    socket.write("GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n");
    await once(socket, "close");
    for (let m = 0; m < 6; m += 1) await sleep(1, gc());
  }
  server.close();
  process.nextTick(() => {
    const isTick = kept !== null && %HaveSameMap(kept.tick, executionAsyncResource());
    console.log(JSON.stringify({ isHashTable, isTick }));
  });
`;

function run(keeps: "yes" | "no"): unknown {
  const flags = ["--expose-gc", "--allow-natives-syntax", "--import", "tsx"];
  const shapes = new URL("shapes.ts", import.meta.url).href;
  const env = { ...process.env, SHAPES: shapes, KEEPS: keeps };
  const args = [...flags, "--input-type=module", "--eval", PROGRAM];
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: "utf8" }));
}

test("answers to the first requests stay objects with a hidden class, whatever is collected between them", () => {
  expect(run("yes")).toEqual({ isHashTable: false, isTick: true });
});

test("left to themselves they become hash tables: the reason for all this is still there", () => {
  expect(run("no")).toMatchObject({ isHashTable: true });
});
