// A running world with one node in it, the victim, that is started on damaged copies of its folder, again
// and again. One world serves all cases: the core is instantiated once, and the other two nodes of a
// cluster are up the whole time.
//
// That a folder is put back between two cases is harmless here and nowhere else: nothing is written while
// the cases run, so the victim acknowledges nothing that the next case makes it forget.

import { assert, must, toError } from "../base/assert.ts";
import { type NodeId, nodeId } from "../base/brand.ts";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { crc32 } from "../base/hash.ts";
import { replaceWhole } from "../env/disk.ts";
import type { Command } from "../fsm/command.ts";
import { type FatalError, asFatal } from "../node/fatal.ts";
import type { PrintFarmNode } from "../node/print-farm-node.ts";
import { CoreTrap } from "../raft/trap.ts";
import { FIRST_EVENT_INDEX } from "../storage/events/names.ts";
import type { SimDisk } from "./disk.ts";
import { type Life, World } from "./world.ts";

/** Simulated time in which a node must have come back or ended itself. */
const VERDICT_MS = 60_000;
const SEGMENT_BYTES = 3072;
const FIRST_STARTS = 1_000_000;

export interface RigOptions {
  readonly seed: number;
  /** 1: the victim alone. 3: the victim and two others. */
  readonly size: 1 | 3;
  /** How the victim ended before its folder was damaged. */
  readonly ended: "at rest" | "at an answer";
  readonly core: WebAssembly.Module;
}

export type Outcome =
  | { readonly kind: "refused"; readonly error: FatalError; readonly isOpen: boolean }
  | { readonly kind: "hangs"; readonly what: string }
  | (State & { readonly kind: "back" });

/** What a node is, as far as anybody can ask it. */
export interface State {
  readonly index: number;
  /** Of everything that was applied and of the objects. */
  readonly hashes: string;
  readonly digest: string;
  readonly events: readonly string[];
  /** The indexes of which it says, when they are read, that it does not have their events. */
  readonly missing: readonly number[];
  /** What it logged as a warning or an error. */
  readonly complaints: readonly string[];
}

export class Rig {
  readonly world: World;
  readonly victim: NodeId;
  readonly #options: RigOptions;
  readonly #complaints: string[] = [];
  readonly #hashes = new Map<number, string>();
  #fatal: FatalError | null = null;
  #base: SimDisk | null = null;
  #expected: State | null = null;
  #starts = FIRST_STARTS;
  /** A core has trapped: this rig is of no use any more. */
  isDead = false;
  #writes = 0;

  static async make(options: RigOptions): Promise<Rig> {
    const rig = new Rig(options);
    await rig.#prepare();
    return rig;
  }

  private constructor(options: RigOptions) {
    this.#options = options;
    this.victim = nodeId(options.size);
    this.world = new World({
      seed: options.seed,
      size: options.size,
      wire: "streams",
      tickMs: 50,
      snapshotEntries: 6,
      trailingEntries: 1,
      segmentBytes: SEGMENT_BYTES,
      diskSlowness: 1,
      core: options.core,
      onTrace: (line) => this.#note(line),
    });
    this.world.watch((event) => {
      if (event.kind === "fatal" && event.node === this.victim) this.#fatal = event.error;
      if (event.kind === "applied") this.#hashes.set(event.index, event.hashes);
    });
  }

  /** The victim's folder as it was when it ended. */
  get folder(): SimDisk {
    return must(this.#base, "a folder").clone();
  }

  /** What it comes back as when nothing is damaged. */
  get expected(): State {
    return must(this.#expected, "what is expected");
  }

  #note(line: string): void {
    if (/^\S+ node \d+: (?:warn|error) /.test(line) && line.includes(` node ${this.victim}: `)) {
      this.#complaints.push(line.slice(line.indexOf(":") + 2));
    }
  }

  // --- Making the folder

  async #prepare(): Promise<void> {
    const { world, victim } = this;
    await world.found();
    for (const { id } of world.places) world.start(id);
    await this.#must("a leader", () => world.alive.some(({ life }) => life.node.leaderId !== null));
    await this.#write(6);
    // Once away for long enough that it comes back by way of a snapshot, with a gap in its events.
    world.crash(victim, "kill");
    if (world.places.length > 1) await this.#write(9);
    world.start(victim);
    await this.#must("the victim is back", () => this.#isBack());
    // If it led, an election after its end would write an entry that the cases then make it forget.
    while (world.places.length > 1 && this.#isLeading()) {
      world.crash(victim, "kill");
      await this.#write(1);
      world.start(victim);
      await this.#must("the victim is back", () => this.#isBack());
    }
    await this.#write(11);
    assert(world.places.length === 1 || !this.#isLeading(), "the victim does not lead");
    if (this.#options.ended === "at rest") {
      await world.clock.advance(3000);
      world.crash(victim, "kill");
    } else {
      // Up to a batch that takes several sectors; then the power fails in the moment of its own answer:
      // what a node applies is durable there, whoever else has it.
      const life = must(world.place(victim).life, "the victim");
      const result = await this.#ask(life, (node) => node.submit(longCommand(), null));
      assert(result?.kind === "replied" && result.reply.ok, "the last write is answered");
      world.crash(victim, "power");
    }
    const base = world.place(victim).disk;
    await this.#restamp(base);
    this.#base = base;
    // What a restart leads to if nothing is damaged is what every other must lead to.
    const outcome = await this.restart(this.folder);
    assert(outcome.kind === "back", () => `the undamaged folder: ${JSON.stringify(outcome)}`);
    assert(outcome.missing.length === 0, "the undamaged folder has every event");
    this.#expected = outcome;
  }

  async #write(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.#submit(commandNumber(this.#writes++));
  }

