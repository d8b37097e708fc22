// What clients of the simulated cluster have been told: which objects exist, or did, and in which versions
// they were seen. Shared by all clients, so that they meet.

import type { FarmObject, Id } from "../fsm/objects.ts";
import type { Collection } from "./history.ts";

export interface Sight {
  readonly id: Id;
  /** As answers came in: never empty, and an answer may have been overtaken. */
  readonly versions: number[];
}

/** Versions of one object that are remembered. */
const VERSIONS_MAX = 4;

export class Known {
  readonly #objects: Readonly<Record<Collection, Map<string, Sight>>> = {
    printers: new Map(),
    filaments: new Map(),
    print_jobs: new Map(),
  };

  /** In the order in which they became known. */
  of(collection: Collection): readonly Sight[] {
    return [...this.#objects[collection].values()];
  }

  learn(object: FarmObject): void {
    const { id, version } = object;
    const objects = this.#objects[collectionOf(object)];
    const known = objects.get(String(id));
    if (known === undefined) return void objects.set(String(id), { id, versions: [version] });
    if (known.versions.includes(version)) return;
    known.versions.push(version);
    if (known.versions.length > VERSIONS_MAX) known.versions.shift();
  }
}

function collectionOf(object: FarmObject): Collection {
  if ("status" in object) return "print_jobs";
  return "color" in object ? "filaments" : "printers";
}
