import { expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import { COMMIT_WAIT_MS } from "../base/limits.ts";
import type { Clock } from "../env/clock.ts";
import type { Transport } from "../transport/transport.ts";
import { Outbox } from "./outbox.ts";

const [TWO, THREE] = [nodeId(2), nodeId(3)];
const message = (byte: number): Uint8Array => Uint8Array.of(byte);

function rig() {
  const sent: string[] = [];
  const timers: { readonly delayMs: number; readonly fire: () => void; isCancelled: boolean }[] =
    [];
  const clock: Pick<Clock, "after"> = {
    after: (delayMs, fire) => {
      const timer = { delayMs, fire, isCancelled: false };
      timers.push(timer);
      return { cancel: () => void (timer.isCancelled = true) };
    },
  };
  const transport: Pick<Transport, "send" | "flush"> = {
    send: (to, bytes) => void sent.push(`${to}:${bytes[0]}`),
    flush: () => void sent.push("flush"),
  };
  return { sent, timers, outbox: new Outbox(clock as Clock, transport as Transport) };
}

test("a commit index alone waits, and leaves by itself when nothing follows", () => {
  const { outbox, sent, timers } = rig();
  outbox.send({ kind: "send", to: TWO, bytes: message(1), brings: "commit" });
  outbox.send({ kind: "send", to: THREE, bytes: message(2), brings: "commit" });
  outbox.flush();
  expect(sent).toEqual(["flush"]);
  expect(timers.map(({ delayMs }) => delayMs)).toEqual([COMMIT_WAIT_MS]);
  timers[0]?.fire();
  expect(sent).toEqual(["flush", "2:1", "3:2", "flush"]);
});

test("it is left out when entries leave for the same node, and only then", () => {
  const { outbox, sent, timers } = rig();
  outbox.send({ kind: "send", to: TWO, bytes: message(1), brings: "commit" });
  outbox.send({ kind: "send", to: THREE, bytes: message(2), brings: "commit" });
  outbox.send({ kind: "send", to: TWO, bytes: message(3), brings: "append" });
  outbox.send({ kind: "send", to: THREE, bytes: message(4), brings: "other" });
  timers[0]?.fire();
  expect(sent).toEqual(["2:3", "3:4", "3:2", "flush"]);
});

test("of several the newest leaves, and a later one waits anew", () => {
  const { outbox, sent, timers } = rig();
  outbox.send({ kind: "send", to: TWO, bytes: message(1), brings: "commit" });
  outbox.send({ kind: "send", to: TWO, bytes: message(2), brings: "commit" });
  timers[0]?.fire();
  outbox.send({ kind: "send", to: TWO, bytes: message(3), brings: "commit" });
  expect(sent).toEqual(["2:2", "flush"]);
  timers[1]?.fire();
  expect(sent).toEqual(["2:2", "flush", "2:3", "flush"]);
});

test("a node that stops sends nothing that still waits", () => {
  const { outbox, sent, timers } = rig();
  outbox.send({ kind: "send", to: TWO, bytes: message(1), brings: "commit" });
  outbox.stop();
  expect(timers[0]?.isCancelled).toBe(true);
  timers[0]?.fire();
  expect(sent).toEqual(["flush"]);
});
