import { EventEmitter } from "node:events";
import type { FastifyReply } from "fastify";
import { expect, test } from "vitest";
import type { Clock } from "../env/clock.ts";
import { Outlet } from "./outlet.ts";

/** A response that is full after every write. The client takes what was written at once, or when it is told. */
class Response extends EventEmitter {
  destroyed = false;
  writableEnded = false;
  readonly written: string[] = [];
  takesAtOnce = true;

  write(text: string): boolean {
    this.written.push(text);
    if (this.takesAtOnce) process.nextTick(() => this.emit("drain"));
    return false;
  }
}

function rig() {
  const response = new Response();
  const turns: (() => void)[] = [];
  const clock: Pick<Clock, "after" | "defer"> = {
    after: () => ({ cancel: () => undefined }),
    defer: (run) => void turns.push(run),
  };
  // What an outlet uses of a response is there.
  const outlet = new Outlet(response as unknown as FastifyReply["raw"], clock as Clock);
  return { response, turns, outlet };
}

const settled = (): Promise<void> => new Promise((go) => setImmediate(go));

test("other work goes first between two pieces, however quickly the client takes them", async () => {
  const { outlet, response, turns } = rig();
  void (async () => {
    for (const piece of ["a", "b", "c"]) await outlet.write(piece);
  })();
  await settled();
  expect(response.written).toEqual(["a"]);
  turns.shift()?.();
  await settled();
  expect(response.written).toEqual(["a", "b"]);
});

test("a piece is not followed by the next before the client has taken it", async () => {
  const { outlet, response, turns } = rig();
  response.takesAtOnce = false;
  const done = outlet.write("a");
  await settled();
  expect(turns).toEqual([]);
  response.emit("drain");
  await settled();
  expect(turns).toHaveLength(1);
  turns.shift()?.();
  expect(await done).toBe(true);
});
