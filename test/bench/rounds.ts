// What a round of the benchmark does: every system, each started fresh and stopped before the next, under every
// load.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "../../src/base/assert.ts";
import { whole } from "./markdown.ts";
import { syncsPerSecond } from "./disk.ts";
import { type AskedRate, driveAtRate, isShare } from "./fixed-rate.ts";
import { rested } from "./processes.ts";
import { type Operation, type RateSample, type Sample, perSecond } from "./samples.ts";
import { type Kind, type System, type Through, freshFolder } from "./systems.ts";
import { type Load, drive } from "./wrk.ts";

/**
 * The first load on a process. V8 goes on optimising for some 15 to 20 seconds of it, and a system that is
 * measured earlier is measured while it compiles itself. The same for every system, whether it needs it or not.
 */
export const FIRST_WARM_UP_SECONDS = 15;
/**
 * Before a load of another kind: reads meet cold code after the longest warm-up of creates, and so does a node that
 * was not asked by clients before.
 */
const OTHER_WARM_UP_SECONDS = 8;
/** Before each measurement, behind the rest: connections, and code that this number of connections makes hot. */
export const WARM_UP_SECONDS = 4;
const SYNC_SECONDS = 2;
/** Of the first warm-up, of reads, and of the closed loops that fixed rates are shares of. */
export const USUAL_CONNECTIONS = 64;

export interface Plan {
  /** Of closed loops of creates. */
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly rates: readonly AskedRate[];
}

export class Rounds {
  readonly samples: Sample[] = [];
  readonly rateSamples: RateSample[] = [];
  /** Of the disk alone, each second, by round. */
  readonly syncs: number[] = [];
  readonly #folder: string;
  readonly #plan: Plan;
  readonly #say: (line: string) => void;
  #round = 0;

  constructor(folder: string, plan: Plan, say: (line: string) => void) {
    this.#folder = folder;
    this.#plan = plan;
    this.#say = say;
  }

  async one(kinds: readonly Kind[]): Promise<void> {
    this.#round += 1;
    this.syncs.push(syncsPerSecond(this.#folder, SYNC_SECONDS));
    for (const kind of kinds) await this.#with(kind, (system) => this.#closedLoops(kind, system));
    if (this.#plan.rates.length === 0) return;
    for (const kind of kinds.filter(({ isStore }) => isStore)) {
      await this.#with(kind, (system) => this.#fixedRates(system, kinds));
    }
  }

  async #with(kind: Kind, measure: (system: System) => Promise<void>): Promise<void> {
    const folder = freshFolder(join(this.#folder, kind.name.replaceAll(/\W/g, "-")));
    const system = await kind.start(folder);
    try {
      const leader = system.addresses("leader");
      await drive(leader, system.create, USUAL_CONNECTIONS, FIRST_WARM_UP_SECONDS);
      await measure(system);
      if (!(await system.isLedAsAtStart())) {
        throw new Error(`${system.name} has another leader than at the start: run it again`);
      }
    } finally {
      await system.stop();
      rmSync(folder, { recursive: true });
    }
  }

  async #closedLoops(kind: Kind, system: System): Promise<void> {
    const others = kind.ways.filter((through) => through !== "leader");
    for (const through of others) await warmUp(system, system.create, through);
    // The ways right after each other: what they are compared by should be the way, and not the minute.
    for (const connections of this.#plan.connections) {
      for (const through of kind.ways) {
        if (connections < system.addresses(through).length) continue;
        await this.#closedLoop(system, "create", system.create, through, connections);
      }
    }
    const get = await system.get();
    for (const through of kind.ways) await warmUp(system, get, through);
    for (const through of kind.ways) {
      await this.#closedLoop(system, "get", get, through, USUAL_CONNECTIONS);
    }
  }

  async #closedLoop(
    system: System,
    operation: Operation,
    load: Load,
    through: Through,
    connections: number,
  ): Promise<void> {
    const addresses = system.addresses(through);
    await this.#rest(system);
    await drive(addresses, load, connections, WARM_UP_SECONDS);
    const cpuSince = cpuOf(system);
    const syncsBefore = await system.syncs();
    const closed = await drive(addresses, load, connections, this.#plan.seconds);
    const cpu = cpuSince(closed.requests);
    const syncs = await system.syncs();
    this.samples.push({
      system: system.name,
      round: this.#round,
      operation,
      through,
      connections,
      closed,
      cpu,
      syncsPerRequest:
        syncs === null || syncsBefore === null ? null : (syncs - syncsBefore) / closed.requests,
      residentMib: system.servers.map((server) => server.residentMib()),
    });
    const what = `${system.name}, ${operation}, ${connections} connections, ${through}`;
    this.#say(`  ${what}: ${whole(perSecond(closed))}/s`);
    if (closed.failed + closed.broken > 0) {
      throw new Error(`${closed.failed} answers were no success, ${closed.broken} did not come`);
    }
  }

  async #rest(system: System): Promise<void> {
    if (await rested(system.servers)) return;
    this.#say(`  ${system.name} did not come to rest: what comes next may hold what was before`);
  }

  async #fixedRates(system: System, kinds: readonly Kind[]): Promise<void> {
    const address = must(system.addresses("leader")[0], "a leader");
    for (const asked of this.#plan.rates) {
      await this.#rest(system);
      const rate = isShare(asked) ? asked.share * this.#slowest(kinds) : asked.perSecond;
      const cpuSince = cpuOf(system);
      const report = await driveAtRate(address, system.create, rate, this.#plan.seconds);
      const { open } = report;
      // The processor time is that of the generator's own warm-up too, and so must be the requests.
      const cpu = cpuSince(report.sent);
      const { name } = system;
      this.rateSamples.push({ system: name, round: this.#round, rate: asked.name, report, cpu });
      const p99 = `p99 ${(open.p99 / 1000).toFixed(1)} ms`;
      this.#say(`  ${name}, create, ${whole(rate)}/s asked: ${whole(perSecond(open))}/s, ${p99}`);
    }
  }

  /** What the slowest store of this round made in a closed loop: a rate that all of them can keep. */
  #slowest(kinds: readonly Kind[]): number {
    const stores = kinds.filter(({ isStore }) => isStore).map(({ name }) => name);
    const rates = this.samples.filter(
      ({ connections, operation, round, system, through }) =>
        round === this.#round &&
        stores.includes(system) &&
        operation === "create" &&
        through === "leader" &&
        connections === USUAL_CONNECTIONS,
    );
    return Math.min(...rates.map(({ closed }) => perSecond(closed)));
  }
}

/** Before a load of another kind. */
async function warmUp(system: System, load: Load, through: Through): Promise<void> {
  await drive(system.addresses(through), load, USUAL_CONNECTIONS, OTHER_WARM_UP_SECONDS);
}

/** From now on, for each 1,000 requests, by process. */
function cpuOf({ servers }: System): (requests: number) => readonly number[] {
  const before = servers.map((server) => server.cpuSeconds());
  return (requests) =>
    servers.map((server, at) => (server.cpuSeconds() - (before[at] ?? 0)) / (requests / 1000));
}
