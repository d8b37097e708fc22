// Conditional and repeated writes: If-Match, If-None-Match, Idempotency-Key.

import { beforeEach, describe, expect, it } from "vitest";

import { Harness, mistakes } from "./testing/harness.ts";

describe("a write with If-Match", () => {
  let shop: Harness;

  beforeEach(async () => {
    shop = new Harness();
    await shop.farm();
    await shop.job();
  });

  it("is carried out if the object has not changed since it was read", async () => {
    const tag = (await shop.get("/api/v1/printers/1")).headers["etag"] ?? "";
    const changed = await shop.patch("/api/v1/printers/1", { model: "MK5" }, { "if-match": tag });
    expect(changed.status).toBe(200);
    expect(changed.headers["etag"]).not.toBe(tag);
    const late = await shop.patch("/api/v1/printers/1", { model: "MK6" }, { "if-match": tag });
    expect(late.status).toBe(412);
    expect(late.json).toMatchObject({ code: "version_mismatch", version: 5 });
    expect((await shop.get("/api/v1/printers/1")).json["model"]).toBe("MK5");
  });

  it("is refused with a tag that names another version, for PATCH, DELETE and status alike", async () => {
    const headers = { "if-match": '"999", W/"2"' };
    const answers = [
      await shop.patch("/api/v1/printers/1", { model: "MK5" }, headers),
      await shop.call("DELETE", "/api/v1/filaments/1", { headers }),
      await shop.call("POST", "/api/v1/print_jobs/1/status?status=running", { headers }),
      await shop.call("PUT", "/api/v1/print_jobs/1/status?status=running", { headers }),
    ];
    for (const answer of answers) expect(answer.json["code"]).toBe("version_mismatch");
  });

  it("is carried out if one of the tags is right, and with * if the object exists", async () => {
    const several = { "if-match": '"1", "2", "3"' };
    expect((await shop.patch("/api/v1/printers/1", { model: "X" }, several)).status).toBe(200);
    const any = { "if-match": "*" };
    expect((await shop.patch("/api/v1/printers/1", { model: "Y" }, any)).status).toBe(200);
    expect((await shop.patch("/api/v1/printers/9", { model: "Y" }, any)).status).toBe(404);
  });

  it("is refused before anything is proposed if the header is malformed", async () => {
    const before = shop.node.submitted.length;
    const headers = { "if-match": "5" };
    for (const [method, url, body] of [
      ["PATCH", "/api/v1/printers/1", { model: "X" }],
      ["DELETE", "/api/v1/printers/1", undefined],
      ["POST", "/api/v1/print_jobs/1/status", { status: "running" }],
    ] as const) {
      const answer = await shop.call(method, url, { body, headers });
      expect(answer.status).toBe(400);
      expect([...mistakes(answer).keys()]).toEqual(["If-Match"]);
    }
    expect(shop.node.submitted).toHaveLength(before);
  });

  it("notices that a job's reservation has changed the spool", async () => {
    const tag = (await shop.get("/api/v1/filaments/1")).headers["etag"] ?? "";
    await shop.job({ print_weight_in_grams: 1 });
    const late = await shop.patch("/api/v1/filaments/1", { color: "blue" }, { "if-match": tag });
    expect(late.json["code"]).toBe("version_mismatch");
  });

  it("answers a GET with If-None-Match by 304 as long as nothing has changed", async () => {
    const first = await shop.get("/api/v1/printers/1");
    const tag = first.headers["etag"] ?? "";
    const same = await shop.get("/api/v1/printers/1", { "if-none-match": tag });
    expect([same.status, same.text, same.headers["etag"]]).toEqual([304, "", tag]);
    await shop.patch("/api/v1/printers/1", { model: "MK5" });
    const changed = await shop.get("/api/v1/printers/1", { "if-none-match": tag });
    expect(changed.status).toBe(200);
    expect(changed.json["model"]).toBe("MK5");
  });
});

