// `raft3d events replay`: the history of a data folder, or of a running cluster, folded and
// compared.
//
// A folder is read as it lies there, checksums and all, without its lock: the node may run. A
// cluster is read through its API like anybody else would, and then the state that it serves is
// compared as well, at the index at which it said what its state is. A part of the history that is
// not there is a difference, too: what cannot be folded has not been proved.

import { nodeDisk } from "../../env/node/disk.ts";
import { absolutePath } from "../../env/node/process.ts";
import { walkEvents } from "../../storage/events/walk.ts";
import { type ClusterView, askCluster } from "../client/cluster.ts";
import { type Consistency, readEvents } from "../client/event-pages.ts";
import { Failure } from "../failure.ts";
import { prettyJson } from "../json.ts";
import type { OptionsOf } from "../options/table.ts";
import { type Session, clientFor } from "../session.ts";
import { paint } from "../style.ts";
import { renderTable } from "../table.ts";
import { grouped, plural } from "../text.ts";
import { type Difference, Replay } from "./replay.ts";

const ENDPOINT = "http://127.0.0.1:8001";
const TIMEOUT_SECONDS = 15;

/** What the replay came to, beside the replay itself. */
interface Verdict {
  readonly difference: Difference | null;
  /** Sentences about what was compared and what could not be. */
  readonly notes: readonly string[];
}

export async function replay(
  session: Session,
  options: OptionsOf<"events replay">,
): Promise<number> {
  const folded = new Replay();
  const { data, endpoint } = options;
  const verdict =
    data === null
      ? await fromCluster(session, endpoint ?? [ENDPOINT], options.consistency, folded)
      : await fromFolder(data, folded);
  if (options.json) showJson(session, folded, verdict);
  else show(session, folded, verdict);
  return verdict.difference === null ? 0 : 1;
}

async function fromFolder(data: string, folded: Replay): Promise<Verdict> {
  const disk = nodeDisk(absolutePath(data));
  if ((await disk.stat("events")) === null) {
    throw new Failure(`${disk.root} holds no events. Is --data a node's data folder (…/node-1)?`);
  }
  const notes: string[] = [];
  for await (const found of walkEvents(disk)) {
    switch (found.kind) {
      case "event": {
        const difference = folded.push(found.line);
        if (difference !== null) return { difference, notes };
        break;
      }
      case "gap":
      case "gone": {
        const why = found.kind === "gap" ? "are missing here" : "are no longer kept";
        const what = `the events from index ${found.from} to ${found.to} ${why}, so the fold cannot go on`;
        const advice = "Replay another node's folder: every node keeps the whole history.";
        return { difference: { index: found.from, what }, notes: [...notes, advice] };
      }
      case "damage": {
        const place = `${disk.root}/${found.file}, byte ${found.offset}: ${found.what}`;
        if (!found.isTail) {
          const advice =
            "Start the node: it restores its history from its log and its peers. Or replay another node's folder.";
          return {
            difference: { index: folded.index + 1, what: place },
            notes: [...notes, advice],
          };
        }
        notes.push(`${place}. It is the end of what is being written, and was left out.`);
        break;
      }
    }
  }
  return { difference: null, notes };
}

async function fromCluster(
  session: Session,
  endpoint: readonly string[],
  consistency: Consistency,
  folded: Replay,
): Promise<Verdict> {
  const client = clientFor(session, { endpoint, timeout: TIMEOUT_SECONDS });
  // Asked first: the history that is read afterwards reaches at least to this index.
  const view = await askCluster(client);
  let isCompared = false; // the fold has come to the index at which the node told its hash
  for await (const page of readEvents(client, 0, consistency)) {
    for (const line of page.lines) {
      // The state at an index is that after the last event up to it.
      if (!isCompared && indexIn(line) > view.appliedIndex) {
        isCompared = true;
        const difference = compareState(view, folded);
        if (difference !== null) return { difference, notes: [] };
      }
      const difference = folded.push(line);
      if (difference !== null) return { difference, notes: [] };
    }
  }
  const difference = isCompared ? null : compareState(view, folded);
  const live =
    view.stateHash === null
      ? `Node ${view.nodeId} does not tell the hash of its state: only the events were compared.`
      : `Node ${view.nodeId} holds the same state at index ${view.appliedIndex}.`;
  return { difference, notes: difference === null ? [live] : [] };
}

function compareState(view: ClusterView, folded: Replay): Difference | null {
  if (view.stateHash === null || view.stateHash === folded.hash) return null;
  const what = `the fold gives ${folded.hash}, the state of node ${view.nodeId} is ${view.stateHash}`;
  return { index: view.appliedIndex, what };
}

function indexIn(line: string): number {
  const found = /^\{"index":(\d{1,16}),/.exec(line);
  return found === null ? 0 : Number(found[1]);
}

function show(session: Session, folded: Replay, { difference, notes }: Verdict): void {
  const { terminal } = session;
  const columns = [{ title: "EVENT" }, { title: "COUNT", isNumber: true }];
  const rows = [...folded.counts].map(([type, count]) => [type, grouped(count)]);
  if (rows.length > 0) terminal.out(`${renderTable(terminal, columns, rows)}\n`);
  const { farm } = folded;
  const objects = [
    plural(farm.printers.size, "printer"),
    plural(farm.filaments.size, "spool"),
    plural(farm.jobs.size, "print job"),
  ];
  const folding = `${plural(folded.events, "event")} up to index ${folded.index}`;
  const verb = folded.events === 1 ? "gives" : "give";
  terminal.out(`${folding} ${verb} ${objects.join(", ")}.\nHash of the state: ${folded.hash}\n`);
  for (const note of notes) terminal.out(`${note}\n`);
  if (difference === null) {
    terminal.out(`${paint(terminal, "green", "✔")} Every event gives the state that it names.\n`);
    return;
  }
  const mark = paint(terminal, "red", "✘");
  terminal.out(`${mark} At index ${difference.index}: ${difference.what}.\n`);
}

function showJson(session: Session, folded: Replay, { difference, notes }: Verdict): void {
  const { farm } = folded;
  session.terminal.out(
    prettyJson({
      ok: difference === null,
      events: folded.events,
      index: folded.index,
      hash: folded.hash,
      counts: Object.fromEntries(folded.counts),
      objects: {
        printers: farm.printers.size,
        filaments: farm.filaments.size,
        print_jobs: farm.jobs.size,
      },
      difference,
      notes,
    }),
  );
}
