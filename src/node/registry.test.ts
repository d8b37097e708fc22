import { describe, expect, test } from "vitest";
import { type NodeId, nodeId } from "../base/brand.ts";
import type { Logger } from "../env/logger.ts";
import type { Introduction, NodeFacts } from "../transport/transport.ts";
import { type KnownPeer, Registry } from "./registry.ts";

const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

class Book {
  founded = false;
  readonly known = new Map<NodeId, KnownPeer>();
  readonly writes: string[] = [];

  peer(id: NodeId): KnownPeer | null {
    return this.known.get(id) ?? null;
  }

  async recordPeer(id: NodeId, known: KnownPeer): Promise<void> {
    await Promise.resolve();
    this.known.set(id, known);
    this.writes.push(`${id} ${known.instance} ${known.starts}`);
  }
}

function meet(id: number, facts: Partial<NodeFacts> = {}): Introduction {
  return {
    facts: {
      clusterId: "c",
      nodeId: nodeId(id),
      instance: `disk-${id}`,
      starts: 1,
      founded: false,
      run: `run-${id}`,
      http: "",
      formats: {},
      ...facts,
    },
    purpose: "messages",
    side: "accepted",
  };
}

function makeRegistry(book = new Book()) {
  let completed = 0;
  const registry = new Registry({
    book,
    others: [nodeId(2), nodeId(3)],
    logger: quiet,
    onComplete: () => (completed += 1),
  });
  return { book, registry, completed: () => completed };
}

describe("who is let in", () => {
  test("a cluster is complete when every founder was met, and each was written down first", async () => {
    const { book, registry, completed } = makeRegistry();
    expect(registry.missing()).toEqual([2, 3]);
    expect(await registry.admit(meet(2))).toEqual({ ok: true });
    expect(completed()).toBe(0);
    expect(await registry.admit(meet(3))).toEqual({ ok: true });
    expect(completed()).toBe(1);
    expect(book.writes).toEqual(["2 disk-2 1", "3 disk-3 1"]);
    expect(await registry.admit(meet(2))).toEqual({ ok: true });
    expect(book.writes.length).toBe(2);
    expect(completed()).toBe(1);
  });

  test("a peer that was started again is let in, and its new count is kept", async () => {
    const { book, registry } = makeRegistry();
    await registry.admit(meet(2));
    expect(await registry.admit(meet(2, { starts: 4, run: "later" }))).toEqual({ ok: true });
    expect(book.peer(nodeId(2))).toEqual({ instance: "disk-2", starts: 4, run: "later" });
  });

  test("a peer whose data directory was emptied is refused and told what to do", async () => {
    const { registry } = makeRegistry();
    await registry.admit(meet(2));
    const answer = await registry.admit(meet(2, { instance: "new-disk", run: "x" }));
    expect(answer).toMatchObject({ ok: false, code: "data-replaced" });
    expect(answer.ok ? "" : answer.message).toMatch(/emptied or replaced.*docs\/operations\.md/);
  });

  test("a peer that counts fewer starts than before comes from a backup and is refused", async () => {
    const { registry } = makeRegistry();
    await registry.admit(meet(2, { starts: 9 }));
    const answer = await registry.admit(meet(2, { starts: 8, run: "x" }));
    expect(answer).toMatchObject({ ok: false, code: "data-rolled-back" });
  });

  test("a second process under a known start is refused, also after this node was restarted", async () => {
    const { book, registry } = makeRegistry();
    await registry.admit(meet(2, { starts: 3 }));
    const copy = meet(2, { starts: 3, run: "a copy" });
    expect(await registry.admit(copy)).toMatchObject({ ok: false, code: "same-id-twice" });
    const restarted = makeRegistry(book).registry;
    expect(await restarted.admit(copy)).toMatchObject({ ok: false, code: "same-id-twice" });
    expect(await restarted.admit(meet(2, { starts: 3 }))).toEqual({ ok: true });
  });

  test("a stranger is refused, and so is a late founder of a cluster that was founded without it", async () => {
    const { book, registry } = makeRegistry();
    expect(await registry.admit(meet(9))).toMatchObject({ ok: false, code: "unknown-peer" });
    await registry.admit(meet(2));
    book.founded = true;
    expect(await registry.admit(meet(3))).toMatchObject({ ok: false, code: "unknown-peer" });
    expect(await registry.admit(meet(2))).toEqual({ ok: true });
  });

  test("two admissions at once do not both see an empty book", async () => {
    const { book, registry, completed } = makeRegistry();
    const answers = await Promise.all([
      registry.admit(meet(2)),
      registry.admit(meet(2, { instance: "other-disk", run: "x" })),
      registry.admit(meet(3)),
    ]);
    expect(answers.map((answer) => answer.ok)).toEqual([true, false, true]);
    expect(book.writes.length).toBe(2);
    expect(completed()).toBe(1);
  });
});
