import { describe, expect, test } from "vitest";
import { grouped, plural, printable, shorten, textWidth, wrap } from "./text.ts";

describe("text", () => {
  test("has the width that a terminal gives it", () => {
    expect(textWidth("Ender 3")).toBe(7);
    expect(textWidth("Größe")).toBe(5);
    expect(textWidth("Gro\u0308ße")).toBe(5); // a combining diaeresis
    expect(textWidth("打印机")).toBe(6);
    expect(textWidth("🖨")).toBe(2);
  });

  test("is cut by columns and never in the middle of a character", () => {
    expect(shorten("打印机", 6)).toBe("打印机");
    expect(shorten("打印机", 5)).toBe("打印…");
    expect(shorten("打印机", 4)).toBe("打…");
    expect(shorten("abc", 3)).toBe("abc");
    expect(shorten("abcd", 3)).toBe("ab…");
  });

  test("is wrapped between words, and a long word has a line of its own", () => {
    expect(wrap("a bb ccc dddddddddd e", 6)).toEqual(["a bb", "ccc", "dddddddddd", "e"]);
    expect(wrap("", 6)).toEqual([""]);
  });

  test("of others cannot colour the screen, move the cursor or turn the line around", () => {
    expect(printable("a\u001b[31mb\rc\nd\u202e")).toBe("a\\u001b[31mb\\u000dc\\u000ad\\u202e");
    expect(printable("打印机 ✔ é")).toBe("打印机 ✔ é");
  });

  test("counts things in words", () => {
    expect(plural(1, "node")).toBe("1 node");
    expect(plural(1234, "batch", "batches")).toBe("1,234 batches");
    expect(grouped(1_234_567)).toBe("1,234,567");
    expect(grouped(999)).toBe("999");
  });
});
