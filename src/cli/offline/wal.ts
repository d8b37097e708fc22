// `raft3d wal dump` and `raft3d wal verify`: what stands in a node's log, and whether it can be
// believed.
//
// Both read and judge as the node does at a start, change nothing, and need no lock. Of a node that
// runs they may see a write half done: that looks torn, which is no damage. Exit code 1 means
// damage.

import { unreachable } from "../../base/assert.ts";
import { WAL_FOLDER } from "../../storage/names.ts";
import { type DumpLine, type DumpedEntry, dumpLog } from "../../storage/wal/dump.ts";
import { type LogReport, verifyLog } from "../../storage/wal/verify.ts";
import { prettyJson } from "../json.ts";
import type { OptionsOf } from "../options/table.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { grouped, plural, printable, shorten } from "../text.ts";
import { openDataFolder, remarks } from "./folder.ts";

/** raftpb.EntryType. */
const ENTRY_TYPES: readonly string[] = ["", "conf-change ", "conf-change-v2 "];

export async function dumpWal(session: Session, options: OptionsOf<"wal dump">): Promise<number> {
  const disk = await openDataFolder(options.data, WAL_FOLDER);
  const { terminal } = session;
  let isWhole = false;
  for await (const line of dumpLog(disk, remarks(session))) {
    const kept = after(line, options.after);
    if (kept === null) continue;
    terminal.out(options.json ? `${JSON.stringify(kept)}\n` : humanLine(session, kept));
    isWhole = kept.kind === "end";
  }
  return isWhole ? 0 : 1;
}

/** The line with only the entries behind `index`; null for a batch in which nothing is left. */
function after(line: DumpLine, index: number): DumpLine | null {
  if (line.kind !== "batch" || index === 0) return line;
  const entries = line.entries.filter((entry) => entry.index > index);
  return entries.length === 0 ? null : { ...line, entries };
}

function humanLine(session: Session, line: DumpLine): string {
  const { terminal } = session;
  switch (line.kind) {
    case "synced": {
      const { batch, offset, segment } = line.point;
      return `${line.file}: synced up to batch ${batch}, segment ${segment}, byte ${offset}\n`;
    }
    case "segment": {
      const { clusterId, firstBatch, nodeId, segmentBytes } = line.header;
      const facts = `cluster ${clusterId}, node ${nodeId}, ${grouped(segmentBytes)} bytes`;
      const title = `${line.file}: from batch ${firstBatch}, ${facts}`;
      return `${paint(terminal, "bold", printable(title))}\n`;
    }
    case "batch": {
      const { commit, term, vote } = line.hardState;
      const head = `@${line.offset} batch ${line.number}, ${grouped(line.payloadBytes)} bytes`;
      const lines = [`${head}: term ${term}, vote ${vote === 0 ? "none" : vote}, commit ${commit}`];
      for (const { carried, mark } of line.marks) {
        const voters = mark.confState.voters.join(",");
        const kind = carried ? `${mark.kind}, repeated` : mark.kind;
        const what = `snapshot ${mark.index}, term ${mark.term}, voters ${voters} (${kind})`;
        lines.push(`  ${paint(terminal, "cyan", what)}`);
      }
      for (const entry of line.entries) lines.push(`  ${entryLine(session, entry)}`);
      return `${lines.join("\n")}\n`;
    }
    case "end": {
      const torn = "a write was cut short here, the next start removes it";
      return `${line.file}, byte ${line.offset}: ${line.isTorn ? torn : "the end of the log"}\n`;
    }
    case "corruption": {
      const text = `${line.file}, byte ${line.offset}: ${line.what}`;
      return `${paint(terminal, "red", printable(text))}\n`;
    }
    default:
      return unreachable(line);
  }
}

function entryLine(session: Session, entry: DumpedEntry): string {
  const head = `${entry.index}/${entry.term} ${ENTRY_TYPES[entry.type] ?? `type ${entry.type} `}`;
  if (entry.dataBytes === 0) return `${head}(empty)`;
  const content = entry.json ?? `(${plural(entry.dataBytes, "byte")})`;
  return shorten(printable(head + content), session.terminal.columns - 2);
}

export async function verifyWal(
  session: Session,
  options: OptionsOf<"wal verify">,
): Promise<number> {
  const disk = await openDataFolder(options.data, WAL_FOLDER);
  const report = await verifyLog(disk, remarks(session));
  if (options.json) session.terminal.out(prettyJson(reportJson(report)));
  else session.terminal.out(reportText(session, report));
  return report.corruption === null ? 0 : 1;
}

function reportJson(report: LogReport): unknown {
  const { corruption } = report;
  const found =
    corruption === null
      ? null
      : { file: corruption.file, offset: corruption.offset, what: corruption.what };
  return { ok: corruption === null, ...report, corruption: found };
}

function reportText(session: Session, report: LogReport): string {
  const { terminal } = session;
  const { batches, corruption, firstIndex, hardState, lastIndex, marks, segments, torn } = report;
  const lines = [`${plural(segments, "segment")}, ${plural(batches, "batch", "batches")}`];
  lines.push(
    firstIndex === null ? "No entries" : `Entries from index ${firstIndex} to ${lastIndex}`,
  );
  if (hardState !== null) lines.push(`Term ${hardState.term}, commit index ${hardState.commit}`);
  if (marks.length > 0) lines.push(`Snapshots at ${marks.map((mark) => mark.index).join(", ")}`);
  if (torn !== null) {
    const place = `${torn.file}, byte ${torn.offset}`;
    lines.push(`${place}: a write was cut short, and the next start removes it. Nothing is lost.`);
  }
  if (corruption === null) lines.push(`${paint(terminal, "green", "✔")} The log is good.`);
  else lines.push(`${paint(terminal, "red", "✘")} ${printable(corruption.message)}`);
  return `${lines.join("\n")}\n`;
}
