import { expect, test } from "vitest";
import type { FarmEvent } from "../fsm/event.ts";
import { eventLine } from "./event-line.ts";

test("the line of an event is JSON, whatever people have written into it", () => {
  const hash = "00000000000000ff";
  const at = Date.UTC(2026, 10, 22, 14, 30);
  for (const company of ["Prusa", 'a "b" \\ c', "line\nend\u2028", "\ud800", "Ω 打印机", "}"]) {
    const event: FarmEvent = { type: "printer.created", data: { id: 7, company, model: "MK4S" } };
    const { index, text } = eventLine({
      recorded: { index: 12, term: 3, at, event },
      digest: hash,
    });
    expect(index).toBe(12);
    const fields = { index, term: 3, time: "2026-11-22T14:30:00.000Z", type: event.type };
    expect(text).toBe(JSON.stringify({ ...fields, data: event.data, hash }));
  }
});
