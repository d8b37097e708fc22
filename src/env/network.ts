// Byte streams between nodes. Addresses are "host:port".

export interface Network {
  /** Rejects with a NetworkError (EADDRINUSE, …) if the address cannot be had. */
  listen(address: string, onConnection: (connection: Connection) => void): Promise<Listener>;
  /** Rejects with a NetworkError if there is no connection after `timeoutMs`. */
  connect(address: string, timeoutMs: number): Promise<Connection>;
}

export interface Listener {
  /** The address that is listened on, with the port that was given where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

/** One ordered stream of bytes both ways. It may end at any moment, in the middle of anything. */
export interface Connection {
  /** The other side, for messages. */
  readonly remote: string;
  /** Bytes taken by `write` that the operating system has not taken yet. */
  readonly queuedBytes: number;
  /** Takes the bytes and returns at once; the caller leaves them alone. No promise that they arrive. */
  write(bytes: Uint8Array): void;
  /** Handlers are set once, in the turn in which the connection was handed over. */
  onData(handler: (bytes: Uint8Array) => void): void;
  /** Called once, whoever ended it; `reason` is null for an orderly end. */
  onClose(handler: (reason: string | null) => void): void;
  /** Called when `queuedBytes` has fallen to zero after having been above it. */
  onDrain(handler: () => void): void;
  /** Stops reading, so that the other side is held up; `resume` goes on. */
  pause(): void;
  resume(): void;
  /** Ends the stream at once; nothing is read after this. */
  destroy(): void;
  /** Sends what is queued, then ends the stream. */
  end(): void;
}

export class NetworkError extends Error {
  override readonly name = "NetworkError";
  /** The system's code: ECONNREFUSED, EADDRINUSE, ETIMEDOUT, … */
  readonly code: string;
  readonly address: string;

  constructor(code: string, address: string, message: string) {
    super(message);
    this.code = code;
    this.address = address;
  }
}
