// Lines of a node's log: JSON, one object each, as env/node/logger.ts writes them. What else lands
// in the file comes from Node.js itself, and is shown as it is.

import { parseRfc3339 } from "../../base/time.ts";
import { localTime } from "../../env/node/calendar.ts";
import type { Terminal } from "../../env/node/terminal.ts";
import { type JsonObject, parseObject } from "../json.ts";
import { type Style, paint } from "../style.ts";
import { printable } from "../text.ts";

export interface LogLine {
  /** Null for a line that is not of the logger's form. */
  readonly level: string | null;
  readonly message: string;
  /** "14:30:05"; "" where the line has no time. */
  readonly time: string;
  readonly fields: JsonObject;
}

/** Fields that stand elsewhere in a line for people. */
const SHOWN_ELSEWHERE: readonly string[] = ["level", "time", "msg", "node", "pid", "hostname"];

export function parseLogLine(text: string): LogLine {
  const parsed = parseObject(text);
  if (parsed === null || typeof parsed["msg"] !== "string") {
    return { level: null, message: text, time: "", fields: {} };
  }
  const { level, msg, time } = parsed;
  const at = parseRfc3339(String(time));
  const fields = Object.entries(parsed).filter(([name]) => !SHOWN_ELSEWHERE.includes(name));
  return {
    level: String(level),
    message: msg,
    time: at === null ? "" : localTime(at),
    fields: Object.fromEntries(fields),
  };
}

/** What people who watch a cluster want to see: trouble, and who leads. */
export function isNews(line: LogLine): boolean {
  if (line.level === null) return line.message.trim() !== "";
  return line.level === "warn" || line.level === "error" || isElection(line);
}

function isElection(line: LogLine): boolean {
  return line.message === "leadership" && line.fields["role"] === "leader";
}

const PREFIX_STYLES: readonly Style[] = ["cyan", "magenta", "blue", "green", "yellow"];

/** One short line: the time, whose it is, what happened. */
export function humanLogLine(
  terminal: Terminal,
  node: { readonly id: number; readonly name: string },
  line: LogLine,
): string {
  const style = PREFIX_STYLES[(node.id - 1) % PREFIX_STYLES.length] ?? "cyan";
  const head = `${line.time.padEnd(8)} ${paint(terminal, style, `${node.name} |`)}`;
  if (isElection(line)) {
    return `${head} leads now (term ${printable(String(line.fields["term"]))})\n`;
  }
  const fields = Object.entries(line.fields).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const text = printable(line.message + fields.join(""));
  if (line.level === "error") return `${head} ${paint(terminal, "red", text)}\n`;
  return `${head} ${line.level === "warn" ? paint(terminal, "yellow", text) : text}\n`;
}
