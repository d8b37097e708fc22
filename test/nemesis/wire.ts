// The network between the nodes of one round: a namespace for each, with one device, and all devices in the
// hands of native/wire.c. The clients stand at port 0, whose links always hold: what is put in danger is
// what nodes know of each other.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { run } from "./machine.ts";

/** How packets go from one node to another. Loss and twice: of 1000; delay and jitter: milliseconds. */
export interface Link {
  readonly cut: boolean;
  readonly loss: number;
  readonly delay: number;
  readonly jitter: number;
  readonly twice: number;
}

export const WHOLE: Link = { cut: false, loss: 0, delay: 0, jitter: 0, twice: 0 };

export interface PacketCounts {
  readonly forwarded: number;
  readonly dropped: number;
  readonly lost: number;
  readonly delayed: number;
  readonly doubled: number;
}

export class Wire {
  readonly #size: number;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  /** Commands are answered in order, so they are asked one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  static async open(program: string, seed: number, size: number): Promise<Wire> {
    const ids = Array.from({ length: size }, (_, i) => i + 1);
    for (const id of ids) run("ip", ["netns", "add", `node-${id}`]);
    const spaces = ["/proc/self/ns/net", ...ids.map((id) => `/run/netns/node-${id}`)];
    const child = spawn(program, [String(seed), ...spaces], { stdio: ["pipe", "pipe", "inherit"] });
    const wire = new Wire(size, child);
    await wire.#expect("ready");
    for (const port of [0, ...ids]) {
      const name = port === 0 ? [] : ["-n", `node-${port}`];
      const others = [0, ...ids].filter((other) => other !== port);
      const commands = [
        "link set lo up",
        "link set wire up",
        `address add ${address(port)}/24 dev wire`,
        ...others.map((other) => `neighbour add ${address(other)} lladdr ${mac(other)} dev wire`),
      ];
      run("ip", [...name, "-batch", "-"], `${commands.join("\n")}\n`);
    }
    return wire;
  }

  private constructor(size: number, child: ChildProcess) {
    this.#size = size;
    this.#child = child;
    if (child.stdout === null) throw new Error("the wire has no output");
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The command that starts a program where this node is. */
  static launcher(id: number): readonly string[] {
    return ["nsenter", `--net=/run/netns/node-${id}`, "--"];
  }

  /** Sets every link between nodes. */
  async shape(link: (from: number, to: number) => Link): Promise<void> {
    for (let from = 1; from <= this.#size; from++) {
      for (let to = 1; to <= this.#size; to++) {
        if (from === to) continue;
        const { cut, delay, jitter, loss, twice } = link(from, to);
        const fate = [cut ? 1 : 0, loss, delay, jitter, twice].join(" ");
        await this.#ask(`link ${from} ${to} ${fate}`, "ok");
      }
    }
  }

  heal(): Promise<void> {
    return this.shape(() => WHOLE);
  }

  async counts(): Promise<PacketCounts> {
    const numbers = (await this.#ask("count")).split(" ").map(Number);
    const [forwarded = 0, dropped = 0, lost = 0, delayed = 0, doubled = 0] = numbers;
    return { forwarded, dropped, lost, delayed, doubled };
  }

  async close(): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await closed;
    for (let id = 1; id <= this.#size; id++) run("ip", ["netns", "delete", `node-${id}`]);
  }

  #ask(command: string, expected?: string): Promise<string> {
    const asked = this.#last.then(() => {
      this.#child.stdin?.write(`${command}\n`);
      return this.#expect(expected);
    });
    this.#last = asked.catch(() => undefined); // whoever asked hears of it
    return asked;
  }

  async #expect(expected?: string): Promise<string> {
    const { done, value } = await this.#answers.next();
    if (done === true) throw new Error("the wire has ended");
    if (expected !== undefined && value !== expected) throw new Error(`the wire says: ${value}`);
    return value;
  }
}

/** The address of a node; 0: of the clients. */
export function address(port: number): string {
  return `10.83.0.${port + 1}`;
}

function mac(port: number): string {
  return `02:00:00:00:00:${port.toString(16).padStart(2, "0")}`;
}
