import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { decodeCursor, encodeCursor } from "./cursor.ts";

describe("the cursor of a list", () => {
  it("comes back as it was made", () => {
    const index = fc.maxSafeNat();
    fc.assert(
      fc.property(index, (createdIndex) => {
        const cursor = encodeCursor(createdIndex);
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(cursor)).toBe(createdIndex);
      }),
      { seed: 7 },
    );
  });

  it("is refused if it was not made here", () => {
    const good = encodeCursor(5);
    const otherVersion = Buffer.from([2, 5, 0, 0, 0, 0, 0, 0, 0]).toString("base64url");
    const past2To53 = Buffer.from([1, 255, 255, 255, 255, 255, 255, 255, 255]).toString(
      "base64url",
    );
    const bad = [
      "",
      "x",
      "12",
      `${good}=`,
      `${good}A`,
      ` ${good}`,
      good.slice(1),
      otherVersion,
      past2To53,
    ];
    for (const cursor of bad) expect(decodeCursor(cursor), cursor).toBeNull();
  });
});
