import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { nodeDisk } from "../../env/node/disk.ts";
import { EventLog } from "../../storage/events/event-log.ts";
import { sendCluster, sendEvents } from "../testing/fake-cluster.ts";
import { fakeServer, fakeSession } from "../testing/fakes.ts";
import { openShop } from "../testing/shop.ts";
import { remarks } from "../offline/folder.ts";
import { replay } from "./replay-command.ts";

const { lines, machine } = openShop();
const LAST = machine.appliedIndex;
const OPTIONS = {
  data: null,
  endpoint: null,
  consistency: "linearizable",
  json: true,
  config: null,
  logLevel: "info",
} as const;

/** A data folder with the history in its event log. */
async function folderWithEvents(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "raft3d-replay-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const log = await EventLog.open({
    disk: nodeDisk(folder),
    logger: remarks(fakeSession()),
    replayFrom: 1,
    onFailure: (error) => {
      throw error;
    },
  });
  log.append(lines, LAST);
  await log.syncThrough(LAST);
  await log.close();
  return folder;
}

async function replayed(options: Partial<Parameters<typeof replay>[1]>) {
  const session = fakeSession();
  const code = await replay(session, { ...OPTIONS, ...options });
  return { code, result: JSON.parse(session.terminal.stdout()) as Record<string, unknown> };
}

function eventFile(folder: string): string {
  const events = join(folder, "events");
  return join(
    events,
    readdirSync(events).find((name) => name.endsWith(".ndjson"))!,
  );
}

describe("events replay", () => {
  test("of a data folder gives the hash of the state and counts what it folded", async () => {
    const { code, result } = await replayed({ data: await folderWithEvents() });
    expect(code).toBe(0);
    expect(result).toMatchObject({
      ok: true,
      events: lines.length,
      hash: machine.farm.digest(),
      objects: { printers: 1, filaments: 1, print_jobs: 2 },
      difference: null,
    });
  });

  test("of a folder whose last line is just being written leaves that line out, and says so", async () => {
    const folder = await folderWithEvents();
    const file = eventFile(folder);
    writeFileSync(file, `${readFileSync(file, "utf8")}{"index":99,"te`);
    const { code, result } = await replayed({ data: folder });
    expect(code).toBe(0);
    expect(result["events"]).toBe(lines.length);
    expect(String(result["notes"])).toContain("the end of what is being written");
  });

  test("of a folder with a spoilt line in the file being written names the place and refuses the rest", async () => {
    const folder = await folderWithEvents();
    const file = eventFile(folder);
    const text = readFileSync(file, "utf8");
    const at = text.indexOf('"hash":"', text.length / 2) + '"hash":"'.length;
    const other = text[at] === "0" ? "1" : "0";
    writeFileSync(file, `${text.slice(0, at)}${other}${text.slice(at + 1)}`);
    const { code, result } = await replayed({ data: folder });
    expect(code).toBe(1);
    expect(result["events"]).toBeLessThan(lines.length);
    const lineStart = text.lastIndexOf("\n", at) + 1;
    expect(result["difference"]).toMatchObject({
      what: expect.stringContaining(`byte ${lineStart}: the line does not match its checksum`),
    });
    expect(String(result["notes"])).toContain("Start the node");
  });

  test("of something else than a data folder says what a data folder is", async () => {
    const folder = mkdtempSync(join(tmpdir(), "raft3d-replay-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    await expect(replayed({ data: folder })).rejects.toThrow("holds no events");
  });

  test("of a running cluster is compared with its state, at the index at which it was asked", async () => {
    // The node is asked at an index in the middle; what it serves afterwards goes on to the end.
    const half = lines[5]!;
    const stateHash = (JSON.parse(half.text) as { hash: string }).hash;
    for (const [told, expected] of [
      [stateHash, null],
      ["0123456789abcdef", half.index],
    ] as const) {
      const server = await fakeServer((request, response) => {
        if (request.url === "/api/v1/cluster") {
          const state = { nodeId: 1, leaderId: 1, appliedIndex: half.index, members: [] };
          sendCluster(response, { ...state, stateHash: told });
        } else {
          const texts = lines.map((line) => line.text);
          sendEvents(request, response, texts, LAST, 4);
        }
      });
      const { code, result } = await replayed({ endpoint: [server.origin] });
      expect(code).toBe(expected === null ? 0 : 1);
      if (expected === null) expect(result).toMatchObject({ ok: true, events: lines.length });
      else expect(result["difference"]).toMatchObject({ index: expected });
    }
  });
});
