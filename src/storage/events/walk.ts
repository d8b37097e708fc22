// Reads the events of a folder that nobody has open, or somebody else does: for the command line. It
// changes nothing and reports what it finds, gaps and damage included.

import type { Disk } from "../../env/disk.ts";
import { EVENT_FOLDER } from "../names.ts";
import { FIRST_EVENT_INDEX, parseEventFileName } from "./names.ts";
import { LineChecker, linesOf } from "./scan.ts";

export type WalkedEvent =
  | { readonly kind: "event"; readonly index: number; readonly line: string }
  | { readonly kind: "gone" | "gap"; readonly from: number; readonly to: number }
  | {
      readonly kind: "damage";
      readonly file: string;
      readonly offset: number;
      readonly what: string;
      /** At the end of the file that is being written, and nothing but the end of a line missing. */
      readonly isTail: boolean;
    };

interface FoundFile {
  readonly path: string;
  readonly kind: "sealed" | "open" | "gone";
  readonly first: number;
  readonly last: number;
}

async function findFiles(disk: Disk): Promise<readonly FoundFile[]> {
  const files: FoundFile[] = [];
  for (const name of await disk.list(EVENT_FOLDER)) {
    const path = `${EVENT_FOLDER}/${name}`;
    const parsed = parseEventFileName(name);
    if (parsed.kind === "open") {
      files.push({ path, kind: "open", first: parsed.first, last: Number.MAX_SAFE_INTEGER });
    } else if (parsed.kind === "sealed" || parsed.kind === "gone") {
      files.push({ path, kind: parsed.kind, first: parsed.range.from, last: parsed.range.to });
    }
  }
  return files.toSorted((a, b) => a.first - b.first || b.last - a.last);
}

/** Every event of the folder in order, and what is missing between them. */
export async function* walkEvents(disk: Disk): AsyncGenerator<WalkedEvent> {
  let next = FIRST_EVENT_INDEX;
  for (const file of await findFiles(disk)) {
    if (file.last < next) continue;
    if (file.first > next) yield { kind: "gap", from: next, to: file.first - 1 };
    if (file.kind === "gone") {
      yield { kind: "gone", from: file.first, to: file.last };
      next = file.last + 1;
      continue;
    }
    const found = yield* walkFile(disk, file, next);
    // The end of an open file may just be being written.
    if (found < file.last && file.kind === "sealed") {
      yield { kind: "gap", from: found + 1, to: file.last };
    }
    next = file.kind === "sealed" ? file.last + 1 : found + 1;
  }
}

/** The events of one file from an index on; returns how far the file was good. */
async function* walkFile(
  disk: Disk,
  file: FoundFile,
  from: number,
): AsyncGenerator<WalkedEvent, number> {
  const checker = new LineChecker(file.first, file.last);
  const handle = await disk.open(file.path, "read");
  try {
    for await (const raw of linesOf(handle, 0)) {
      const event = "what" in raw ? raw.what : checker.take(raw.bytes);
      if (typeof event === "string") {
        const isTail = file.kind === "open" && "what" in raw && raw.isTail;
        yield { kind: "damage", file: file.path, offset: raw.offset, what: event, isTail };
        break;
      }
      if (event !== null && event.index >= from) yield { kind: "event", ...event };
    }
  } finally {
    await handle.close();
  }
  return checker.through;
}
