// A node's data folder from outside: opened to be read, whether the node runs or not.

import type { Disk } from "../../env/disk.ts";
import type { LogFields, Logger } from "../../env/logger.ts";
import { nodeDisk } from "../../env/node/disk.ts";
import { absolutePath } from "../../env/node/process.ts";
import { Failure } from "../failure.ts";
import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { printable } from "../text.ts";

/** Fails unless the folder holds `part`, one of a node's. */
export async function openDataFolder(data: string, part: string): Promise<Disk> {
  const disk = nodeDisk(absolutePath(data));
  const found = await disk.stat(part);
  if (found?.isFolder === true) return disk;
  throw new Failure(
    `${disk.root} has no folder ${part}. Is --data a node's data folder, like ./raft3d-data/node-1?`,
  );
}

/** What the storage layer remarks while it reads, on standard error. */
export function remarks(session: Session): Logger {
  const { terminal } = session;
  const say = (message: string, fields: LogFields = {}): void => {
    const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
    terminal.err(paint(terminal, "yellow", `${printable(message + facts.join(""))}\n`));
  };
  const silent = (): void => undefined;
  const logger: Logger = {
    debug: silent,
    info: silent,
    warn: say,
    error: say,
    child: () => logger,
  };
  return logger;
}
