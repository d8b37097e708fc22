import { beforeEach, describe, expect, it } from "vitest";

import { Harness, mistakes } from "./testing/harness.ts";

describe("the life of a print job over HTTP", () => {
  let shop: Harness;

  beforeEach(() => {
    shop = new Harness();
  });

  it("creates a printer and says where it is, and every representation of it is the same", async () => {
    const created = await shop.post("/api/v1/printers", {
      company: "Prusa Research",
      model: "MK4S",
    });
    expect(created.status).toBe(201);
    expect(created.headers["location"]).toBe("/api/v1/printers/1");
    expect(created.json).toEqual({
      id: 1,
      company: "Prusa Research",
      model: "MK4S",
      created_at: "2026-11-22T14:30:01.000Z",
      updated_at: "2026-11-22T14:30:01.000Z",
      version: 2,
    });
    expect(created.headers["etag"]).toBe('"2"');
    const read = await shop.get("/api/v1/printers/1");
    expect(read.status).toBe(200);
    expect(read.json).toEqual(created.json);
    expect(read.headers["etag"]).toBe('"2"');
    const list = await shop.get("/api/v1/printers");
    expect(list.json).toEqual([created.json]);
    expect(list.headers["x-total-count"]).toBe("1");
  });

  it("prints: the weight is reserved when queued, and taken off the spool when done, once", async () => {
    await shop.farm();
    const job = await shop.job({ print_weight_in_grams: 300 });
    expect(job.json).toMatchObject({ id: 1, printer_id: 1, filament_id: 1, status: "Queued" });
    const spool = async () => (await shop.get("/api/v1/filaments/1")).json;
    expect(await spool()).toMatchObject({
      total_weight_in_grams: 1000,
      remaining_weight_in_grams: 1000,
      reserved_weight_in_grams: 300,
      available_weight_in_grams: 700,
    });
    const running = await shop.call("POST", "/api/v1/print_jobs/1/status?status=running");
    expect(running.status).toBe(200);
    expect(running.json).toMatchObject({ status: "Running" });
    const done = await shop.call("PUT", "/api/v1/print_jobs/1/status", {
      body: { status: "Done" },
    });
    expect(done.json).toMatchObject({ status: "Done" });
    expect(await spool()).toMatchObject({
      remaining_weight_in_grams: 700,
      reserved_weight_in_grams: 0,
      available_weight_in_grams: 700,
    });
    const again = await shop.call("POST", "/api/v1/print_jobs/1/status?status=done");
    expect(again.status).toBe(409);
    expect(again.json).toMatchObject({
      code: "transition_not_allowed",
      from: "Done",
      to: "Done",
      allowed: [],
      detail: "The print job is Done and cannot become Done: Done is final.",
    });
    expect(await spool()).toMatchObject({ remaining_weight_in_grams: 700 });
  });

  it("says what is allowed when a transition is not", async () => {
    await shop.farm();
    await shop.job();
    const refused = await shop.call("POST", "/api/v1/print_jobs/1/status?status=done");
    expect(refused.json).toMatchObject({
      code: "transition_not_allowed",
      from: "Queued",
      to: "Done",
      allowed: ["Running", "Canceled"],
    });
  });

  it("counts what other jobs have reserved before it accepts one more", async () => {
    await shop.farm();
    await shop.job({ print_weight_in_grams: 600 });
    const refused = await shop.post("/api/v1/print_jobs", {
      printer_id: 1,
      filament_id: 1,
      filepath: "/gcode/shield.gcode",
      print_weight_in_grams: 500,
    });
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({
      code: "not_enough_filament",
      remaining: 1000,
      reserved: 600,
      available: 400,
      asked: 500,
      type: "/docs/errors#not_enough_filament",
    });
    await shop.job({ print_weight_in_grams: 400 });
  });

  it("names both references at once when a job points at nothing", async () => {
    const refused = await shop.post("/api/v1/print_jobs", {
      printer_id: "left",
      filament_id: 7,
      filepath: "/gcode/sword.gcode",
      print_weight_in_grams: 1,
    });
    expect(refused.status).toBe(400);
    expect(refused.json["code"]).toBe("unknown_reference");
    expect([...mistakes(refused).keys()]).toEqual(["printer_id", "filament_id"]);
    expect(mistakes(refused).get("printer_id")).toContain('there is none with the id "left"');
  });

  it("keeps a printer with jobs, and deletes it when they are finished", async () => {
    await shop.farm();
    await shop.job();
    const refused = await shop.call("DELETE", "/api/v1/printers/1");
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: "in_use", jobs: 1 });
    await shop.call("POST", "/api/v1/print_jobs/1/status?status=cancelled");
    const deleted = await shop.call("DELETE", "/api/v1/printers/1");
    expect(deleted.status).toBe(204);
    expect(deleted.text).toBe("");
    expect((await shop.get("/api/v1/printers/1")).status).toBe(404);
    expect((await shop.call("DELETE", "/api/v1/printers/1")).json["code"]).toBe("not_found");
  });

  it("changes only the fields that a PATCH names", async () => {
    await shop.farm();
    const printer = await shop.patch("/api/v1/printers/1", { model: "MK5" });
    expect(printer.status).toBe(200);
    expect(printer.json).toMatchObject({ company: "Prusa Research", model: "MK5", version: 4 });
    const filament = await shop.call("PATCH", "/api/v1/filaments/1", {
      body: { type: "petg", remaining_weight_in_grams: 0 },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(filament.json).toMatchObject({
      type: "PETG",
      color: "red",
      total_weight_in_grams: 1000,
      remaining_weight_in_grams: 0,
    });
  });

  it("refuses a PATCH that takes away what jobs have reserved", async () => {
    await shop.farm();
    await shop.job({ print_weight_in_grams: 600 });
    const refused = await shop.patch("/api/v1/filaments/1", { remaining_weight_in_grams: 599 });
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({
      code: "weight_conflict",
      total: 1000,
      remaining: 599,
      reserved: 600,
    });
  });

  it("refuses an id that is taken, whether it was a number or a string", async () => {
    await shop.printer({ id: "7" });
    const refused = await shop.post("/api/v1/printers", { id: 7, company: "Bambu", model: "X1" });
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: "duplicate_id", id: "7" });
  });
});

