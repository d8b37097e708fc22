// `raft3d snapshot inspect`: checks every byte of a snapshot, puts the state together that is in
// it, and says what that is. So a snapshot that passes is one that a node can start from. All of a
// folder are looked at even if one is bad: the others are what the node would fall back on.

import { toError } from "../../base/assert.ts";
import { rfc3339 } from "../../base/time.ts";
import { type Disk, DiskError, folderOf } from "../../env/disk.ts";
import { nodeDisk } from "../../env/node/disk.ts";
import { absolutePath } from "../../env/node/process.ts";
import { MachineLoader } from "../../fsm/snapshot.ts";
import { CorruptionError, UnknownFormatError } from "../../storage/errors.ts";
import { SNAPSHOT_FOLDER } from "../../storage/names.ts";
import { scanSnapshot } from "../../storage/snapshots/scan.ts";
import { Failure, USAGE } from "../failure.ts";
import { fieldText, prettyJson } from "../json.ts";
import type { OptionsOf } from "../options/table.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { grouped, printable } from "../text.ts";
import { openDataFolder } from "./folder.ts";

const SUFFIX = ".snap";

type Inspected = Readonly<Record<string, unknown>> & { readonly file: string };

export async function inspectSnapshots(
  session: Session,
  file: string | null,
  options: OptionsOf<"snapshot inspect">,
): Promise<number> {
  const { disk, paths } = await chosen(file, options.data);
  const results: Inspected[] = [];
  let areGood = true;
  for (const path of paths) {
    const { facts, problem } = await inspectOne(disk, path);
    areGood &&= problem === null;
    results.push({ file: `${disk.root}/${path}`, ok: problem === null, problem, ...facts });
  }
  if (options.json) session.terminal.out(prettyJson(results));
  else if (results.length === 0) session.terminal.out("There is no snapshot yet.\n");
  else for (const result of results) show(session, result);
  return areGood ? 0 : 1;
}

async function chosen(
  file: string | null,
  data: string | null,
): Promise<{ readonly disk: Disk; readonly paths: readonly string[] }> {
  if (file !== null) {
    const path = absolutePath(file);
    return { disk: nodeDisk(folderOf(path)), paths: [path.slice(folderOf(path).length + 1)] };
  }
  if (data === null)
    throw new Failure("Which snapshot? Name a FILE, or a data folder with --data.", USAGE);
  const disk = await openDataFolder(data, SNAPSHOT_FOLDER);
  const names = await disk.list(SNAPSHOT_FOLDER);
  const snapshots = names.filter((name) => name.endsWith(SUFFIX));
  return { disk, paths: snapshots.map((name) => `${SNAPSHOT_FOLDER}/${name}`) };
}

async function inspectOne(
  disk: Disk,
  path: string,
): Promise<{ readonly facts: Readonly<Record<string, unknown>>; readonly problem: string | null }> {
  const loader = new MachineLoader();
  try {
    const take = (block: Uint8Array): void => judged(() => loader.push(block));
    const content = await scanSnapshot(disk, path, () => take);
    const machine = judged(() => loader.finish());
    const { clusterId, confState, createdMs, index, term } = content.meta;
    const { farm } = machine;
    const facts = {
      cluster_id: clusterId,
      index,
      term,
      created_at: rfc3339(createdMs),
      voters: confState.voters,
      learners: confState.learners,
      bytes: content.bytes,
      blocks: content.blocks,
      sha256: content.sha256,
      printers: farm.printers.size,
      filaments: farm.filaments.size,
      print_jobs: farm.jobs.size,
      state_hash: farm.digest(),
      chain_hash: machine.hashes().chain,
    };
    return { facts, problem: null };
  } catch (error) {
    if (!isAboutTheFile(error)) throw error;
    return { facts: {}, problem: error.message };
  }
}

/** The bytes are as they were written, and what they say is no state. */
class ContentFault extends Error {
  override readonly name = "ContentFault";
}

/** Whatever the loader throws, it throws because of the blocks it was given. */
function judged<T>(load: () => T): T {
  try {
    return load();
  } catch (thrown) {
    throw new ContentFault(toError(thrown).message);
  }
}

function isAboutTheFile(error: unknown): error is Error {
  return (
    error instanceof CorruptionError ||
    error instanceof UnknownFormatError ||
    error instanceof ContentFault ||
    error instanceof DiskError
  );
}

function show(session: Session, { file, ok, problem, ...facts }: Inspected): void {
  const { terminal } = session;
  const mark = ok === true ? paint(terminal, "green", "✔") : paint(terminal, "red", "✘");
  terminal.out(`${mark} ${printable(file)}\n`);
  if (typeof problem === "string") terminal.out(`  ${printable(problem)}\n`);
  for (const [name, value] of Object.entries(facts)) {
    terminal.out(`  ${name.padEnd(12)}${printable(factText(value))}\n`);
  }
}

function factText(value: unknown): string {
  if (typeof value === "number") return grouped(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  return fieldText(value);
}
