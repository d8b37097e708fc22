// The commands of the program: their names, what they do in one line, what stands behind them on
// the command line besides options, and examples. Help and the parser are made from this table.

export interface CommandRow {
  readonly group: CommandGroup;
  readonly summary: string;
  /** Names of the values behind the command's name; one in brackets may be left out. */
  readonly operands: readonly string[];
  /** Paragraphs under the usage line of the command's own help. */
  readonly about?: readonly string[];
  readonly examples?: readonly string[];
  /** Not for people, so not in the help of the program. */
  readonly hidden?: true;
}

export const COMMAND_GROUPS = [
  "On this machine",
  "A node",
  "The cluster",
  "The farm",
  "History",
  "Files of a node",
  "Measuring",
] as const;
export type CommandGroup = (typeof COMMAND_GROUPS)[number];

export const COMMANDS = {
  up: {
    group: "On this machine",
    summary: "starts a whole cluster here, one process for each node",
    operands: [],
    about: [
      "Keeps its data in one folder, so that the next `raft3d up` goes on where this one was stopped. Ctrl-C stops the nodes in good order. The fine tuning of `raft3d serve` is taken from the environment (RAFT3D_TICK_MS=20 raft3d up).",
      "A node that ends by itself stays down, and its exit code is explained: the others go on as long as they are a majority. The command that starts it again is printed with the report.",
    ],
    examples: ["raft3d up", "raft3d up --nodes 5 --data ./farm --port 8101 --peer-port 9101"],
  },
  demo: {
    group: "On this machine",
    summary: "kills a leader before your eyes, and shows that nothing is lost",
    operands: [],
    about: [
      "Three nodes in a temporary folder: a printer is created, the leader is killed with SIGKILL, the survivors elect another and go on, and the killed node comes back and catches up. Ends with 0 only if all of it held, and leaves nothing behind.",
    ],
  },
  serve: {
    group: "A node",
    summary: "runs one node",
    operands: [],
    about: [
      "All nodes of a new cluster are started with the same --initial-cluster and --cluster-token. The cluster is founded as soon as all of them have been up at the same time once.",
    ],
    examples: [
      "raft3d serve --id 1 --data ./node-1 --http 127.0.0.1:8001 \\",
      "  --peer 127.0.0.1:9001 --initial-cluster \\",
      "  1=127.0.0.1:9001,2=127.0.0.1:9002,3=127.0.0.1:9003",
    ],
  },
  "cluster status": {
    group: "The cluster",
    summary: "shows the nodes, the leader and who lags behind",
    operands: [],
  },
  "printers list": { group: "The farm", summary: "lists the printers", operands: [] },
  "printers get": { group: "The farm", summary: "shows one printer", operands: ["ID"] },
  "printers create": {
    group: "The farm",
    summary: "adds a printer",
    operands: [],
    examples: ["raft3d printers create --company Creality --model Ender-3"],
  },
  "printers update": { group: "The farm", summary: "changes a printer", operands: ["ID"] },
  "printers delete": { group: "The farm", summary: "removes a printer", operands: ["ID"] },
  "filaments list": { group: "The farm", summary: "lists the filament spools", operands: [] },
  "filaments get": { group: "The farm", summary: "shows one spool", operands: ["ID"] },
  "filaments create": {
    group: "The farm",
    summary: "adds a spool",
    operands: [],
    examples: ["raft3d filaments create --type PLA --color red --total-weight 1000"],
  },
  "filaments update": { group: "The farm", summary: "changes a spool", operands: ["ID"] },
  "filaments delete": { group: "The farm", summary: "removes a spool", operands: ["ID"] },
  "jobs list": {
    group: "The farm",
    summary: "lists the print jobs",
    operands: [],
    examples: ["raft3d jobs list --status queued,running --printer 1"],
  },
  "jobs get": { group: "The farm", summary: "shows one print job", operands: ["ID"] },
  "jobs create": {
    group: "The farm",
    summary: "queues a print job",
    operands: [],
    examples: ["raft3d jobs create --printer 1 --filament 1 --filepath a.gcode --weight 80"],
  },
  "jobs start": {
    group: "The farm",
    summary: "a Queued job becomes Running",
    operands: ["ID"],
  },
  "jobs done": {
    group: "The farm",
    summary: "a Running job becomes Done; its weight leaves the spool",
    operands: ["ID"],
  },
  "jobs cancel": {
    group: "The farm",
    summary: "a Queued or Running job becomes Canceled",
    operands: ["ID"],
  },
  "events tail": {
    group: "History",
    summary: "shows what happened, and follows along",
    operands: [],
    about: [
      "Shows the newest events, or those after an index. With --follow it goes on with each event as it happens, changes to another node if its own goes away, and neither leaves one out nor shows one twice.",
    ],
    examples: ["raft3d events tail --follow", "raft3d events tail --after 0 --json"],
  },
  "events replay": {
    group: "History",
    summary: "proves that the history gives the state",
    operands: [],
    about: [
      "Folds every event from the beginning, and compares the hash after each with the one that the event carries; from a running cluster also with the hash of its state. Ends with 1 and names the first index that differs.",
    ],
    examples: ["raft3d events replay", "raft3d events replay --data ./raft3d-data/node-1"],
  },
  "wal dump": {
    group: "Files of a node",
    summary: "prints the log of a data folder",
    operands: [],
  },
  "wal verify": {
    group: "Files of a node",
    summary: "checks every byte of the log of a data folder",
    operands: [],
  },
  "snapshot inspect": {
    group: "Files of a node",
    summary: "checks and describes snapshots: one file, or all of a data folder",
    operands: ["[FILE]"],
  },
  bench: {
    group: "Measuring",
    summary: "puts load on a cluster and measures its answers",
    operands: [],
    about: [
      "Every connection sends its next request when the answer to the last has come (a closed loop). Every answer that is not a success is counted by status and code, and the run then ends with 1.",
      "--baseline also drives a bare node:http server that parses the JSON and sends it back, in turns with the cluster, and prints how near the cluster comes to it.",
    ],
    examples: [
      "raft3d bench --local",
      "raft3d bench --local --baseline --connections 64 --seconds 10",
      "raft3d bench --operation get --endpoint http://127.0.0.1:8001",
    ],
  },
  "bench-echo": {
    group: "Measuring",
    summary: "serves as the yardstick of `bench --baseline`",
    operands: [],
    hidden: true,
  },
} as const satisfies Readonly<Record<string, CommandRow>>;

export type CommandName = keyof typeof COMMANDS;
// The keys of the object above, which nothing is ever added to.
export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

export function commandRow(name: CommandName): CommandRow {
  return COMMANDS[name];
}

/** Commands that a user may look for, and that this version does not have. */
export const LATER: Readonly<Record<string, string>> = {
  "cluster members": "use `raft3d cluster status`",
  "cluster add": "membership changes are not part of this version",
  "cluster remove": "membership changes are not part of this version",
  "cluster promote": "membership changes are not part of this version",
  "cluster transfer": "handing over leadership is not part of this version",
  "snapshot save": "saving and restoring backups is not part of this version",
  "snapshot restore": "saving and restoring backups is not part of this version",
};

/** Options that a user may look for, by their names as settings. */
export const LATER_OPTIONS: Readonly<Record<string, string>> = {
  join: "joining a running cluster is not part of this version: its members are those of --initial-cluster, and cannot be changed yet",
};
