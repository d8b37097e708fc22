// What a client of the simulated cluster asks for next: mostly jobs and their progress, now and then new
// printers and spools, changes of these and their removal. Some clients choose ids of their own, and some
// say which version of an object they have seen.

import type { Command, Expected } from "../fsm/command.ts";
import { type Id, type JobStatus, MATERIALS } from "../fsm/objects.ts";
import type { Collection, Get, List } from "./history.ts";
import type { Known, Sight } from "./known.ts";
import type { SimRandom } from "./sim-random.ts";
import type { Mix } from "./swarm.ts";

const OWN_ID_SHARE = 0.2;
const EXPECTED_SHARE = 0.2;
/** Of references that are written in the other form: 1 and "1" name the same object. */
const OTHER_FORM_SHARE = 0.1;

export class Errands {
  readonly #random: SimRandom;
  readonly #known: Known;

  readonly #mix: Mix;

  constructor(random: SimRandom, known: Known, mix: Mix) {
    this.#random = random;
    this.#known = known;
    this.#mix = mix;
  }

  draw(marker: string): Command {
    const random = this.#random;
    const mix = this.#mix;
    const [printers, spools] = [this.#known.of("printers"), this.#known.of("filaments")];
    if (printers.length === 0 || spools.length === 0 || random.chance(mix.creations)) {
      return this.#create(marker);
    }
    if (random.chance(mix.changes)) return this.#update(marker);
    if (random.chance(mix.removals)) return this.#delete();
    const jobs = this.#known.of("print_jobs");
    if (jobs.length > 0 && random.chance(mix.progress)) {
      const to: JobStatus = random.pick(["Running", "Running", "Done", "Canceled"]);
      return { kind: "change-job-status", ...this.#which(this.#recent(jobs)), to };
    }
    return {
      kind: "create-job",
      id: this.#id("print_jobs", marker),
      printer_id: this.#inSomeForm(random.pick(printers).id),
      filament_id: this.#inSomeForm(random.pick(spools).id),
      filepath: marker,
      print_weight_in_grams: random.between(1, 120),
    };
  }

  #create(marker: string): Command {
    const random = this.#random;
    if (random.chance(0.5)) {
      const id = this.#id("printers", marker);
      return { kind: "create-printer", id, company: marker, model: "MK4" };
    }
    const total = random.between(1, 2000);
    return {
      kind: "create-filament",
      id: this.#id("filaments", marker),
      type: random.pick(MATERIALS),
      color: marker,
      total_weight_in_grams: total,
      remaining_weight_in_grams: total,
    };
  }

  /** Of fields that no check counts by. */
  #update(marker: string): Command {
    const random = this.#random;
    if (random.chance(0.5)) {
      const printer = random.pick(this.#known.of("printers"));
      return { kind: "update-printer", ...this.#which(printer), changes: { model: marker } };
    }
    const spool = random.pick(this.#known.of("filaments"));
    const changes = { type: random.pick(MATERIALS) };
    return { kind: "update-filament", ...this.#which(spool), changes };
  }

  #delete(): Command {
    const kind = this.#random.pick(["printer", "filament"] as const);
    return {
      kind: `delete-${kind}`,
      ...this.#which(this.#random.pick(this.#known.of(`${kind}s`))),
    };
  }

  drawRead(): Get | List {
    const random = this.#random;
    const spools = this.#known.of("filaments");
    if (random.chance(0.15)) {
      if (spools.length > 0 && random.chance(0.5)) {
        const filament_id = this.#inSomeForm(random.pick(spools).id);
        return { kind: "list", collection: "print_jobs", filament_id };
      }
      return { kind: "list", collection: random.pick(["printers", "filaments"]) };
    }
    const collection = random.pick(["printers", "filaments", "print_jobs", "print_jobs"] as const);
    const known = this.#known.of(collection);
    return {
      kind: "get",
      collection,
      key: known.length === 0 ? "1" : String(this.#recent(known).id),
    };
  }

  /** Mostly one of the last: that is where clients meet. */
  #recent(known: readonly Sight[]): Sight {
    return this.#random.pick(this.#random.chance(0.7) ? known.slice(-6) : known);
  }

  /**
   * Mostly the cluster's choice. Else a name that nobody else has, one that is or was taken, or a number that
   * the cluster will come by.
   */
  #id(collection: Collection, marker: string): Id | null {
    const random = this.#random;
    if (!random.chance(OWN_ID_SHARE)) return null;
    const known = this.#known.of(collection);
    if (known.length > 0 && random.chance(0.25)) return this.#inSomeForm(random.pick(known).id);
    return random.chance(0.3) ? known.length + random.between(1, 5) : `own-${marker}`;
  }

  #inSomeForm(id: Id): Id {
    if (!this.#random.chance(OTHER_FORM_SHARE)) return id;
    if (typeof id === "number") return String(id);
    return /^[1-9]\d*$/.test(id) ? Number(id) : id;
  }

  /** An object, and perhaps the version it must have: the newest that was seen, or an old one, or either. */
  #which({ id, versions }: Sight): { readonly key: string; readonly expected: Expected } {
    const random = this.#random;
    const key = String(id);
    if (!random.chance(EXPECTED_SHARE)) return { key, expected: null };
    const newest = Math.max(...versions);
    if (random.chance(0.6)) return { key, expected: [newest] };
    const other = random.pick(versions);
    const isEither = other !== newest && random.chance(0.4);
    return { key, expected: isEither ? [other, newest] : [other] };
  }
}