describe("ids", () => {
  it("are given back in the form in which they came, and found in either", async () => {
    const shop = new Harness();
    expect((await shop.printer({ id: "7" })).json["id"]).toBe("7");
    expect((await shop.printer({ id: 8 })).json["id"]).toBe(8);
    expect((await shop.get("/api/v1/printers/7")).json["id"]).toBe("7");
    expect((await shop.get("/api/v1/printers/8")).json["id"]).toBe(8);
    await shop.filament({ id: 0 });
    const job = await shop.job({ printer_id: 7, filament_id: "0" });
    expect(job.json).toMatchObject({ printer_id: "7", filament_id: 0 });
  });

  it("are assigned by the cluster when absent or empty", async () => {
    const shop = new Harness();
    expect((await shop.printer()).json["id"]).toBe(1);
    expect((await shop.printer({ id: "" })).json["id"]).toBe(2);
  });

  it.each(["a/b", "50%", "ä ö", "../x", "?", "#", "日本", "a+b", ";", "💡", "%2F", "a/"])(
    "may hold any character: %j is found under its percent-encoded path",
    async (id) => {
      const shop = new Harness();
      const created = await shop.printer({ id });
      const location = created.headers["location"] ?? "";
      expect(location).toBe(`/api/v1/printers/${encodeURIComponent(id)}`);
      expect((await shop.get(location)).json["id"]).toBe(id);
      expect((await shop.patch(location, { model: "X" })).json["id"]).toBe(id);
      expect((await shop.call("DELETE", location)).status).toBe(204);
    },
  );

  it("of 128 characters are found, however many bytes they take, and longer ones are not there", async () => {
    const shop = new Harness();
    const longest = "💡".repeat(128);
    const created = await shop.printer({ id: longest });
    expect((await shop.get(created.headers["location"] ?? "")).json["id"]).toBe(longest);
    for (const id of ["x".repeat(129), "x".repeat(2000), `${longest}x`]) {
      const url = `/api/v1/printers/${encodeURIComponent(id)}`;
      expect((await shop.get(url)).json["code"]).toBe("not_found");
      expect((await shop.call("DELETE", url)).json["code"]).toBe("not_found");
    }
    expect(shop.node.submitted).toHaveLength(1);
  });

  it("with a broken percent-escape are refused as malformed", async () => {
    const answer = await new Harness().get("/api/v1/printers/%E0%A4%A");
    expect(answer.status).toBe(400);
    expect(answer.json["code"]).toBe("malformed_request");
  });
});

