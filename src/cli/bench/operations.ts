// What the load consists of: whole HTTP/1.1 requests, made once and sent over and over.
//
// Creations name no id and carry no Idempotency-Key, so the same bytes create another object each
// time. That is the cheapest honest write: the cluster assigns the id, inside the log, as it would
// for anybody.

import { encodeUtf8 } from "../../base/bytes.ts";
import { WEIGHT_MAX } from "../../base/limits.ts";
import { FILAMENTS, JOBS, PRINTERS } from "../client/collections.ts";
import type { Client } from "../client/client.ts";
import { Failure } from "../failure.ts";
import { isObject } from "../json.ts";
import type { OptionsOf } from "../options/table.ts";

export type Operation = OptionsOf<"bench">["operation"];

interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

const PRINTER = JSON.stringify({ company: "Creality", model: "Ender 3 V2" });
const NEW_PRINTER: Request = { method: "POST", path: PRINTERS.path, body: PRINTER };

/** The requests of an operation, in their order; makes the objects that they need. */
export async function prepare(client: Client, operation: Operation): Promise<readonly Request[]> {
  switch (operation) {
    case "create-printers":
      return [NEW_PRINTER];
    case "create-jobs":
      return [await newJob(client)];
    case "get":
      return [await getPrinter(client)];
    case "mixed": {
      const read = await getPrinter(client);
      return [NEW_PRINTER, read, read, read];
    }
  }
}

async function create(client: Client, path: string, body: unknown): Promise<unknown> {
  const object = await client.json({ method: "POST", path, body });
  if (!isObject(object)) throw new Failure("The answer is not an object.");
  return object["id"];
}

async function getPrinter(client: Client): Promise<Request> {
  const id = await create(client, PRINTERS.path, JSON.parse(PRINTER));
  return { method: "GET", path: `${PRINTERS.path}/${encodeURIComponent(String(id))}` };
}

/** A job of one gram, on a spool that holds more grams than a run can take. */
async function newJob(client: Client): Promise<Request> {
  const printerId = await create(client, PRINTERS.path, JSON.parse(PRINTER));
  const filamentId = await create(client, FILAMENTS.path, {
    type: "PLA",
    color: "grey",
    total_weight_in_grams: WEIGHT_MAX,
  });
  const job = {
    printer_id: printerId,
    filament_id: filamentId,
    filepath: "bench/benchy.gcode",
    print_weight_in_grams: 1,
  };
  return { method: "POST", path: JOBS.path, body: JSON.stringify(job) };
}

export function encodeRequest(address: string, request: Request): Uint8Array {
  const { body, method, path } = request;
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${address}`];
  if (body !== undefined) {
    const length = encodeUtf8(body).length;
    head.push("Content-Type: application/json", `Content-Length: ${length}`);
  }
  return encodeUtf8(`${head.join("\r\n")}\r\n\r\n${body ?? ""}`);
}
