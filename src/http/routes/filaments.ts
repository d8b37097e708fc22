// /api/v1/filaments

import type { Filament } from "../../fsm/objects.ts";
import { createFilament, updateFilament } from "../commands.ts";
import { filamentChanges, newFilament } from "../forms.ts";
import type { Route } from "../route.ts";
import { filament } from "../schemas.ts";
import type { Collection } from "./collection.ts";
import { createRoute, deleteRoute, listRoute, readRoute, updateRoute } from "./collection.ts";

const FILAMENTS: Collection<Filament> = {
  kind: "filament",
  path: "/api/v1/filaments",
  noun: "filament",
  nouns: "filaments",
  name: "Filament",
  names: "Filaments",
  tag: "Filaments",
  schema: filament,
  table: (farm) => farm.filaments,
};

export const filamentRoutes: readonly Route[] = [
  createRoute(FILAMENTS, newFilament, [], createFilament),
  listRoute(FILAMENTS),
  readRoute(FILAMENTS),
  updateRoute(FILAMENTS, filamentChanges, ["weight_conflict"], updateFilament),
  deleteRoute(FILAMENTS, (key, expected) => ({ kind: "delete-filament", key, expected })),
];