describe("the headers of every answer", () => {
  it("tell the applied index, the leader and the node, on errors and health as well", async () => {
    const shop = new Harness();
    await shop.printer();
    for (const url of ["/api/v1/printers", "/api/v1/printers/9", "/nowhere", "/livez", "/docs"]) {
      const { headers } = await shop.get(url);
      expect(headers["raft3d-index"]).toBe("2");
      expect(headers["raft3d-leader"]).toBe("1");
      expect(headers["raft3d-served-by"]).toBe("1");
    }
    shop.node.leaderId = null;
    expect((await shop.get("/livez")).headers["raft3d-leader"]).toBe("none");
  });

  it("ask the client to close the connection while the server closes", async () => {
    const shop = new Harness();
    shop.draining = true;
    expect((await shop.get("/livez")).headers["connection"]).toBe("close");
  });
});

describe("paths and methods", () => {
  it("answers 404 for a path that is not the API's", async () => {
    for (const url of [
      "/api/v1/printer",
      "/api/v1/printers/1/2",
      "/api/v1",
      "/api/v1/print_jobs//status",
    ]) {
      const answer = await new Harness().get(url);
      expect(answer.json["code"], url).toBe("unknown_route");
    }
  });

  it("answers 405 with Allow for a path that exists under other methods", async () => {
    const shop = new Harness();
    const cases = [
      ["PUT", "/api/v1/printers", "POST, GET, HEAD"],
      ["DELETE", "/api/v1/printers", "POST, GET, HEAD"],
      ["OPTIONS", "/api/v1/filaments/1", "GET, HEAD, PATCH, DELETE"],
      ["DELETE", "/api/v1/print_jobs/1", "GET, HEAD"],
      ["GET", "/api/v1/print_jobs/1/status", "POST, PUT"],
      ["HEAD", "/api/v1/print_jobs/1/status", "POST, PUT"],
      ["PURGE", "/livez", "GET, HEAD"],
    ] as const;
    for (const [method, url, allow] of cases) {
      const answer = await shop.call(method, url);
      expect(answer.status, `${method} ${url}`).toBe(405);
      expect(answer.headers["allow"]).toBe(allow);
    }
    expect(shop.node.submitted).toEqual([]);
  });

  it("answers HEAD like GET, without the body", async () => {
    const shop = new Harness();
    await shop.printer();
    for (const url of [
      "/api/v1/printers/1",
      "/api/v1/printers",
      "/livez",
      "/docs",
      "/api/v1/events",
    ]) {
      const get = await shop.get(url);
      const head = await shop.call("HEAD", url);
      expect(head.status).toBe(get.status);
      expect(head.text).toBe("");
      expect(head.headers["content-length"], url).toBe(String(Buffer.byteLength(get.text)));
      expect(head.headers["etag"]).toBe(get.headers["etag"]);
    }
    expect((await shop.call("HEAD", "/api/v1/printers/9")).status).toBe(404);
    // The stream has no length, and no end but for HEAD.
    const stream = await shop.call("HEAD", "/api/v1/events/stream");
    expect([stream.status, stream.text]).toEqual([200, ""]);
  });

  it("takes a slash too many at the end of a path", async () => {
    const shop = new Harness();
    expect((await shop.post("/api/v1/printers/", { company: "A", model: "B" })).status).toBe(201);
    expect((await shop.get("/api/v1/printers/")).status).toBe(200);
    expect((await shop.get("/api/v1/printers/1/")).status).toBe(200);
  });

  it("leads from the root to the documentation", async () => {
    const answer = await new Harness().get("/");
    expect(answer.status).toBe(302);
    expect(answer.headers["location"]).toBe("/docs");
  });
});

