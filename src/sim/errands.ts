// What a client of the simulated cluster asks for next: mostly jobs and their progress, now and then new
// printers and spools, changes of these and their removal.

import type { Command } from "../fsm/command.ts";
import { type Id, type JobStatus, MATERIALS } from "../fsm/objects.ts";
import type { Get, List } from "./history.ts";
import type { SimRandom } from "./sim-random.ts";

/** What clients have been told exists. */
export interface Known {
  readonly printers: Id[];
  readonly spools: Id[];
  readonly jobs: Id[];
  /** What somebody asked to delete: "printer 3". */
  readonly deleted: Set<string>;
}

export class Errands {
  readonly #random: SimRandom;
  readonly #known: Known;

  constructor(random: SimRandom, known: Known) {
    this.#random = random;
    this.#known = known;
  }

  draw(marker: string): Command {
    const random = this.#random;
    const { jobs, printers, spools } = this.#known;
    if (printers.length === 0 || spools.length === 0 || random.chance(0.08)) {
      return this.#create(marker);
    }
    if (random.chance(0.05)) return this.#update(marker);
    if (random.chance(0.03)) return this.#delete();
    if (jobs.length > 0 && random.chance(0.45)) {
      const to: JobStatus = random.pick(["Running", "Running", "Done", "Canceled"]);
      return { kind: "change-job-status", key: this.#recent(jobs), expected: null, to };
    }
    return {
      kind: "create-job",
      id: null,
      printer_id: random.pick(printers),
      filament_id: random.pick(spools),
      filepath: marker,
      print_weight_in_grams: random.between(1, 120),
    };
  }

  #create(marker: string): Command {
    const random = this.#random;
    if (random.chance(0.5)) {
      return { kind: "create-printer", id: null, company: marker, model: "MK4" };
    }
    const total = random.between(1, 2000);
    return {
      kind: "create-filament",
      id: null,
      type: random.pick(MATERIALS),
      color: marker,
      total_weight_in_grams: total,
      remaining_weight_in_grams: total,
    };
  }

  /** Of fields that no check counts by. */
  #update(marker: string): Command {
    const random = this.#random;
    const { printers, spools } = this.#known;
    if (random.chance(0.5)) {
      const key = String(random.pick(printers));
      return { kind: "update-printer", key, expected: null, changes: { model: marker } };
    }
    const key = String(random.pick(spools));
    const changes = { type: random.pick(MATERIALS) };
    // A version that is long gone, now and then: it must be refused.
    const expected = random.chance(0.2) ? [1] : null;
    return { kind: "update-filament", key, expected, changes };
  }

  #delete(): Command {
    const { deleted, printers, spools } = this.#known;
    const kind = this.#random.pick(["printer", "filament"] as const);
    const id = this.#random.pick(kind === "printer" ? printers : spools);
    deleted.add(`${kind} ${id}`);
    return { kind: `delete-${kind}`, key: String(id), expected: null };
  }

  drawRead(): Get | List {
    const random = this.#random;
    const { jobs, printers, spools } = this.#known;
    if (random.chance(0.15)) {
      const filament = spools.length > 0 && random.chance(0.5) ? random.pick(spools) : null;
      if (filament !== null) {
        return { kind: "list", collection: "print_jobs", filament_id: filament };
      }
      return { kind: "list", collection: random.pick(["printers", "filaments"]) };
    }
    const [collection, ids] = random.pick([
      ["printers", printers],
      ["filaments", spools],
      ["print_jobs", jobs],
      ["print_jobs", jobs],
    ] as const);
    return { kind: "get", collection, key: ids.length === 0 ? "1" : this.#recent(ids) };
  }

  /** Mostly one of the last: that is where clients meet. */
  #recent(ids: readonly Id[]): string {
    const last = ids.slice(-6);
    return String(this.#random.pick(this.#random.chance(0.7) ? last : ids));
  }
}
