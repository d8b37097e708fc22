// Keeps alive one of each kind of short-lived object that Node.js makes for every request.
//
// V8 describes objects by hidden classes, and forgets those of which no object is alive when it collects the whole
// heap. Two places in Node.js do not recover from that, for as long as the process lives:
//
//   - `process.nextTick` builds its entries with computed keys. Code that has met a second hidden class there calls
//     the runtime for each entry: 0.3 µs instead of 0.07, some ten times for a request.
//   - V8 decides by the first seven answers (ServerResponse) how many fields such an object has room for, looking at
//     the hidden classes that are alive then. A collection before the seventh leaves too little room, fields beyond
//     it may be twelve at most where they are named by symbols, and every later answer is a hash table.
//
// A node collects its whole heap while it starts, when the core takes its memory, and after every quiet phase, so both
// happened to every node (docs/decisions/0026-shapes-are-kept.md). As long as one object of the kind is alive, its
// hidden classes are. It is renewed, because those change: numbers outgrow 31 bits.

import { executionAsyncResource } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";

const RENEW_MS = 1000;

interface Kept {
  /** An entry of `process.nextTick`. */
  tick: object | null;
  /** What was answered last, with the request it answers. */
  answer: unknown;
}

const kept: Kept = { tick: null, answer: null };

/** Holds for the life of the process, which it does not prolong. To be called once, before the first request. */
export function keepShapes(): Readonly<Kept> {
  keepTick();
  setInterval(keepTick, RENEW_MS).unref();
  subscribe("http.server.response.finish", (message) => {
    // Node.js documents what it publishes here: request, response, server and socket.
    kept.answer = (message as { readonly response: unknown }).response;
  });
  return kept;
}

/** What runs in a tick is run on behalf of its entry. */
function keepTick(): void {
  process.nextTick(() => (kept.tick = executionAsyncResource()));
}