describe("when the cluster cannot serve", () => {
  const body = { company: "Prusa Research", model: "MK4S" };

  it.each([
    ["no-leader", 503, "no_leader"],
    ["forming", 503, "cluster_forming"],
    ["stopping", 503, "shutting_down"],
    ["overloaded", 429, "overloaded"],
  ] as const)("%s: %d %s with Retry-After, for writes and reads", async (reason, status, code) => {
    const shop = new Harness();
    await shop.printer();
    shop.node.unavailable = reason;
    const answers = [
      await shop.post("/api/v1/printers", body),
      await shop.get("/api/v1/printers"),
      await shop.get("/api/v1/printers/1"),
      await shop.get("/api/v1/events"),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(status);
      expect(answer.json["code"]).toBe(code);
      expect(answer.headers["retry-after"]).toBe("1");
    }
    expect(answers[0]?.json["detail"]).toContain("nothing was proposed");
    expect(answers[1]?.json["detail"]).toContain("consistency=stale");
  });

  it("answers stale reads from its own state, and says how long it has been out of touch", async () => {
    const shop = new Harness();
    await shop.printer();
    shop.node.unavailable = "no-leader";
    shop.node.leaderId = null;
    shop.node.lastContactMs = 4321;
    for (const url of ["/api/v1/printers", "/api/v1/printers/1", "/api/v1/events"]) {
      const answer = await shop.get(`${url}?consistency=stale`);
      expect(answer.status).toBe(200);
      expect(answer.headers["raft3d-last-contact-ms"]).toBe("4321");
      expect(answer.headers["raft3d-leader"]).toBe("none");
    }
    expect(shop.node.barriers).toBe(0);
  });

  it("confirms that its state is current before every other read", async () => {
    const shop = new Harness();
    for (const query of ["", "?consistency=linearizable"]) {
      const before = shop.node.barriers;
      const answer = await shop.get(`/api/v1/printers${query}`);
      expect(shop.node.barriers).toBe(before + 1);
      expect(answer.headers["raft3d-last-contact-ms"]).toBeUndefined();
    }
  });

  it("says that the outcome is unknown when it is, and does not ask to retry blindly", async () => {
    const shop = new Harness();
    shop.node.losesOutcome = true;
    const answer = await shop.post("/api/v1/printers", body);
    expect(answer.status).toBe(504);
    expect(answer.json["code"]).toBe("outcome_unknown");
    expect(answer.json["detail"]).toContain("Idempotency-Key");
    expect(answer.headers["retry-after"]).toBeUndefined();
  });

  it("hides the cause of a bug from the client and shows it to the log", async () => {
    const shop = new Harness();
    shop.node.breaks = new Error("the flux capacitor is at src/node/flux.ts");
    const answer = await shop.post("/api/v1/printers", body);
    expect(answer.status).toBe(500);
    expect(answer.json["code"]).toBe("internal_error");
    expect(answer.text).not.toContain("flux");
    const logged = shop.logger.lines.find((line) => line.level === "error");
    expect(String(logged?.fields["error"])).toContain("flux capacitor");
  });

  it("answers a bug with the problem alone, without the headers of the answer it was making", async () => {
    const shop = new Harness();
    const row = { id: 1, company: "A", model: "B", version: 2, created_ms: Number.NaN };
    Object.defineProperty(shop.node, "farm", { value: { printers: new Map([["1", row]]) } });
    const answer = await shop.get("/api/v1/printers/1");
    expect(answer.json["code"]).toBe("internal_error");
    expect(answer.headers["etag"]).toBeUndefined();
  });
});

