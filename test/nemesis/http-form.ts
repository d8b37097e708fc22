// An operation of a history as the HTTP request that asks for it.

import { unreachable } from "../../src/base/assert.ts";
import type { Expected } from "../../src/fsm/command.ts";
import type { Collection, Operation } from "../../src/sim/history.ts";

export interface Form {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: object;
  readonly headers: Readonly<Record<string, string>>;
}

const API = "/api/v1";

export function formOf(op: Operation): Form {
  switch (op.kind) {
    case "create-printer":
    case "create-filament":
    case "create-job": {
      const { id, kind, ...fields } = op;
      const path = `${API}/${CREATED_IN[kind]}`;
      return { method: "POST", path, body: id === null ? fields : { id, ...fields }, headers: {} };
    }
    case "update-printer":
      return change("PATCH", "printers", op.key, op.expected, op.changes);
    case "update-filament":
      return change("PATCH", "filaments", op.key, op.expected, op.changes);
    case "delete-printer":
      return change("DELETE", "printers", op.key, op.expected);
    case "delete-filament":
      return change("DELETE", "filaments", op.key, op.expected);
    case "change-job-status":
      return {
        ...change("POST", "print_jobs", op.key, op.expected, { status: op.to }),
        path: `${pathOf("print_jobs", op.key)}/status`,
      };
    case "get":
      return { method: "GET", path: pathOf(op.collection, op.key), headers: {} };
    case "list": {
      const query = new URLSearchParams();
      if (op.status !== undefined) query.set("status", op.status.join(","));
      if (op.printer_id !== undefined) query.set("printer_id", String(op.printer_id));
      if (op.filament_id !== undefined) query.set("filament_id", String(op.filament_id));
      const text = query.toString();
      const path = `${API}/${op.collection}${text === "" ? "" : `?${text}`}`;
      return { method: "GET", path, headers: {} };
    }
    default:
      return unreachable(op);
  }
}

const CREATED_IN = {
  "create-printer": "printers",
  "create-filament": "filaments",
  "create-job": "print_jobs",
} as const satisfies Record<string, Collection>;

function pathOf(collection: Collection, key: string): string {
  return `${API}/${collection}/${encodeURIComponent(key)}`;
}

function change(
  method: Form["method"],
  collection: Collection,
  key: string,
  expected: Expected,
  body?: object,
): Form {
  const match = expected === null ? {} : { "if-match": expected.map((one) => `"${one}"`).join() };
  const path = pathOf(collection, key);
  return { method, path, headers: match, ...(body === undefined ? {} : { body }) };
}
