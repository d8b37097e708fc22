import { describe, expect, test } from "vitest";
import { nodeId } from "../base/brand.ts";
import { Divergence, isCheckpoint } from "./divergence.ts";

const [one, two, three] = [nodeId(1), nodeId(2), nodeId(3)];

function report(from: number, index: number, chain: string): Uint8Array {
  const teller = new Divergence(nodeId(from));
  teller.note({ index, chain, farm: "f" }, 3);
  return teller.report()!;
}

describe("comparing states", () => {
  test("equal hashes at one index find nothing, and a report of another index is kept for later", () => {
    const mine = new Divergence(one);
    expect(mine.report()).toBeNull();
    expect(mine.note({ index: 256, chain: "a", farm: "f" }, 3)).toBeNull();
    expect(mine.hear(two, report(2, 256, "a"), 3)).toBeNull();
    expect(mine.hear(two, report(2, 512, "x"), 3)).toBeNull();
    const later = mine.note({ index: 512, chain: "b", farm: "f" }, 3);
    expect(later).toEqual({ index: 512, mine: "b/f", different: [two], oddOneOut: false });
  });

  test("one other node that differs raises an alarm, a majority that agrees makes this the odd one out", () => {
    const mine = new Divergence(one);
    mine.note({ index: 256, chain: "a", farm: "f" }, 3);
    expect(mine.hear(two, report(2, 256, "b"), 3)).toMatchObject({ oddOneOut: false });
    expect(mine.hear(three, report(3, 256, "b"), 3)).toMatchObject({
      different: [two, three],
      oddOneOut: true,
    });
  });

  test("two nodes that differ from this one and from each other are no majority", () => {
    const mine = new Divergence(one);
    mine.note({ index: 256, chain: "a", farm: "f" }, 3);
    mine.hear(two, report(2, 256, "b"), 3);
    expect(mine.hear(three, report(3, 256, "c"), 3)).toMatchObject({ oddOneOut: false });
  });

  test("memory is bounded: old checkpoints are forgotten", () => {
    const mine = new Divergence(one);
    for (let n = 1; n <= 200; n++) mine.note({ index: 256 * n, chain: `${n}`, farm: "f" }, 3);
    expect(mine.hear(two, report(2, 256, "other"), 3)).toBeNull();
    expect(mine.hear(two, report(2, 256 * 200, "other"), 3)).not.toBeNull();
  });

  test("every node stops at the same indexes", () => {
    expect([255, 256, 512, 513].map(isCheckpoint)).toEqual([false, true, true, false]);
  });
});