describe("the cluster and health", () => {
  it("shows the cluster as this node sees it, without a quorum", async () => {
    const shop = new Harness();
    shop.node.unavailable = "no-leader";
    shop.node.leaderId = null;
    const answer = await shop.get("/api/v1/cluster");
    expect(answer.json).toEqual({
      cluster_id: "c0ffee00c0ffee00",
      node_id: 1,
      leader_id: null,
      term: 3,
      commit_index: 1,
      applied_index: 1,
      state_hash: shop.node.farm.digest(),
      members: [
        {
          id: 1,
          role: "voter",
          state: "leader",
          peer: "127.0.0.1:9001",
          http: "127.0.0.1:8001",
          match_index: 1,
          lag: 0,
          reachable: true,
        },
        {
          id: 2,
          role: "voter",
          state: null,
          peer: "127.0.0.1:9002",
          http: null,
          match_index: null,
          lag: null,
          reachable: false,
        },
      ],
    });
  });

  it("is alive without a quorum, and not ready", async () => {
    const shop = new Harness();
    expect((await shop.get("/readyz")).text).toBe("ok\n");
    shop.node.checks = { formed: true, leader: false, caughtUp: true, disk: true };
    const live = await shop.get("/livez?verbose");
    expect([live.status, live.text]).toEqual([200, "[+]process ok\nok\n"]);
    const ready = await shop.get("/readyz");
    expect(ready.status).toBe(503);
    expect(ready.headers["retry-after"]).toBe("1");
    expect(ready.text).toBe(
      "[+]cluster ok\n[-]leader failed: no leader is known\n[+]applied ok\n[+]disk ok\n[+]shutdown ok\n[-]read failed: it cannot confirm that it is current\nnot ready\n",
    );
  });

  it("is not ready while it cannot confirm a read, although it knows a leader", async () => {
    const shop = new Harness();
    shop.node.unavailable = "no-leader";
    const ready = await shop.get("/readyz");
    expect(ready.status).toBe(503);
    expect(ready.text).toContain("[+]applied ok\n");
    expect(ready.text).toContain("[-]read failed: it cannot confirm that it is current\n");
  });

  it("lists every check when asked, and is not ready while it shuts down", async () => {
    const shop = new Harness();
    const verbose = await shop.get("/readyz?verbose=true");
    expect(verbose.text.split("\n")).toContain("[+]leader ok");
    shop.draining = true;
    expect((await shop.get("/readyz")).text).toContain("[-]shutdown failed: shutting down");
  });

  it("shows its numbers to Prometheus, with zeros for what has not happened", async () => {
    const shop = new Harness();
    await shop.printer();
    await shop.get("/api/v1/printers/9");
    const { text } = await shop.get("/metrics");
    expect(text).toContain("\nraft3d_has_leader 1\n");
    expect(text).toContain("\nraft3d_is_leader 1\n");
    expect(text).toContain("\nraft3d_applied_index 2\n");
    expect(text).toContain("\nraft3d_leader_changes_total 0\n");
    expect(text).toContain("\nraft3d_proposals_submitted_total 1\n");
    expect(text).toContain("\nraft3d_proposals_failed_total 0\n");
    expect(text).toContain("\nraft3d_peers 1\n");
    expect(text).toContain("\nraft3d_peers_reachable 0\n");
    expect(text).toContain("raft3d_log_batches_total 0\n");
    expect(text).toContain(
      'raft3d_http_request_duration_seconds_count{route="/api/v1/printers",method="POST",status="201"} 1',
    );
    expect(text).toContain(
      'raft3d_http_request_duration_seconds_count{route="/api/v1/printers/:id",method="GET",status="404"} 1',
    );
    expect((await shop.get("/metrics")).text).toContain("\nraft3d_proposals_submitted_total 1\n");
  });
});
