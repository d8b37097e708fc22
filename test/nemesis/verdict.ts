// What must hold when the faults are over: the cluster comes back, all nodes hold the same, the history of
// events gives it, the sums are right, and nothing that was acknowledged is missing or there twice.

import type { JobStatus } from "../../src/fsm/objects.ts";
import { eventLines } from "../system/client.ts";
import { raft3d } from "../system/command.ts";
import { type ClusterStatus, type ServerProcess, until } from "../system/process-cluster.ts";
import type { Fleet } from "./fleet.ts";
import type { Kept, Shop } from "./shop.ts";

export interface Farm {
  readonly printers: readonly { readonly id: string | number; readonly company: string }[];
  readonly filaments: readonly Spool[];
  readonly print_jobs: readonly Job[];
}

interface Spool {
  readonly id: string | number;
  readonly color: string;
  readonly total_weight_in_grams: number;
  readonly remaining_weight_in_grams: number;
  readonly reserved_weight_in_grams: number;
}

interface Job {
  readonly id: string | number;
  readonly filament_id: string | number;
  readonly filepath: string;
  readonly print_weight_in_grams: number;
  readonly status: JobStatus;
}

/** Everything that is wrong with the cluster of a round, in sentences. Its clients have stopped. */
export async function judgeCluster(fleet: Fleet, shop: Shop): Promise<readonly string[]> {
  const wrong: string[] = [];
  const settled = await fleet.cluster.settled();
  const farms: string[] = [];
  const histories: string[] = [];
  for (const server of fleet.servers) {
    await fleet.waitReady(server.id);
    const farm = await farmAt(server);
    farms.push(JSON.stringify(farm));
    const found = [...wrongSums(farm), ...wrongObjects(farm, shop)];
    wrong.push(...found.map((what) => `node ${server.id}: ${what}`));
    histories.push((await wholeHistory(server, settled)).join("\n"));
    wrong.push(...(await wrongOnDisk(server)));
  }
  if (new Set(farms).size !== 1) wrong.push("the nodes show different farms");
  if (new Set(histories).size !== 1) wrong.push("the nodes show different events");
  const after = await fleet.cluster.settled();
  if (after.state_hash !== settled.state_hash) wrong.push("the state has changed without a write");
  return wrong;
}

async function farmAt(server: ServerProcess): Promise<Farm> {
  const list = async <T>(collection: string): Promise<T> => {
    const answer = await server.get(`/api/v1/${collection}?consistency=stale`);
    if (answer.status !== 200) throw new Error(`node ${server.id}: ${answer.status}`);
    return answer.body as T;
  };
  return {
    printers: await list("printers"),
    filaments: await list("filaments"),
    print_jobs: await list("print_jobs"),
  };
}

/** Weight is conserved: what a spool lacks was printed, and what is reserved is asked for. */
export function wrongSums({ filaments, print_jobs: jobs }: Farm): readonly string[] {
  return filaments.flatMap((spool) => {
    const own = jobs.filter((job) => String(job.filament_id) === String(spool.id));
    // A deleted spool's id may be taken again: jobs of the old one are over and stay.
    const sum = (...statuses: readonly JobStatus[]): number =>
      own
        .filter(({ status }) => statuses.includes(status))
        .reduce((grams, job) => grams + job.print_weight_in_grams, 0);
    const {
      id,
      remaining_weight_in_grams: remaining,
      reserved_weight_in_grams: reserved,
      total_weight_in_grams: total,
    } = spool;
    const asked = sum("Queued", "Running");
    const printed = sum("Done");
    return [
      ...(reserved === asked ? [] : [`spool ${id} reserves ${reserved} g, its jobs ask ${asked}`]),
      ...(total === remaining + printed
        ? []
        : [`spool ${id}: ${total} g at first, ${remaining} left, ${printed} printed`]),
      ...(reserved <= remaining ? [] : [`spool ${id} reserves more than it has`]),
    ];
  });
}

interface Told {
  readonly kept: readonly Kept[];
  readonly deleted: ReadonlySet<string>;
}

/** What was acknowledged is there, unless somebody asked to delete it; nothing is there twice. */
export function wrongObjects(farm: Farm, { deleted, kept }: Told): readonly string[] {
  const markers = {
    printers: farm.printers.map(({ company, id }) => [String(id), company] as const),
    filaments: farm.filaments.map(({ color, id }) => [String(id), color] as const),
    print_jobs: farm.print_jobs.map(
      ({ filepath, id }) => [String(id), filepath.replace(/\.+$/, "")] as const,
    ),
  };
  const lost = kept.filter(({ collection, id, marker }: Kept) => {
    if (deleted.has(`${collection}/${id}`)) return false;
    return !markers[collection].some(([at, by]) => at === String(id) && by === marker);
  });
  const doubled = Object.entries(markers).flatMap(([collection, all]) => {
    const seen = new Set<string>();
    return all.flatMap(([, marker]) => {
      if (seen.has(marker)) return [`${collection}: ${marker} is there twice`];
      seen.add(marker);
      return [];
    });
  });
  return [
    ...lost.map(({ collection, id }) => `${collection}/${id} was acknowledged and is lost`),
    ...doubled,
  ];
}

/** A node that was away fetches what it lacks of the history from the others, which takes a moment. */
async function wholeHistory(
  server: ServerProcess,
  { applied_index: applied }: ClusterStatus,
): Promise<readonly string[]> {
  let lines: readonly string[] | null = null;
  await until(`node ${server.id} has every event up to ${applied}`, async () => {
    lines = await eventLines(server);
    return lines !== null;
  });
  return lines ?? [];
}

async function wrongOnDisk(server: ServerProcess): Promise<readonly string[]> {
  const wrong: string[] = [];
  const commands = [
    ["events", "replay", "--data", server.data],
    ["events", "replay", "--endpoint", `http://${server.http}`],
    ["wal", "verify", "--data", server.data],
  ];
  for (const command of commands) {
    const { code, stderr, stdout } = await raft3d(...command);
    if (code !== 0) wrong.push(`raft3d ${command.join(" ")}: ${code}: ${stdout}${stderr}`);
  }
  return wrong;
}
