// TCP, over node:net.

import * as net from "node:net";
import { type Connection, type Listener, type Network, NetworkError } from "../network.ts";

/** "host:port", "[v6]:port" or ":port" (all addresses). */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host: host === "" ? "::" : host, port: Number(address.slice(colon + 1)) };
}

function joinAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

class NodeConnection implements Connection {
  readonly remote: string;
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.remote = joinAddress(socket.remoteAddress ?? "unknown", socket.remotePort ?? 0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  onData(handler: (bytes: Uint8Array) => void): void {
    this.#socket.on("data", handler);
  }

  onClose(handler: (reason: string | null) => void): void {
    // At the first sign of the end: the socket's own `close` comes only after everything else that this
    // turn of the event loop reads, requests that would be sent into the dead connection among it.
    let isOver = false;
    const over = (reason: string | null): void => {
      if (isOver) return;
      isOver = true;
      handler(reason);
    };
    this.#socket.on("error", (error: NodeJS.ErrnoException) => over(error.code ?? error.message));
    this.#socket.on("end", () => over(null));
    this.#socket.on("close", () => over(null));
  }

  onDrain(handler: () => void): void {
    this.#socket.on("drain", handler);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  end(): void {
    this.#socket.end();
  }
}

function listen(
  address: string,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const open = new Set<net.Socket>();
    const server = net.createServer((socket) => {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      onConnection(new NodeConnection(socket));
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new NetworkError(error.code ?? "EOTHER", address, error.message));
    });
    server.listen({ host, port }, () => {
      const bound = server.address() as net.AddressInfo; // never a pipe: listen had host and port
      resolve({
        address: joinAddress(host, bound.port),
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}

function connect(address: string, timeoutMs: number): Promise<Connection> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    const fail = (code: string, message: string): void => {
      socket.destroy();
      reject(new NetworkError(code, address, message));
    };
    const onError = (error: NodeJS.ErrnoException): void =>
      fail(error.code ?? "EOTHER", error.message);
    socket.setTimeout(timeoutMs, () => fail("ETIMEDOUT", `no connection to ${address} in time`));
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      socket.setTimeout(0);
      resolve(new NodeConnection(socket));
    });
  });
}

export const nodeNetwork: Network = { listen, connect };
