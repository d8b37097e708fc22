import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

const KNOWN = ["http", "peer", "initial-cluster", "data"];

test("one slip finds the name: a letter left out, added, changed, or two swapped", () => {
  for (const slip of ["htp", "htttp", "hxtp", "thtp"]) expect(suggest(slip, KNOWN)).toBe("http");
  expect(suggest("inital-clutser", KNOWN)).toBe("initial-cluster");
});

test("another word is no slip, and the nearest of several wins", () => {
  expect(suggest("verbose", KNOWN)).toBeNull();
  expect(suggest("", KNOWN)).toBeNull();
  expect(suggest("limit", ["lines", "limits", "list"])).toBe("limits");
});
