// /api/v1/printers

import type { Printer } from "../../fsm/objects.ts";
import { createPrinter, updatePrinter } from "../commands.ts";
import { newPrinter, printerChanges } from "../forms.ts";
import type { Route } from "../route.ts";
import { printer } from "../schemas.ts";
import type { Collection } from "./collection.ts";
import { createRoute, deleteRoute, listRoute, readRoute, updateRoute } from "./collection.ts";

const PRINTERS: Collection<Printer> = {
  kind: "printer",
  path: "/api/v1/printers",
  noun: "printer",
  nouns: "printers",
  name: "Printer",
  names: "Printers",
  tag: "Printers",
  schema: printer,
  table: (farm) => farm.printers,
};

export const printerRoutes: readonly Route[] = [
  createRoute(PRINTERS, newPrinter, [], createPrinter),
  listRoute(PRINTERS),
  readRoute(PRINTERS),
  updateRoute(PRINTERS, printerChanges, [], updatePrinter),
  deleteRoute(PRINTERS, (key, expected) => ({ kind: "delete-printer", key, expected })),
];
