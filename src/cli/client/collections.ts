// The three collections of the farm as the command line knows them: where they are, and what a
// table of them shows. Field names are the API's.

import type { Column } from "../table.ts";

interface FieldColumn extends Column {
  readonly field: string;
}

export interface Collection {
  readonly noun: string;
  readonly path: string;
  readonly columns: readonly FieldColumn[];
}

const ID: FieldColumn = { title: "ID", field: "id" };
const VERSION: FieldColumn = { title: "VERSION", field: "version", isNumber: true };

function grams(title: string, field: string): FieldColumn {
  return { title, field: `${field}_weight_in_grams`, isNumber: true };
}

export const PRINTERS: Collection = {
  noun: "printer",
  path: "/api/v1/printers",
  columns: [
    ID,
    { title: "COMPANY", field: "company" },
    { title: "MODEL", field: "model" },
    VERSION,
  ],
};

export const FILAMENTS: Collection = {
  noun: "filament",
  path: "/api/v1/filaments",
  columns: [
    ID,
    { title: "TYPE", field: "type" },
    { title: "COLOR", field: "color" },
    grams("TOTAL g", "total"),
    grams("LEFT g", "remaining"),
    grams("RESERVED g", "reserved"),
    grams("FREE g", "available"),
    VERSION,
  ],
};

export const JOBS: Collection = {
  noun: "print job",
  path: "/api/v1/print_jobs",
  columns: [
    ID,
    { title: "STATUS", field: "status" },
    { title: "PRINTER", field: "printer_id" },
    { title: "FILAMENT", field: "filament_id" },
    grams("WEIGHT g", "print"),
    { title: "FILE", field: "filepath" },
    VERSION,
  ],
};
