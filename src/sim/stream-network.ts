// The network of the simulated world: machines by name, addresses they listen on, ordered byte
// streams between them, and everything that goes wrong with those. What the program on a machine
// sees is a Network; what the simulation sees are cuts, resets and crashes. All chance comes from
// one Random and all time from one scheduler, so one seed is one history.
//
// The program's promises go on in microtasks: the scheduler must let them finish between two events
// (SimClock.advance does).

import { NetworkError, type Connection, type Listener, type Network } from "../env/network.ts";
import type { Random } from "../env/random.ts";
import { StreamPair } from "./stream-end.ts";
import {
  chance,
  delayMs,
  tell,
  type Host,
  type Schedule,
  type StreamFaults,
  type Wire,
} from "./stream-wire.ts";

const CALM: StreamFaults = {
  delayMsMin: 0.1,
  delayMsMax: 2,
  windowBytes: 256 * 1024,
  pieceBytesMax: 64 * 1024,
  resetChance: 0,
  healResetChance: 0.5,
  healDelayMsMax: 1000,
  silentCrashChance: 0.5,
};

const EPHEMERAL_PORT_MIN = 49_152;

export interface StreamNetworkOptions {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly faults?: Partial<StreamFaults>;
}

interface Socket {
  readonly host: Host;
  readonly onConnection: (connection: Connection) => void;
}

interface Machine {
  host: Host;
  /** Crashed without a word: it does not even refuse connections. */
  isDark: boolean;
}

export class StreamNetwork implements Wire {
  readonly schedule: Schedule;
  readonly random: Random;
  /** May be changed at any time. */
  readonly faults: StreamFaults;
  readonly #machines = new Map<string, Machine>();
  readonly #sockets = new Map<string, Socket>();
  /** Which machine an address leads to, also when nobody listens there any more. */
  readonly #places = new Map<string, string>();
  readonly #cuts = new Set<string>();
  readonly #pairs = new Set<StreamPair>();
  #nextPort = EPHEMERAL_PORT_MIN;
  #connects = 0;

  constructor(options: StreamNetworkOptions) {
    this.schedule = options.schedule;
    this.random = options.random;
    this.faults = { ...CALM, ...options.faults };
  }

  /** Connections that at least one end still holds. */
  get openConnections(): number {
    return this.#pairs.size;
  }

  /** How often anybody has tried to connect. */
  get connects(): number {
    return this.#connects;
  }

  /** The network as the machine `name` sees it from here on; after a crash this starts it again. */
  node(name: string): Network {
    const machine = this.#machine(name);
    if (!machine.host.isAlive) machine.host = newHost(name);
    machine.isDark = false;
    const { host } = machine;
    return {
      listen: (address, onConnection) => this.#listen(host, address, onConnection),
      connect: (address, timeoutMs) => this.#connect(host, address, timeoutMs),
    };
  }

  // --- What goes wrong

  /** Nothing gets from one machine to the other; the way back stays open. */
  cut(from: string, to: string): void {
    this.#cuts.add(way(from, to));
  }

  /** Nothing passes between two machines. */
  part(a: string, b: string): void {
    this.cut(a, b);
    this.cut(b, a);
  }