  /** Through any node that is up, until it is answered. */
  async #submit(command: Command): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const life = this.world.alive[attempt % this.world.alive.length]?.life;
      const result =
        life === undefined ? null : await this.#ask(life, (n) => n.submit(command, null));
      if (result?.kind === "replied") {
        const { reply } = result;
        assert(reply.ok, () => `refused: ${JSON.stringify(reply)}`);
        return;
      }
      assert(result?.kind !== "outcome-unknown", "an unknown outcome in a world without faults");
      await this.world.clock.advance(100);
    }
    throw new Error("nobody takes a write");
  }

  async #must(what: string, holds: () => boolean): Promise<void> {
    if (await this.world.clock.runUntil(holds, VERDICT_MS)) return;
    throw this.world.failure ?? new Error(`the rig cannot be made: no ${what}`);
  }

  /** Null if the node ends or does not answer. */
  async #ask<T>(life: Life, question: (node: PrintFarmNode) => Promise<T>): Promise<T | null> {
    let answer: { readonly value: T | "gone" } | null = null;
    const asked = Promise.race([question(life.node), life.gone]);
    asked.then(
      (value) => (answer = { value }),
      (thrown: unknown) => (this.world.failure ??= toError(thrown)),
    );
    await this.world.clock.runUntil(
      () => answer !== null || this.world.failure !== null,
      VERDICT_MS,
    );
    const got = answer as { readonly value: T | "gone" } | null; // set by the handler above
    return got === null || got.value === "gone" ? null : got.value;
  }

  // --- One case

  /** Starts the victim on `disk` and waits for what becomes of it. It is stopped again afterwards. */
  async restart(disk: SimDisk): Promise<Outcome> {
    try {
      return await this.#restart(disk);
    } catch (thrown) {
      if (!(thrown instanceof CoreTrap)) throw thrown;
      // All nodes of this world share the instance that is dead now.
      this.isDead = true;
      return { kind: "refused", error: asFatal(thrown), isOpen: true };
    }
  }

  async #restart(disk: SimDisk): Promise<Outcome> {
    const { world, victim } = this;
    const place = world.place(victim);
    assert(place.life === null, "the victim runs");
    place.disk = disk;
    this.#complaints.length = 0;
    this.#fatal = null;
    let outcome: Outcome | null = null;
    world.start(victim);
    const settled = (): boolean => this.#fatal !== null || world.failure !== null || this.#isBack();
    const isSettled = await world.clock.runUntil(settled, VERDICT_MS);
    outcome = this.#refusal();
    if (outcome === null && !isSettled) outcome = { kind: "hangs", what: this.#describe() };
    outcome ??= await this.#look();
    if (place.life !== null || world.isStarting(victim)) world.crash(victim, "kill");
    world.failure = null;
    return outcome;
  }

  /** The folder that the last case left. */
  get left(): SimDisk {
    return this.world.place(this.victim).disk;
  }

  #refusal(): Outcome | null {
    if (this.#fatal !== null) return { kind: "refused", error: this.#fatal, isOpen: true };
    const { failure } = this.world;
    return failure && { kind: "refused", error: asFatal(failure), isOpen: false };
  }

  /** It runs, has a leader, and has applied what the cluster, or its log, holds. */
  #isBack(): boolean {
    const life = this.world.place(this.victim).life;
    if (life === null) return false;
    const { node } = life;
    if (node.leaderId === null || !node.isFounded) return false;
    if (this.world.places.length > 1 && node.eventGaps > 0) return false;
    const last = Math.max(...this.world.alive.map((one) => one.life.node.status().commitIndex));
    return last > 1 && node.appliedIndex === last;
  }

  async #look(): Promise<Outcome> {
    const life = must(this.world.place(this.victim).life, "the victim");
    const barrier = await this.#ask(life, (node) => node.barrier());
    if (barrier?.kind !== "ok") return this.#refusal() ?? this.#hung("no current read");
    const events = await this.#readEvents(life);
    if (events === null) return this.#refusal() ?? this.#hung("its events cannot be read");
    const { appliedIndex: index, farm } = life.node;
    const hashes = must(this.#hashes.get(index), `hashes at ${index}`);
    const digest = farm.digest();
    return { kind: "back", index, hashes, digest, ...events, complaints: [...this.#complaints] };
  }

  #hung(what: string): Outcome {
    return { kind: "hangs", what: `${what}; ${this.#describe()}` };
  }

  /** Null if it does not answer, or says that events were dropped on purpose: here none are. */
  async #readEvents(life: Life): Promise<Pick<State, "events" | "missing"> | null> {
    const events: string[] = [];
    const missing: number[] = [];
    // A damaged part is found by reading it, and then fetched from another node.
    let waits = this.world.places.length > 1 ? 40 : 0;
    let after = FIRST_EVENT_INDEX - 1;
    while (after < life.node.appliedIndex) {
      const from = after;
      const page = await this.#ask(life, (node) => node.events.read(from, 500));
      if (page === null || page.kind === "gone") return null;
      if (page.kind === "page") {
        events.push(...page.events.map(({ line }) => line));
        if (page.events.length === 0 && page.through >= life.node.appliedIndex) break;
        if (page.through <= after) return null;
        after = page.through;
      } else if (waits > 0) {
        waits -= 1;
        await this.world.clock.advance(500);
      } else {
        after += 1;
        missing.push(after);
      }
    }
    return { events, missing };
  }

  #isLeading(): boolean {
    return this.world.place(this.victim).life?.node.leaderId === this.victim;
  }

  #describe(): string {
    const { life } = this.world.place(this.victim);
    if (life === null) return "it never opened";
    const { appliedIndex, commitIndex, leaderId, role, term } = life.node.status();
    return `${role} of ${leaderId} in term ${term} at ${appliedIndex}/${commitIndex}, ${life.node.eventGaps} gaps`;
  }

  /** Whether the others answer a current read. */
  async othersServe(): Promise<boolean> {
    for (const { life, place } of this.world.alive) {
      if (place.id === this.victim) continue;
      const barrier = await this.#ask(life, (node) => node.barrier());
      if (barrier?.kind !== "ok" || life.node.farm.digest() !== this.expected.digest) return false;
    }
    return true;
  }

  /**
   * Starts the victim on the folder that the last case left, has one more write answered, ends it in that
   * moment and starts it again: the digest that must be there, and what is. Alone only.
   */
  async writeAndRestart(): Promise<{ readonly wanted: string; readonly outcome: Outcome }> {
    assert(this.world.places.length === 1, "a write would outlive the case");
    const { world, victim } = this;
    world.start(victim);
    if (
      !(await world.clock.runUntil(() => this.#isBack() || this.#refusal() !== null, VERDICT_MS))
    ) {
      return { wanted: "", outcome: this.#hung("the second start") };
    }
    const refused = this.#refusal();
    if (refused !== null) return { wanted: "", outcome: refused };
    await this.#submit({ kind: "create-printer", id: null, company: "late", model: "x" });
    const wanted = must(world.place(victim).life, "the victim").node.farm.digest();
    world.crash(victim, "power");
    return { wanted, outcome: await this.restart(world.place(victim).disk) };
  }

  // --- The count of starts

  /**
   * Peers refuse a process that claims a start they know. So the folder as it was gets, before each case,
   * the number of starts that it would have; always of seven digits, so that every byte stays in its place.
   */
  async #restamp(disk: SimDisk): Promise<void> {
    const text = withStarts(decodeUtf8(disk.peek("node.json")), this.#starts);
    await this.world.settled(replaceWhole(disk, "node.json", encodeUtf8(text)));
  }

  /** A copy of the folder for the next case. */
  nextFolder(): SimDisk {
    this.#starts += 1;
    const disk = this.folder;
    const before = disk.peek("node.json");
    const after = encodeUtf8(withStarts(decodeUtf8(before), this.#starts));
    assert(before.length === after.length, "node.json keeps its length");
    for (const [at, byte] of before.entries()) {
      const mask = byte ^ must(after[at], "byte");
      if (mask !== 0) disk.flip("node.json", at, mask);
    }
    return disk;
  }
}

function withStarts(text: string, starts: number): string {
  const [body = ""] = text.split(',\n  "crc"');
  // The first count of starts is the node's own; its peers' stand behind it.
  const counted = body.replace(/"starts": \d+/, `"starts": ${starts}`);
  return `${counted},\n  "crc": "${crc32(counted).toString(16).padStart(8, "0")}"\n}\n`;
}

/** A farm's day, of every kind of command. */
function commandNumber(n: number): Command {
  const round = Math.floor(n / 6) + 1;
  switch (n % 6) {
    case 0:
      return { kind: "create-printer", id: null, company: "Prusa", model: `MK${n}` };
    case 1: {
      const grams = { total_weight_in_grams: 1000, remaining_weight_in_grams: 1000 };
      return { kind: "create-filament", id: null, type: "PLA", color: `red ${n}`, ...grams };
    }
    case 2:
    case 3: {
      const refers = { printer_id: round, filament_id: round } as const;
      const filepath = `/gcode/${n}.gcode`;
      return { kind: "create-job", id: null, ...refers, filepath, print_weight_in_grams: 10 };
    }
    case 4:
      return { kind: "change-job-status", key: `${2 * round - 1}`, expected: null, to: "Running" };
    default: {
      const changes = { color: `blue ${n}` };
      return { kind: "update-filament", key: `${round}`, expected: null, changes };
    }
  }
}

/** One that takes three sectors of the log. */
function longCommand(): Command {
  return { kind: "create-printer", id: null, company: "long", model: "m".repeat(1100) };
}
