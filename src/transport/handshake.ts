// How two nodes find out whether they want each other (DESIGN.md, "Handshake"). The dialler
// introduces itself, the listener answers with its own facts or a refusal, and the dialler may
// still refuse what it was answered. Whoever comes out of here has been checked by both, as far as
// this side can know; until then the streams take nothing but the handshake's own short frames.

import type { NodeId } from "../base/brand.ts";
import { CONNECT_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS } from "../base/limits.ts";
import { reasonOf, type Target, type TransportContext } from "./context.ts";
import type { FrameStream, Received } from "./frame-stream.ts";
import type { Frame } from "./frame.ts";
import {
  checkHello,
  checkWelcome,
  chooseProtocol,
  decodeHello,
  decodeRefuse,
  decodeWelcome,
  encodeHello,
  encodeRefuse,
  encodeWelcome,
  type Check,
  type Hello,
} from "./hello.ts";
import type { Introduction, NodeFacts, Purpose, Refusal } from "./transport.ts";

export type Dialled =
  | { readonly kind: "up"; readonly stream: FrameStream; readonly facts: NodeFacts }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** No connection, or it broke, or no answer came: nothing is known about the other side. */
  | { readonly kind: "failed"; readonly reason: string };

/** Connects to a peer for one purpose. */
export async function dial(
  context: TransportContext,
  target: Target,
  purpose: Purpose,
): Promise<Dialled> {
  const opened = await connect(context, target);
  if (opened.kind === "failed") return opened;
  const { stream } = opened;
  const dialled = await introduce(context, target, purpose, stream);
  if (dialled.kind === "failed") stream.destroy();
  if (dialled.kind === "refused") {
    context.refusals.refused("dialled", target.id, dialled.refusal);
    stream.finish(HANDSHAKE_TIMEOUT_MS);
  }
  if (dialled.kind === "up") {
    // Both are satisfied: the listener welcomed this node, and this node has no objection.
    context.refusals.settled("dialled", target.id);
    stream.trust(target.meter);
  }
  return dialled;
}

type Opened =
  | { readonly kind: "open"; readonly stream: FrameStream }
  | { readonly kind: "failed"; readonly reason: string };

async function connect(context: TransportContext, target: Target): Promise<Opened> {
  const attempt = context.env.network.connect(target.address, CONNECT_TIMEOUT_MS);
  try {
    const connection = await context.untilStopped(attempt);
    if (connection !== null && !context.isStopped) {
      return { kind: "open", stream: context.open(connection) };
    }
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error) };
  }
  // Stopped while the network was still at it: nobody waits for what comes of it.
  attempt.then(
    (connection) => connection.destroy(),
    () => undefined,
  );
  return { kind: "failed", reason: "stopped" };
}

async function introduce(
  context: TransportContext,
  target: Target,
  purpose: Purpose,
  stream: FrameStream,
): Promise<Dialled> {
  const { protocol } = context;
  const own = context.facts();
  stream.send("hello", encodeHello({ protocol, purpose, to: target.id, facts: own }));
  const received = await stream.next(HANDSHAKE_TIMEOUT_MS);
  if (received.kind !== "frame") return { kind: "failed", reason: explain(received) };
  if (target.isGone) return { kind: "failed", reason: "no peer any more" };
  const { frame } = received;
  if (frame.kind === "refuse") return { kind: "refused", refusal: readRefusal(frame) };
  if (frame.kind !== "welcome") {
    return { kind: "failed", reason: `a ${frame.kind} frame in answer to HELLO` };
  }
  const welcome = decodeWelcome(frame.payload);
  if (!welcome.ok) {
    return { kind: "failed", reason: `a WELCOME that makes no sense: ${welcome.reason}` };
  }

  const { facts } = welcome.value;
  const check = checkWelcome(welcome.value, own, target.id, protocol);
  const verdict = check.ok ? await askOwner(context, { facts, purpose, side: "dialled" }) : check;
  if (verdict === null) return { kind: "failed", reason: "the owner could not decide" };
  if (!verdict.ok) {
    stream.send("refuse", encodeRefuse(verdict));
    return { kind: "refused", refusal: refusalByUs(verdict) };
  }
  // While the owner thought it over, much may have happened.
  if (target.isGone) return { kind: "failed", reason: "no peer any more" };
  if (!stream.isOpen) return { kind: "failed", reason: "ended during the handshake" };
  // The listener answers what it is asked, and nothing has been asked yet.
  if (stream.hasNext) return { kind: "failed", reason: "frames before they were asked for" };
  return { kind: "up", stream, facts };
}