  /** Cuts one machine off from all the others. */
  isolate(name: string): void {
    for (const other of this.#machines.keys()) if (other !== name) this.part(name, other);
  }

  /** Opens the way again, in one direction. What was held up arrives some time later, or never. */
  heal(from: string, to: string): void {
    if (!this.#cuts.delete(way(from, to))) return;
    for (const pair of this.#pairs) {
      const names = pair.ends().map((end) => end.host.name);
      if (names.includes(from) && names.includes(to)) pair.healed();
    }
  }

  healAll(): void {
    this.#cuts.clear();
    for (const pair of this.#pairs) pair.healed();
  }

  /** Resets every connection between two machines. */
  reset(a: string, b: string): void {
    for (const pair of this.#pairs) {
      const names = pair.ends().map((end) => end.host.name);
      if (names.includes(a) && names.includes(b)) pair.reset();
    }
  }

  /**
   * The machine's process is gone, at once. The others see their connections reset, or see nothing
   * (`silent`); which of the two is up to chance if it is not said.
   */
  crash(name: string, silent?: boolean): void {
    const machine = this.#machine(name);
    const isSilent = silent ?? chance(this.random, this.faults.silentCrashChance);
    machine.host.isAlive = false;
    machine.isDark = isSilent;
    for (const [address, socket] of this.#sockets) {
      if (socket.host === machine.host) this.#sockets.delete(address);
    }
    for (const pair of this.#pairs) {
      for (const end of pair.ends()) if (end.host === machine.host) end.kill(isSilent);
    }
  }

  /**
   * The machine's process stands still (SIGSTOP, a paused virtual machine): its kernel takes what
   * comes, it does not. Whoever does this freezes its clock as well.
   */
  stall(name: string): void {
    this.#machine(name).host.held ??= [];
  }

  /**
   * It goes on: what has come is handed over from the next events on, after timers that are due.
   */
  wake(name: string): void {
    const { host } = this.#machine(name);
    const held = host.held ?? [];
    host.held = null;
    for (const run of held) this.schedule(0, run);
    for (const pair of this.#pairs) pair.awake(host);
  }

  // --- Wire

  isCut(from: Host, to: Host): boolean {
    return this.#cuts.has(way(from.name, to.name));
  }

  isUp(host: Host): boolean {
    return this.#machine(host.name).host.isAlive;
  }

  // --- What a machine does

  #machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = { host: newHost(name), isDark: false };
      this.#machines.set(name, machine);
    }
    return machine;
  }

  #listen(
    host: Host,
    wanted: string,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    if (!host.isAlive) return never();
    const address = wanted.endsWith(":0") ? `${wanted.slice(0, -1)}${this.#nextPort++}` : wanted;
    if (this.#sockets.has(address)) {
      return Promise.reject(new NetworkError("EADDRINUSE", address, `${address} is in use`));
    }
    const socket = { host, onConnection };
    this.#sockets.set(address, socket);
    this.#places.set(address, host.name);
    const close = (): Promise<void> => {
      if (this.#sockets.get(address) === socket) this.#sockets.delete(address);
      return Promise.resolve();
    };
    return Promise.resolve({ address, close });
  }

  /** Settled once: by an answer, or by the time running out. A dead machine's promises are left. */
  #connect(host: Host, address: string, timeoutMs: number): Promise<Connection> {
    if (!host.isAlive) return never();
    this.#connects += 1;
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const settle = (run: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        cancel();
        tell(host, run);
      };
      const cancel = this.schedule(timeoutMs, () => {
        const message = `no answer from ${address} in ${timeoutMs} ms`;
        settle(() => reject(new NetworkError("ETIMEDOUT", address, message)));
      });
      this.#knock(host, address, (socket) => {
        settle(() => {
          if (socket !== null) return resolve(this.#establish(host, address, socket));
          reject(new NetworkError("ECONNREFUSED", address, `${address} refused the connection`));
        });
      });
    });
  }

  /** Goes to an address and back: with who listens there, with null, or never. */
  #knock(host: Host, address: string, answered: (socket: Socket | null) => void): void {
    this.schedule(delayMs(this), () => {
      const place = this.#places.get(address);
      const machine = place === undefined ? null : this.#machine(place);
      if (machine !== null && (machine.isDark || this.isCut(host, machine.host))) return;
      const socket = this.#sockets.get(address) ?? null;
      this.schedule(delayMs(this), () => {
        if (machine === null || !this.isCut(machine.host, host)) answered(socket);
      });
    });
  }

  /**
   * The dialler has its connection; the listener gets it with the first thing that comes over it.
   */
  #establish(host: Host, address: string, socket: Socket): Connection {
    const between = { client: host, server: socket.host, address };
    const pair = new StreamPair(this, between, {
      accepted: (server) => {
        if (this.#sockets.get(address) === socket) socket.onConnection(server);
        else server.destroy();
      },
      ended: (ended) => this.#pairs.delete(ended),
    });
    this.#pairs.add(pair);
    pair.open();
    return pair.client;
  }
}

function newHost(name: string): Host {
  return { name, isAlive: true, held: null };
}

function way(from: string, to: string): string {
  return `${from}>${to}`;
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
