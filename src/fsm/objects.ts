// The objects of a print farm, as the replicated state holds them. Field names are the API's, so
// that a row turns into an answer without renaming; rows are never changed, only replaced.
//
// Every row is built by the functions of rows.ts, which fix the order of the fields: the text of a
// row is saved in snapshots, and two nodes must write the same text.

/** As given by the client; `1` and `"1"` name the same object (see `idKey`). */
export type Id = string | number;

export const MATERIALS = ["PLA", "PETG", "ABS", "TPU"] as const;
export type Material = (typeof MATERIALS)[number];

export const JOB_STATUSES = ["Queued", "Running", "Done", "Canceled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** What every object carries besides its own fields. */
export interface Stamped {
  /** Log index of the entry that created the object: unique, and the order of lists. */
  readonly created_index: number;
  /** Log index of the last change; the entity tag. */
  readonly version: number;
  /** Milliseconds since 1970 UTC, as stamped by the node that proposed the command. */
  readonly created_ms: number;
  readonly updated_ms: number;
}

export interface Printer extends Stamped {
  readonly id: Id;
  readonly company: string;
  readonly model: string;
}

export interface Filament extends Stamped {
  readonly id: Id;
  readonly type: Material;
  readonly color: string;
  /** Grams, 1 to 2^53 − 1. */
  readonly total_weight_in_grams: number;
  /** Grams, 0 to total. Falls only when a job is Done or by PATCH. */
  readonly remaining_weight_in_grams: number;
  /** Grams taken by Queued and Running jobs: always their sum, never above remaining. */
  readonly reserved_weight_in_grams: number;
}

export interface PrintJob extends Stamped {
  readonly id: Id;
  /** In the form in which the printer was created, whatever form the job's creator used. */
  readonly printer_id: Id;
  readonly filament_id: Id;
  readonly filepath: string;
  /** Grams, 1 to 2^53 − 1. */
  readonly print_weight_in_grams: number;
  readonly status: JobStatus;
}

export type FarmObject = Printer | Filament | PrintJob;

/** The key under which an id is found: the same for `1` and `"1"`. */
export function idKey(id: Id): string {
  return String(id);
}
