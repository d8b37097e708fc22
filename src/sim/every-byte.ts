// Every byte of a node's folder, damaged in turn: whatever is done to it, the node comes back with what it
// was, or refuses and says where and what to do. Anything else is a finding, in one sentence.

import type { FatalError } from "../node/fatal.ts";
import type { SimDisk } from "./disk.ts";
import {
  type Damage,
  type FileKind,
  applyDamage,
  damagesOf,
  describeDamage,
  fileKindOf,
} from "./every-byte-damage.ts";
import { wrongAboutEvents, wrongRefusal } from "./every-byte-place.ts";
import { type Outcome, Rig, type RigOptions, type State } from "./every-byte-rig.ts";

/**
 * What may become of a node whose folder was damaged.
 *   same                  as if nothing had been done
 *   events missing        the farm is the same; a part of the event log is gone, reading it says so, and
 *                         the log says where and which
 *   refused               it ended, with a file, a place, and what to do
 *   last write forgotten  storage's A5: the disk never made the very last write, or a sector of it
 */
export const VERDICTS = [
  "same",
  "events missing",
  "refused",
  "last write forgotten",
  "not allowed",
] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface FolderOptions {
  readonly name: string;
  readonly size: RigOptions["size"];
  readonly ended: RigOptions["ended"];
  readonly flips: 1 | 3;
}

/** The folders that are damaged: of a single node and of one of three, idle or in the midst of work. */
export const FOLDERS: readonly FolderOptions[] = [
  { name: "alone, at rest", size: 1, ended: "at rest", flips: 3 },
  { name: "alone, at an answer", size: 1, ended: "at an answer", flips: 1 },
  { name: "one of three, at rest", size: 3, ended: "at rest", flips: 1 },
  { name: "one of three, at an answer", size: 3, ended: "at an answer", flips: 1 },
];

export interface Case {
  readonly damage: Damage;
  readonly fileKind: FileKind;
  readonly verdict: Verdict;
  /** For a refusal its message without numbers and names; for what is not allowed, the finding. */
  readonly text: string;
}

/** One of so many accepted cases is written to and started once more. */
const AGAIN_EVERY = 8;
/** One of so many refused cases is followed by putting the folder back, as the message advises. */
const PUT_BACK_EVERY = 200;
/** One of so many cases in which the victim never spoke is followed by asking the others. */
const OTHERS_EVERY = 20;

type EveryByteOptions = RigOptions & Pick<FolderOptions, "flips">;

export class EveryByte {
  #rig: Rig;
  readonly #options: EveryByteOptions;
  /** The folder before any damage. A rig made anew has the same. */
  readonly #whole: SimDisk;
  #accepted = 0;
  #refused = 0;

  static async make(options: EveryByteOptions): Promise<EveryByte> {
    return new EveryByte(await Rig.make(options), options);
  }

  private constructor(rig: Rig, options: EveryByteOptions) {
    this.#rig = rig;
    this.#options = options;
    this.#whole = rig.folder;
  }