export interface Accepted {
  readonly purpose: Purpose;
  readonly target: Target;
  readonly facts: NodeFacts;
}

/**
 * Receives somebody who connected. Null if nothing came of it; the connection is then ended.
 * `targetOf` knows the peers; it is asked again after the owner was. What comes next is the
 * dialler's first word, which shows that it is satisfied too, or its refusal.
 */
export async function accept(
  context: TransportContext,
  stream: FrameStream,
  targetOf: (id: NodeId) => Target | null,
): Promise<Accepted | null> {
  const received = await stream.next(HANDSHAKE_TIMEOUT_MS);
  const hello = readHello(received);
  if (typeof hello === "string") {
    if (!context.isStopped) context.refusals.stranger(stream.remote, hello);
    stream.destroy();
    return null;
  }
  const { facts, purpose } = hello;
  const from = facts.nodeId;
  // The cheap checks come first: the owner may write to its disk over an introduction, and is not
  // bothered with strangers.
  const version = chooseProtocol(context.protocol, hello.protocol);
  const check = checkAll(context, hello, version, targetOf);
  const verdict = check.ok ? await askOwner(context, { facts, purpose, side: "accepted" }) : check;
  if (verdict !== null && !verdict.ok) {
    context.refusals.refused("accepted", from, refusalByUs(verdict));
    stream.send("refuse", encodeRefuse(verdict));
    stream.finish(HANDSHAKE_TIMEOUT_MS);
    return null;
  }
  const target = targetOf(from);
  // A dialler says nothing before it was welcomed; and while the owner thought it over, the peer
  // may have left the list or the connection.
  const isGood = verdict !== null && stream.isOpen && !stream.hasNext;
  if (!isGood || target === null || version === null) {
    stream.destroy();
    return null;
  }
  // The facts of this moment: while it thought it over, the owner may have been founded.
  stream.trust(target.meter);
  stream.send("welcome", encodeWelcome({ protocol: version, facts: context.facts() }));
  return { purpose, target, facts };
}

function checkAll(
  context: TransportContext,
  hello: Hello,
  version: number | null,
  targetOf: (id: NodeId) => Target | null,
): Check {
  const check = checkHello(hello, context.facts(), (id) => targetOf(id) !== null);
  if (!check.ok || version !== null) return check;
  const { protocol: ours, facts } = context;
  const { protocol: theirs } = hello;
  const here = `node ${facts().nodeId} speaks versions ${ours.min} to ${ours.max} of the protocol`;
  const there = `node ${hello.facts.nodeId} ${theirs.min} to ${theirs.max}`;
  return { ok: false, code: "version", message: `${here}, ${there}` };
}

/** The owner's verdict; null if it cannot be had, or nobody is there any more to act on it. */
async function askOwner(
  context: TransportContext,
  introduction: Introduction,
): Promise<Check | null> {
  if (context.isStopped) return null;
  try {
    return await context.untilStopped(context.handlers.admit(introduction));
  } catch (error) {
    const peer = introduction.facts.nodeId;
    context.env.logger.warn("admission failed", { peer, reason: reasonOf(error) });
    return null;
  }
}

/** The HELLO, or why there is none. */
function readHello(received: Received): Hello | string {
  if (received.kind !== "frame") return explain(received);
  const { frame } = received;
  if (frame.kind !== "hello") return `a ${frame.kind} frame before HELLO`;
  const hello = decodeHello(frame.payload);
  return hello.ok ? hello.value : `a HELLO that makes no sense: ${hello.reason}`;
}

/** What the other side says in a REFUSE frame. */
export function readRefusal(frame: Frame): Refusal {
  const words = decodeRefuse(frame.payload);
  if (!words.ok) return { code: "unreadable", message: words.reason, by: "them" };
  return { ...words.value, by: "them" };
}

function refusalByUs(verdict: { readonly code: string; readonly message: string }): Refusal {
  return { code: verdict.code, message: verdict.message, by: "us" };
}

/** Why there is no frame. */
export function explain(received: Exclude<Received, { readonly kind: "frame" }>): string {
  return received.kind === "silence" ? "no answer in time" : received.reason;
}
