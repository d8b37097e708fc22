// What it means when the core panics. The instance is dead from that moment: raft found its own state
// contradicted, and a node that goes on would vote and acknowledge from a state nobody reasoned about.

/** The core has trapped. The process logs this and ends; it never calls the instance again. */
export class CoreTrap extends Error {
  override readonly name = "CoreTrap";
  /** For people: what it most likely means, and what to do. */
  readonly advice: string;

  constructor(panic: string, options?: ErrorOptions) {
    super(`the consensus core stopped: ${panic}`, options);
    this.advice = advise(panic);
  }
}

const LOST_DATA =
  "This node's log is shorter than what it once acknowledged: its data directory was rolled back, " +
  "restored from a backup, or lost writes it had synced. It must not vote again under this id. " +
  'See docs/operations.md, "A node with a damaged disk".';

/** Panics of etcd's raft that name a cause outside it (reference: raft log.go, raft.go, storage.go). */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/tocommit\(\d+\) is out of range/, LOST_DATA],
  [/state\.commit \d+ is out of range/, LOST_DATA],
  [/applied\(\d+\) is out of range/, LOST_DATA],
  [/conflict with committed entry/, LOST_DATA],
  [/missing log entry/, LOST_DATA],
];

function advise(panic: string): string {
  for (const [pattern, meaning] of MEANINGS) if (pattern.test(panic)) return meaning;
  return "This is a bug in Raft3D or in its consensus library. Please report it with this line.";
}

/** The first line of a Go panic, out of what the runtime wrote to standard error. */
export function panicLine(stderr: string): string | null {
  const line = /^(?:panic|fatal error): (.*)$/m.exec(stderr);
  return line?.[1] ?? null;
}
