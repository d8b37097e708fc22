import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
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
  type Hello,
} from "./hello.ts";
import type { NodeFacts } from "./transport.ts";

const FACTS: NodeFacts = {
  clusterId: "cluster-a",
  nodeId: nodeId(1),
  instance: "00112233aabbccdd",
  starts: 7,
  founded: true,
  run: "run-1",
  http: "127.0.0.1:8001",
  formats: { command: 1, snapshot: 2 },
};
const HELLO: Hello = {
  protocol: { min: 1, max: 3 },
  purpose: "messages",
  to: nodeId(2),
  facts: FACTS,
};

function helloFields(): Record<string, unknown> {
  return JSON.parse(decodeUtf8(encodeHello(HELLO))) as Record<string, unknown>;
}

function decodeFields(fields: unknown): ReturnType<typeof decodeHello> {
  return decodeHello(encodeUtf8(JSON.stringify(fields)));
}

describe("the words of a handshake", () => {
  it("come back as they were said", () => {
    expect(decodeHello(encodeHello(HELLO))).toEqual({ ok: true, value: HELLO });
    const welcome = { protocol: 2, facts: FACTS };
    expect(decodeWelcome(encodeWelcome(welcome))).toEqual({ ok: true, value: welcome });
    const refuse = { code: "version", message: "ä €" };
    expect(decodeRefuse(encodeRefuse(refuse))).toEqual({ ok: true, value: refuse });
  });

  it("have the names that DESIGN.md says", () => {
    expect(helloFields()).toEqual({
      magic: "raft3d",
      protocol_min: 1,
      protocol_max: 3,
      purpose: "messages",
      to: 2,
      cluster: "cluster-a",
      from: 1,
      instance: "00112233aabbccdd",
      starts: 7,
      founded: true,
      run: "run-1",
      http: "127.0.0.1:8001",
      formats: { command: 1, snapshot: 2 },
    });
  });

  it("may have fields that a later version adds", () => {
    expect(decodeFields({ ...helloFields(), zone: "b", extra: { a: [1] } })).toEqual({
      ok: true,
      value: HELLO,
    });
  });

  it("make no sense with any one field missing, and the field is named", () => {
    for (const name of Object.keys(helloFields())) {
      const fields = helloFields();
      delete fields[name];
      const decoded = decodeFields(fields);
      expect(decoded.ok, name).toBe(false);
      expect(!decoded.ok && decoded.reason).toContain(name === "formats" ? "object" : name);
    }
  });

  it.each([
    ["magic", "http"],
    ["protocol_min", -1],
    ["protocol_min", 4],
    ["protocol_max", 1.5],
    ["purpose", "gossip"],
    ["to", 0],
    ["to", 2 ** 32],
    ["from", "1"],
    ["cluster", "x".repeat(257)],
    ["starts", 2 ** 53],
    ["founded", 1],
    ["run", null],
    ["http", ["127.0.0.1:8001"]],
    ["formats", { command: "1" }],
    ["formats", [1]],
    ["formats", Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, 1]))],
  ])("make no sense with %s set to %j", (name, value) => {
    expect(decodeFields({ ...helloFields(), [name]: value }).ok).toBe(false);
  });

  it("are found out if they are no JSON object at all", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => encodeUtf8(text)),
        ),
        (bytes) => {
          expect(decodeHello(bytes).ok).toBe(false);
          expect(decodeWelcome(bytes).ok).toBe(false);
          expect(decodeRefuse(bytes).ok).toBe(false);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it("are cut to fit a frame, if somebody has much to say about a refusal", () => {
    const decoded = decodeRefuse(encodeRefuse({ code: "version", message: "€".repeat(9000) }));
    expect(decoded.ok && decoded.value.message).toBe("€".repeat(1000));
  });
});

describe("the checks of a handshake", () => {
  const own: NodeFacts = { ...FACTS, nodeId: nodeId(2), instance: "other", run: "run-2" };
  const isPeer = (id: number): boolean => id === 1 || id === 3;

  function codeOf(hello: Hello): string {
    const check = checkHello(hello, own, isPeer);
    return check.ok ? "ok" : check.code;
  }

  it("let a listener accept a peer that means it", () => {
    expect(codeOf(HELLO)).toBe("ok");
  });

  it("let a listener refuse another cluster first, whatever else is wrong", () => {
    const facts = { ...FACTS, clusterId: "cluster-b", nodeId: nodeId(9) };
    expect(codeOf({ ...HELLO, to: nodeId(5), facts })).toBe("wrong-cluster");
  });

  it("let a listener refuse whoever wanted another node, has its own id, or is no peer", () => {
    expect(codeOf({ ...HELLO, to: nodeId(3) })).toBe("wrong-node");
    expect(codeOf({ ...HELLO, facts: { ...FACTS, nodeId: nodeId(2) } })).toBe("same-id-twice");
    expect(codeOf({ ...HELLO, facts: { ...FACTS, nodeId: nodeId(4) } })).toBe("unknown-peer");
  });

  it("let a dialler refuse another cluster, another node, or a version it did not offer", () => {
    const check = (facts: Partial<NodeFacts>, protocol = 2): string => {
      const welcome = { protocol, facts: { ...FACTS, ...facts } };
      const result = checkWelcome(welcome, own, nodeId(1), { min: 2, max: 3 });
      return result.ok ? "ok" : result.code;
    };
    expect(check({})).toBe("ok");
    expect(check({ clusterId: "cluster-b" })).toBe("wrong-cluster");
    expect(check({ nodeId: nodeId(3) })).toBe("wrong-node");
    expect([1, 2, 3, 4].map((version) => check({}, version))).toEqual([
      "version",
      "ok",
      "ok",
      "version",
    ]);
  });

  it("choose the newest version that both speak", () => {
    const choose = (a: [number, number], b: [number, number]): number | null =>
      chooseProtocol({ min: a[0], max: a[1] }, { min: b[0], max: b[1] });
    expect(choose([1, 1], [1, 1])).toBe(1);
    expect(choose([1, 4], [2, 3])).toBe(3);
    expect(choose([3, 9], [1, 3])).toBe(3);
    expect(choose([1, 2], [3, 4])).toBeNull();
    expect(choose([3, 4], [1, 2])).toBeNull();
  });
});
