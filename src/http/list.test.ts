import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { STREAM_SLICE_ROWS } from "../base/limits.ts";
import type { Answer } from "./testing/harness.ts";
import { Harness, mistakes } from "./testing/harness.ts";

type Row = { readonly id: string | number; readonly version: number };

const rows = (answer: Answer): readonly Row[] => answer.json as unknown as readonly Row[];
const ids = (answer: Answer) => rows(answer).map((row) => row.id);

/** The address of the next page; null on the last. */
function next(answer: Answer): string | null {
  const link = answer.headers["link"];
  if (link === undefined) return null;
  const [, url] = /^<([^>]+)>; rel="next"$/.exec(link) ?? [];
  if (url === undefined) throw new Error(`not a link: ${link}`);
  return url;
}

function addPrinters(shop: Harness, count: number): void {
  for (let n = 0; n < count; n += 1) {
    shop.node.apply({ kind: "create-printer", id: null, company: "Prusa", model: `M${n}` });
  }
}

describe("a list", () => {
  it("is an array in the order of creation, empty as well", async () => {
    const shop = new Harness();
    for (const url of ["/api/v1/printers", "/api/v1/filaments", "/api/v1/print_jobs"]) {
      const answer = await shop.get(url);
      expect([answer.status, answer.text]).toEqual([200, "[]"]);
      expect(answer.headers["x-total-count"]).toBe("0");
      expect(answer.headers["content-type"]).toBe("application/json");
    }
    for (const id of ["z", 3, "a"]) await shop.printer({ id });
    await shop.patch("/api/v1/printers/z", { model: "new" });
    expect(ids(await shop.get("/api/v1/printers"))).toEqual(["z", 3, "a"]);
  });

  it("comes in pages that together are the whole", async () => {
    const shop = new Harness();
    addPrinters(shop, 10);
    const pages: Answer[] = [];
    for (let url: string | null = "/api/v1/printers?limit=4"; url !== null;) {
      const page: Answer = await shop.get(url);
      pages.push(page);
      url = next(page);
    }
    expect(pages.map(ids)).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10],
    ]);
    for (const page of pages) expect(page.headers["x-total-count"]).toBe("10");
    const first = next(pages[0] as Answer) ?? "";
    expect(first).toMatch(/^\/api\/v1\/printers\?limit=4&cursor=[\w-]+$/);
  });

  it("has no next page when the last row stands on this one", async () => {
    const shop = new Harness();
    addPrinters(shop, 4);
    for (const limit of [4, 5, 1000]) {
      expect(next(await shop.get(`/api/v1/printers?limit=${limit}`))).toBeNull();
    }
    expect(next(await shop.get("/api/v1/printers?limit=3"))).not.toBeNull();
  });

  it("gives the rest after a cursor without a limit", async () => {
    const shop = new Harness();
    addPrinters(shop, 5);
    const url = next(await shop.get("/api/v1/printers?limit=2")) ?? "";
    expect(ids(await shop.get(url.replace("limit=2&", "")))).toEqual([3, 4, 5]);
  });

  it("neither repeats nor skips a row that stays, whatever comes and goes between its pages", async () => {
    // Between two pages: how many are added, and which of those there are is deleted.
    const turn = fc.record({ add: fc.nat(3), remove: fc.array(fc.nat(20), { maxLength: 3 }) });
    const run = fc.record({
      begin: fc.integer({ min: 1, max: 12 }),
      limit: fc.integer({ min: 1, max: 4 }),
      turns: fc.array(turn, { minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(run, async ({ begin, limit, turns }) => {
        const shop = new Harness();
        addPrinters(shop, begin);
        const stays = new Set([...shop.node.farm.printers.values()].map((row) => row.id));
        const seen: (string | number)[] = [];
        let url: string | null = `/api/v1/printers?limit=${limit}`;
        for (let n = 0; url !== null; n += 1) {
          const page: Answer = await shop.get(url);
          seen.push(...ids(page));
          url = next(page);
          const { add, remove } = turns[n % turns.length] ?? { add: 0, remove: [] };
          // Additions only for a while, so that the pages come to an end.
          if (n < 20) addPrinters(shop, add);
          const there = [...shop.node.farm.printers.values()];
          for (const at of remove) {
            const row = there[at];
            if (row === undefined || !shop.node.farm.printers.has(String(row.id))) continue;
            shop.node.apply({ kind: "delete-printer", key: String(row.id), expected: null });
            stays.delete(row.id);
          }
        }
        expect(new Set(seen).size).toBe(seen.length);
        for (const id of stays) expect(seen).toContain(id);
        expect(seen).toEqual(seen.toSorted((a, b) => Number(a) - Number(b)));
      }),
      { seed: 11, numRuns: 40 },
    );
  });
});

describe("the list of print jobs", () => {
  async function busyShop(): Promise<Harness> {
    const shop = new Harness();
    await shop.printer({ id: "left" });
    await shop.printer({ id: 2 });
    await shop.filament({ id: "a,b" });
    await shop.filament({ id: 7 });
    await shop.job({ printer_id: "left", filament_id: "a,b" });
    await shop.job({ printer_id: 2, filament_id: "a,b" });
    await shop.job({ printer_id: 2, filament_id: 7 });
    await shop.job({ printer_id: "left", filament_id: 7 });
    await shop.call("POST", "/api/v1/print_jobs/2/status?status=running");
    await shop.call("POST", "/api/v1/print_jobs/3/status?status=canceled");
    return shop;
  }

  it.each([
    ["", [1, 2, 3, 4]],
    ["?status=Queued", [1, 4]],
    ["?status=queued&status=running", [1, 2, 4]],
    ["?status=queued,CANCELLED", [1, 3, 4]],
    ["?status=%22running%22", [2]],
    ["?status=done", []],
    ["?printer_id=left", [1, 4]],
    ["?printer_id=2", [2, 3]],
    ["?printer_id=2&printer_id=left", [1, 2, 3, 4]],
    ["?filament_id=a,b", [1, 2]],
    ["?filament_id=7&printer_id=left", [4]],
    ["?filament_id=7&status=queued&printer_id=2", []],
    ["?printer_id=nobody", []],
  ] as const)("filtered by %j holds %j", async (query, expected) => {
    const shop = await busyShop();
    const answer = await shop.get(`/api/v1/print_jobs${query}`);
    expect(ids(answer)).toEqual(expected);
    expect(answer.headers["x-total-count"]).toBe(String(expected.length));
  });

  it("keeps its filters from page to page, and counts what passes them", async () => {
    const shop = await busyShop();
    const first = await shop.get("/api/v1/print_jobs?status=queued&limit=1&printer_id=left");
    expect(ids(first)).toEqual([1]);
    expect(first.headers["x-total-count"]).toBe("2");
    const second = await shop.get(next(first) ?? "");
    expect(ids(second)).toEqual([4]);
    expect(second.headers["x-total-count"]).toBe("2");
    expect(next(second)).toBeNull();
  });
});

describe("query parameters", () => {
  it.each([
    ["/api/v1/printers?limit=0", "limit"],
    ["/api/v1/printers?limit=1001", "limit"],
    ["/api/v1/printers?limit=01", "limit"],
    ["/api/v1/printers?limit=1e2", "limit"],
    ["/api/v1/printers?limit=", "limit"],
    ["/api/v1/printers?limit=5&limit=6", "limit"],
    ["/api/v1/printers?cursor=zzz", "cursor"],
    ["/api/v1/printers?consistency=strong", "consistency"],
    ["/api/v1/printers?consistency=", "consistency"],
    ["/api/v1/printers?consistency=stale&consistency=stale", "consistency"],
    ["/api/v1/printers?Limit=1", "Limit"],
    ["/api/v1/printers?status=queued", "status"],
    ["/api/v1/printers/1?limit=1", "limit"],
    ["/api/v1/print_jobs?status=", "status"],
    ["/api/v1/print_jobs?status=queued,", "status"],
    ["/api/v1/print_jobs?status=queued&status=printing", "status"],
    ["/api/v1/print_jobs?printer_id=", "printer_id"],
    [`/api/v1/print_jobs?printer_id=${"x".repeat(129)}`, "printer_id"],
    [`/api/v1/print_jobs?${"filament_id=1&".repeat(101)}`, "filament_id"],
    ["/api/v1/events?after=-1", "after"],
    ["/api/v1/events?after=1.5", "after"],
    ["/api/v1/events?limit=10001", "limit"],
    ["/api/v1/events/stream?limit=1", "limit"],
    ["/api/v1/events/stream?after=x", "after"],
    ["/api/v1/cluster?verbose", "verbose"],
    ["/readyz?verbose=maybe", "verbose"],
    ["/metrics?x", "x"],
    ["/docs?__proto__=1", "__proto__"],
    ["/api/v1/openapi.json?constructor", "constructor"],
  ])("%s is refused by name", async (url, field) => {
    const shop = new Harness();
    const answer = await shop.get(url);
    expect(answer.status).toBe(400);
    expect(answer.json["code"]).toBe("invalid_query");
    expect([...mistakes(answer).keys()]).toEqual([field]);
    expect(shop.node.barriers).toBe(0);
  });

  it("are all named at once, with what they must be", async () => {
    const answer = await new Harness().get("/api/v1/printers?limit=x&consistency=x&color=x");
    expect([...mistakes(answer).keys()]).toEqual(["limit", "consistency", "color"]);
    expect(mistakes(answer).get("limit")).toBe(
      'must be a whole number from 1 to 1000, not the string "x"',
    );
    expect(mistakes(answer).get("color")).toContain("those are limit, cursor, consistency");
  });
});

describe("a list of more rows than one slice", () => {
  const COUNT = 2 * STREAM_SLICE_ROWS + 10;

  function largeShop(): Harness {
    const shop = new Harness();
    addPrinters(shop, COUNT);
    return shop;
  }

  it("lets other requests go first, again and again, and is whole", async () => {
    const shop = largeShop();
    const answer = await shop.get("/api/v1/printers");
    expect(ids(answer)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
    expect(answer.headers["x-total-count"]).toBe(String(COUNT));
    expect(shop.clock.deferred).toBeGreaterThan(10);
    expect(shop.clock.timers).toBe(0);
  });

  it("shows the farm at the index in its headers, whatever is written meanwhile", async () => {
    const shop = largeShop();
    const before = shop.node.appliedIndex;
    let writes = 0;
    shop.clock.onDefer = () => {
      writes += 1;
      shop.node.apply({ kind: "delete-printer", key: String(writes), expected: null });
      shop.node.apply({
        kind: "update-printer",
        key: String(COUNT - writes),
        expected: null,
        changes: { model: "changed" },
      });
      addPrinters(shop, 1);
    };
    const answer = await shop.get("/api/v1/printers");
    expect(writes).toBeGreaterThan(10);
    expect(answer.headers["raft3d-index"]).toBe(String(before));
    expect(ids(answer)).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
    expect(answer.text).not.toContain("changed");
  });

  it("is counted and filtered in slices, too, whole and in pages", async () => {
    const shop = new Harness();
    await shop.printer();
    await shop.printer();
    await shop.filament({ total_weight_in_grams: COUNT });
    for (let n = 0; n < COUNT; n += 1) {
      shop.node.apply({
        kind: "create-job",
        id: null,
        printer_id: n % 2 === 0 ? 1 : 2,
        filament_id: 1,
        filepath: "/gcode/sword.gcode",
        print_weight_in_grams: 1,
      });
    }
    const odd = Array.from({ length: COUNT / 2 }, (_, n) => 2 * n + 1);
    // While they are counted, the node goes on; the answer stays with the index it began at.
    const before = shop.node.appliedIndex;
    shop.clock.onDefer = () => addPrinters(shop, 1);
    const whole = await shop.get("/api/v1/print_jobs?printer_id=1");
    shop.clock.onDefer = null;
    expect(ids(whole)).toEqual(odd);
    expect(whole.headers["raft3d-index"]).toBe(String(before));
    expect(shop.node.appliedIndex).toBeGreaterThan(before);
    expect(whole.headers["x-total-count"]).toBe(String(COUNT / 2));
    const seen: (string | number)[] = [];
    for (let url: string | null = "/api/v1/print_jobs?printer_id=1&limit=1000"; url !== null;) {
      const page: Answer = await shop.get(url);
      expect(page.headers["x-total-count"]).toBe(String(COUNT / 2));
      seen.push(...ids(page));
      url = next(page);
    }
    expect(seen).toEqual(odd);
    const none = await shop.get("/api/v1/print_jobs?status=done&limit=5");
    expect([none.text, none.headers["x-total-count"]]).toEqual(["[]", "0"]);
  });

  it("is answered to HEAD with its headers alone", async () => {
    const shop = largeShop();
    const answer = await shop.call("HEAD", "/api/v1/printers");
    expect(answer.headers["x-total-count"]).toBe(String(COUNT));
    expect(answer.text).toBe("");
  });
});