describe("a write with an Idempotency-Key", () => {
  let shop: Harness;

  beforeEach(() => {
    shop = new Harness();
  });

  const printer = { company: "Prusa Research", model: "MK4S" };

  it("gives the first answer again, whole, however often it is repeated", async () => {
    const headers = { "idempotency-key": "create-1" };
    const first = await shop.post("/api/v1/printers", printer, headers);
    expect(first.headers["idempotency-replayed"]).toBeUndefined();
    // The object goes on; the answer to the key does not.
    await shop.patch("/api/v1/printers/1", { model: "MK5" });
    const again = await shop.post("/api/v1/printers", printer, headers);
    expect(again.headers["idempotency-replayed"]).toBe("true");
    for (const part of ["status", "text"] as const) expect(again[part]).toBe(first[part]);
    for (const name of ["etag", "location", "content-type"]) {
      expect(again.headers[name]).toBe(first.headers[name]);
    }
    expect((await shop.get("/api/v1/printers")).headers["x-total-count"]).toBe("1");
  });

  it("replays a deletion, a refusal and a change of status as they were", async () => {
    await shop.farm();
    await shop.job();
    const repeat = async (method: string, url: string, key: string, body?: unknown) => {
      const asked = { body, headers: { "idempotency-key": key } };
      const first = await shop.call(method, url, asked);
      const second = await shop.call(method, url, asked);
      expect(second.headers["idempotency-replayed"]).toBe("true");
      expect([second.status, second.text, second.headers["etag"]]).toEqual([
        first.status,
        first.text,
        first.headers["etag"],
      ]);
      return first;
    };
    const refused = await repeat("DELETE", "/api/v1/printers/1", "k1");
    expect(refused.json["code"]).toBe("in_use");
    const run = "/api/v1/print_jobs/1/status?status=running";
    expect((await repeat("POST", run, "k2")).status).toBe(200);
    const done = "/api/v1/print_jobs/1/status";
    expect((await repeat("PUT", done, "k3", { status: "done" })).json["status"]).toBe("Done");
    expect((await repeat("DELETE", "/api/v1/printers/1", "k4")).status).toBe(204);
    expect((await repeat("PATCH", "/api/v1/filaments/1", "k5", { color: "x" })).status).toBe(200);
  });

  it("is the same request if it means the same: letter case, order and defaults do not matter", async () => {
    const headers = { "idempotency-key": "spool" };
    const url = "/api/v1/filaments";
    await shop.post(url, { type: "PLA", color: "red", total_weight_in_grams: 1000 }, headers);
    const same = {
      remaining_weight_in_grams: 1000,
      total_weight_in_grams: 1000,
      color: "red",
      type: "pla",
      id: "",
    };
    const again = await shop.post(url, same, headers);
    expect(again.headers["idempotency-replayed"]).toBe("true");
    const stay = { "idempotency-key": "status" };
    await shop.printer();
    await shop.job();
    await shop.call("POST", "/api/v1/print_jobs/1/status?status=RUNNING", { headers: stay });
    const status = await shop.call("PUT", "/api/v1/print_jobs/1/status", {
      body: { status: "running" },
      headers: stay,
    });
    expect(status.headers["idempotency-replayed"]).toBe("true");
  });

  it("is refused for another request under the same key", async () => {
    const headers = { "idempotency-key": "k" };
    await shop.post("/api/v1/printers", printer, headers);
    const others = [
      await shop.post("/api/v1/printers", { ...printer, model: "MINI" }, headers),
      await shop.post("/api/v1/printers", { ...printer, id: 1 }, headers),
      await shop.patch("/api/v1/printers/1", { model: "MINI" }, headers),
      await shop.patch("/api/v1/printers/1", printer, { ...headers, "if-match": '"2"' }),
      await shop.call("DELETE", "/api/v1/printers/1", { headers }),
    ];
    for (const other of others) {
      expect(other.status).toBe(422);
      expect(other.json["code"]).toBe("idempotency_key_reused");
    }
  });

  it("is refused before anything is proposed if the key is malformed", async () => {
    for (const key of ["", "a b", "x".repeat(256)]) {
      const answer = await shop.post("/api/v1/printers", printer, { "idempotency-key": key });
      expect(answer.status).toBe(400);
      expect([...mistakes(answer).keys()]).toEqual(["Idempotency-Key"]);
    }
    expect(shop.node.submitted).toEqual([]);
  });

  it("finds out what became of a write whose outcome was unknown", async () => {
    const headers = { "idempotency-key": "lost" };
    shop.node.losesOutcome = true;
    expect((await shop.post("/api/v1/printers", printer, headers)).status).toBe(504);
    shop.node.losesOutcome = false;
    const again = await shop.post("/api/v1/printers", printer, headers);
    expect(again.status).toBe(201);
    expect(again.headers["idempotency-replayed"]).toBe("true");
  });
});
