// What can be counted only by what nodes say: their processes come and go, and their counters with them.

const END = /: node \d ends itself: ([a-z-]+):/;
const INSTALL = ": warn state replaced by a snapshot from the leader";

export class Tally {
  installs = 0;
  readonly ends = new Map<string, number>();

  /** A line of the trace. */
  note(line: string): void {
    if (line.includes(INSTALL)) this.installs += 1;
    const reason = END.exec(line)?.[1];
    if (reason !== undefined) this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1);
  }
}
