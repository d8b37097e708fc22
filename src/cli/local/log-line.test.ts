import { describe, expect, test } from "vitest";
import { fakeTerminal } from "../testing/fakes.ts";
import { humanLogLine, isNews, parseLogLine } from "./log-line.ts";

const NODE = { id: 2, name: "node-2" };

function line(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ level: "info", time: "2026-11-22T14:30:05.000Z", node: 2, ...fields });
}

function human(text: string): string {
  return humanLogLine(fakeTerminal(), NODE, parseLogLine(text)).replace(/^[\d: ]{9}/, "");
}

describe("a node's log, for people", () => {
  test("warnings, errors and a new leader are news; the daily business is not", () => {
    const news = [
      line({ level: "warn", msg: "slow" }),
      line({ level: "error", msg: "broken" }),
      line({ msg: "leadership", role: "leader", leader: 2, term: 4 }),
      "FATAL ERROR: Reached heap limit",
    ];
    const daily = [
      line({ msg: "serving" }),
      line({ level: "debug", msg: "request" }),
      line({ msg: "leadership", role: "follower", leader: 1, term: 4 }),
      "   ",
    ];
    for (const text of news) expect(isNews(parseLogLine(text)), text).toBe(true);
    for (const text of daily) expect(isNews(parseLogLine(text)), text).toBe(false);
  });

  test("a line says whose it is and what happened, with the fields that are not said already", () => {
    const text = line({ level: "warn", msg: "peer cannot be reached", peer: 3, reason: "refused" });
    expect(human(text)).toBe("node-2 | peer cannot be reached peer=3 reason=refused\n");
    const elected = line({ msg: "leadership", role: "leader", leader: 2, term: 4 });
    expect(human(elected)).toBe("node-2 | leads now (term 4)\n");
    expect(humanLogLine(fakeTerminal(), NODE, parseLogLine(text))).toMatch(
      /^\d\d:\d\d:\d\d node-2/,
    );
  });

  test("what Node.js itself writes is shown as it is, and cannot move the cursor", () => {
    expect(human("    at foo (\u001b[2Jbar.js)")).toContain("at foo (\\u001b[2Jbar.js)");
    for (const odd of ["{}", "[]", "null", '{"msg":1}']) {
      expect(parseLogLine(odd)).toMatchObject({ level: null, message: odd });
    }
  });
});