  get damages(): readonly Damage[] {
    return damagesOf(this.#rig.folder, this.#options.flips);
  }

  get folder(): SimDisk {
    return this.#rig.folder;
  }

  async run(damage: Damage): Promise<Case> {
    const disk = this.#rig.nextFolder();
    const fileKind = fileKindOf(disk, damage);
    await this.#rig.world.settled(applyDamage(disk, damage));
    const before = contentOf(disk);
    const outcome = await this.#rig.restart(disk);
    const [verdict, text] = await this.#judge(damage, outcome, before);
    if (this.#rig.isDead) this.#rig = await Rig.make(this.#options);
    return { damage, fileKind, verdict, text };
  }

  async #judge(
    damage: Damage,
    outcome: Outcome,
    before: ReadonlyMap<string, string>,
  ): Promise<readonly [Verdict, string]> {
    switch (outcome.kind) {
      case "hangs":
        return ["not allowed", `hangs: ${outcome.what}`];
      case "refused": {
        const { message, reason } = outcome.error;
        // The leader knows better what this node once acknowledged.
        if (reason === "core-trapped" && this.#isLastWrite(damage) && LOST.test(message)) {
          return ["refused", classOf(outcome.error)];
        }
        const wrong =
          wrongRefusal(this.#whole, damage, outcome.error) ??
          (outcome.isOpen ? null : changedFile(before, contentOf(this.#rig.left))) ??
          (await this.#afterRefusal(outcome.isOpen));
        return wrong === null
          ? ["refused", classOf(outcome.error)]
          : ["not allowed", `${wrong}: ${message}`];
      }
      case "back":
        return this.#judgeState(damage, outcome);
    }
  }

  async #judgeState(damage: Damage, state: State): Promise<readonly [Verdict, string]> {
    const { expected } = this.#rig;
    if (state.digest !== expected.digest || state.hashes !== expected.hashes) {
      if (this.#isLastWrite(damage) && state.complaints.some((line) => /cut short/.test(line))) {
        return ["last write forgotten", "a write cut short was removed from the end of the log"];
      }
      return ["not allowed", `another state: ${state.hashes} at ${state.index}`];
    }
    const wrongEvents = this.#wrongEvents(damage, state);
    if (wrongEvents !== null) return ["not allowed", wrongEvents];
    const wrong = await this.#afterReturn();
    if (wrong !== null) return ["not allowed", wrong];
    if (state.missing.length > 0) {
      return ["events missing", "said when they are read, and in the log: where, and which"];
    }
    return ["same", state.complaints.length > 0 ? "said so in the log" : "nothing to say"];
  }

  /** Null if every event is there, or the node says which are not and what became of them. */
  #wrongEvents(damage: Damage, { complaints, events, missing }: State): string | null {
    const expected = this.#rig.expected.events.filter((line) => !missing.includes(indexOf(line)));
    if (events.length !== expected.length) {
      return `${events.length} of ${expected.length} events, and no word of the others`;
    }
    if (!events.every((line, i) => line === expected[i])) return "an event is not what it was";
    if (this.#options.size > 1) {
      // There are others to ask.
      return missing.length === 0 ? null : `events from ${missing[0]} on were not fetched`;
    }
    return wrongAboutEvents(this.#whole, damage, missing, complaints);
  }

  /** A5's exception is for a write that was never made, of a batch that nothing else vouches for yet. */
  #isLastWrite({ kind, path }: Damage): boolean {
    return kind === "unwrite" && path.endsWith(".wal") && this.#options.ended === "at an answer";
  }

  async #afterRefusal(hasSpoken: boolean): Promise<string | null> {
    this.#refused += 1;
    if (hasSpoken || this.#refused % OTHERS_EVERY === 0) {
      if (!(await this.#rig.othersServe())) return "the others do not serve on";
    }
    if (this.#refused % PUT_BACK_EVERY !== 0) return null;
    const outcome = await this.#rig.restart(this.#rig.nextFolder());
    if (outcome.kind !== "back") return `put back, it is ${outcome.kind}`;
    return outcome.digest === this.#rig.expected.digest ? null : "put back, it is another";
  }

  async #afterReturn(): Promise<string | null> {
    this.#accepted += 1;
    if (this.#accepted % AGAIN_EVERY !== 0) return null;
    if (this.#options.size > 1) {
      return (await this.#rig.othersServe()) ? null : "the others do not serve on";
    }
    const { wanted, outcome } = await this.#rig.writeAndRestart();
    if (outcome.kind === "hangs") return `the next start hangs: ${outcome.what}`;
    if (outcome.kind === "refused") return `the next start is refused: ${outcome.error.message}`;
    return outcome.digest === wanted ? null : "the next write is lost at the next start";
  }
}

const LOST = /^the consensus core stopped: .* log is shorter than what it once acknowledged/s;

/** Nothing on the disk has been changed by a refusal, but for the count of starts. */
function changedFile(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string | null {
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    // How far the log was synced may be noted anew: it says no more than the log that was read whole.
    // The segment made ready for later is made anew at every start.
    if (path === "wal/synced" && isSameLog(before, after)) continue;
    if (path === "wal/next.tmp") continue;
    if (path === "node.json" || path === "node.json.tmp") continue;
    if (before.get(path) !== after.get(path)) return `${path} was changed by a node that refuses`;
  }
  return null;
}

function isSameLog(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): boolean {
  return [...before].every(([path, content]) => {
    return !path.endsWith(".wal") || after.get(path) === content;
  });
}

function contentOf(disk: SimDisk): ReadonlyMap<string, string> {
  return new Map(disk.files.map((path) => [path, Buffer.from(disk.peek(path)).toString("latin1")]));
}

function indexOf(line: string): number {
  return Number(/^\{"index":(\d+),/.exec(line)?.[1]);
}

function classOf(error: FatalError): string {
  const [, what = error.message] =
    /^.+?, byte \d+: (.*?)(?:\. This node refuses|$)/s.exec(error.message) ?? [];
  const plain = what
    .replace(/\S+\/(?:wal|events|snapshots|node\.json)\S*/g, "FILE")
    .replace(/\d+/g, "N");
  return `${error.reason}: ${plain.slice(0, 90)}`;
}

interface Count {
  readonly folder: string;
  readonly fileKind: FileKind;
  /** Of all files of the kind together; 0 where it is no kind of file. */
  bytes: number;
  readonly verdicts: Partial<Record<Verdict, number>>;
}

/** How often what came of which file. */
export class Tally {
  readonly counts: Count[] = [];
  /** By verdict and text. */
  readonly said: Record<string, number> = {};
  readonly findings: string[] = [];

  static parse(json: string): Tally {
    const read = JSON.parse(json) as Tally; // written by JSON.stringify of a Tally
    return Tally.merged([read]);
  }

  static merged(parts: readonly Pick<Tally, "counts" | "findings" | "said">[]): Tally {
    const all = new Tally();
    for (const { counts, findings, said } of parts) {
      all.findings.push(...findings);
      for (const [key, count] of Object.entries(said)) all.#say(key, count);
      for (const { bytes, fileKind, folder, verdicts } of counts) {
        const into = all.#count(folder, fileKind);
        into.bytes += bytes;
        for (const verdict of VERDICTS) {
          const more = verdicts[verdict] ?? 0;
          if (more > 0) into.verdicts[verdict] = (into.verdicts[verdict] ?? 0) + more;
        }
      }
    }
    return all;
  }

  addFolder(folder: string, disk: SimDisk): void {
    for (const path of disk.files) {
      const fileKind = fileKindOf(disk, { kind: "gone", path });
      this.#count(folder, fileKind).bytes += disk.peek(path).length;
    }
  }

  add(folder: string, one: Case): void {
    const { damage, fileKind, text, verdict } = one;
    const { verdicts } = this.#count(folder, fileKind);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    if (verdict === "not allowed") {
      this.findings.push(`${folder}: ${describeDamage(damage)}: ${text}`);
    } else this.#say(`${verdict}\t${text}`, 1);
  }

  /** What was said with a verdict, the most frequent first. */
  texts(verdict: Verdict): readonly (readonly [string, number])[] {
    return Object.entries(this.said)
      .flatMap(([key, count]) => {
        const [its, text = ""] = key.split("\t");
        return its === verdict ? [[text, count] as const] : [];
      })
      .toSorted(([, a], [, b]) => b - a);
  }

  get cases(): number {
    const each = this.counts.flatMap(({ verdicts }) => Object.values(verdicts));
    return each.reduce((sum, count) => sum + count, 0);
  }

  #say(key: string, count: number): void {
    this.said[key] = (this.said[key] ?? 0) + count;
  }

  #count(folder: string, fileKind: FileKind): Count {
    const known = this.counts.find((one) => one.folder === folder && one.fileKind === fileKind);
    if (known !== undefined) return known;
    const fresh: Count = { folder, fileKind, bytes: 0, verdicts: {} };
    this.counts.push(fresh);
    return fresh;
  }
}
