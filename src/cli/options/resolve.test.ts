import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COMMAND_NAMES } from "./commands.ts";
import { type Invocation, type Resolved, resolve, serveOptions } from "./resolve.ts";
import type { ConfigText, Environment } from "./sources.ts";

const MEMBERS = "1=127.0.0.1:9001,2=127.0.0.1:9002,3=127.0.0.1:9003";
const SERVE = ["serve", "--id", "1", "--data", "/d", "--initial-cluster", MEMBERS];

function noFile(): ConfigText {
  return { ok: false, reason: "there is no such file" };
}

function resolveWith(
  argv: readonly string[],
  environment: Environment = {},
  config?: unknown,
): Resolved {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return resolve(argv, environment, () => (config === undefined ? noFile() : { ok: true, text }));
}

function run<C extends Invocation["command"]>(
  command: C,
  ...rest: Parameters<typeof resolveWith>
): Extract<Invocation, { command: C }> {
  const resolved = resolveWith(...rest);
  if (resolved.kind !== "run") throw new Error(JSON.stringify(resolved));
  expect(resolved.invocation.command).toBe(command);
  return resolved.invocation as Extract<Invocation, { command: C }>; // compared just now
}

function problems(...rest: Parameters<typeof resolveWith>): readonly string[] {
  const resolved = resolveWith(...rest);
  return resolved.kind === "bad" ? resolved.problems : [];
}

describe("options: where a value comes from", () => {
  test("flags beat the environment, which beats the file, which beats the default", () => {
    const argv = ["bench", "--config", "bench.json"];
    const env = { RAFT3D_BENCH_SECONDS: "2", RAFT3D_BENCH_CONNECTIONS: "2" };
    const file = { bench_seconds: 3, bench_connections: 3, bench_nodes: 5 };
    const { options } = run("bench", [...argv, "--seconds", "1"], env, file);
    expect(options.seconds).toBe(1);
    expect(options.connections).toBe(2);
    expect(options.nodes).toBe(5);
    expect(options.warmUp).toBe(2);
  });

  test("a whole node can be set in the environment, or in a file, where JSON's own forms count", () => {
    const env = { RAFT3D_ID: "2", RAFT3D_DATA: "/d", RAFT3D_INITIAL_CLUSTER: "2=host:9001" };
    const peer = ["serve", "--peer", ":9001"];
    expect(run("serve", peer, env).options.id).toBe(2);
    const file = { id: 2, data: "/d", initial_cluster: { 2: "host:9001", 3: "other:9001" } };
    const { options } = run("serve", [...peer, "--config", "f"], {}, file);
    expect(options.initialCluster).toEqual([
      { id: 2, peer: "host:9001" },
      { id: 3, peer: "other:9001" },
    ]);
    const clients = run(
      "cluster status",
      ["cluster", "status", "--config", "f"],
      {},
      {
        endpoint: ["http://a:1", "b:2"],
        json: true,
      },
    );
    expect(clients.options).toMatchObject({ endpoint: ["http://a:1", "http://b:2"], json: true });
  });

  test("an empty variable is an absent one, and the file may be named in the environment", () => {
    const env = { RAFT3D_ENDPOINT: "", RAFT3D_CONFIG: "farm.json" };
    const { options } = run("cluster status", ["cluster", "status"], env, { timeout: 3 });
    expect(options.endpoint).toEqual(["http://127.0.0.1:8001"]);
    expect(options.timeout).toBe(3);
  });

  test("a printer's id does not come from the environment of a node", () => {
    const argv = ["printers", "create", "--company", "a", "--model", "b"];
    expect(run("printers create", argv, { RAFT3D_ID: "1" }).options.id).toBeNull();
  });

  test("the variables that Kubernetes makes for a service called raft3d mean nothing", () => {
    const env = {
      RAFT3D_SERVICE_HOST: "10.0.0.1",
      RAFT3D_SERVICE_PORT: "8001",
      RAFT3D_PORT: "tcp://10.0.0.1:8001",
      RAFT3D_PORT_8001_TCP: "tcp://10.0.0.1:8001",
      RAFT3D_PORT_8001_TCP_ADDR: "10.0.0.1",
    };
    expect(run("up", ["up"], env).options.port).toBe(8001);
  });

  test("a list may be repeated or comma separated, and =value is the same as a value behind", () => {
    const argv = ["jobs", "list", "--status=queued,running", "--status", "done", "--json=false"];
    const { options } = run("jobs list", argv);
    expect(options.status).toEqual(["queued", "running", "done"]);
    expect(options.json).toBe(false);
    expect(options.printer).toBeNull();
  });

  test("operands are counted and kept in their order, and -- ends the options", () => {
    expect(run("printers get", ["printers", "get", "--", "--odd"]).operands).toEqual(["--odd"]);
    expect(run("snapshot inspect", ["snapshot", "inspect"]).operands).toEqual([null]);
  });
});

describe("options: what is wrong", () => {
  // Title, command line, what must be said. Each problem must be found by itself.
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [
      "an unknown option, with the one that was meant",
      ["up", "--nods", "3"],
      "Did you mean --nodes?",
    ],
    ["an option with a single dash", ["up", "-nodes", "3"], "Did you mean --nodes?"],
    ["a flag that another command has", ["up", "--follow"], "There is no option --follow"],
    ["a missing value at the end", ["up", "--nodes"], "--nodes needs a value: --nodes N."],
    ["a missing value before an option", ["up", "--data", "--port", "1"], "--data needs a value"],
    ["an option given twice", ["up", "--nodes", "3", "--nodes", "5"], "given twice"],
    ["a number that is none", ["up", "--nodes", "3.5"], "--nodes 3.5: must be a whole number"],
    [
      "a negative number",
      ["events", "tail", "--after", "-1"],
      "--after -1: must be a whole number",
    ],
    ["a number past 2^53", ["wal", "dump", "--data", "d", "--after", "9007199254740993"], "2^53"],
    ["a number out of range", ["up", "--nodes", "10"], "must be a whole number from 1 to 9"],
    ["an empty text", ["up", "--data", ""], "--data: must not be empty"],
    ["a choice that is none", ["bench", "--operation", "put"], "must be one of create-printers"],
    ["a flag with a strange value", ["bench", "--json=maybe"], "must be true or false"],
    ["no id", ["serve", "--data", "d", "--initial-cluster", MEMBERS], "--id is missing"],
    ["an id of zero", ["serve", "--id", "0", ...SERVE.slice(3)], "must be a node id"],
    [
      "an id too large",
      ["serve", "--id", "4294967296", ...SERVE.slice(3)],
      "must be a node id, 1 to 4294967295",
    ],
    ["an id outside the cluster", ["serve", "--id", "9", ...SERVE.slice(3)], "names 1, 2, 3"],
    ["an address without a port", [...SERVE, "--http", "localhost"], "must be an address"],
    ["a port too large", [...SERVE, "--http", "localhost:65536"], "a port from 1 to 65535"],
    ["port zero", [...SERVE, "--http", "localhost:0"], "a port from 1 to 65535"],
    ["a bare IPv6 address", [...SERVE, "--http", "::1:8001"], "must be an address"],
    ["a host with a space", [...SERVE, "--http", "my host:1"], "must be an address"],
    [
      "a wildcard for others to dial",
      [...SERVE, "--advertise-http", "0.0.0.0:1"],
      "nobody can dial",
    ],
    ["http and peer alike", [...SERVE, "--http", "127.0.0.1:9001"], "are the same address"],
    ["http on another's peer address", [...SERVE, "--http", "127.0.0.1:9003"], "address of node 3"],
    [
      "another's peer address",
      [...SERVE, "--peer", "127.0.0.1:9002"],
      "is not this node's address",
    ],
    ["a wildcard on another port", [...SERVE, "--peer", ":9009"], "is not this node's address"],
    ["another advertised address", [...SERVE, "--advertise-peer", "a:1"], "in --initial-cluster"],
    ["a wait longer than the timeout", [...SERVE, "--leader-wait-ms", "6000"], "is longer than"],
    [
      "a segment that is too small",
      [...SERVE, "--segment-mib", "0"],
      "must be a whole number from 1",
    ],
    ["--join, which comes later", [...SERVE, "--join", "http://a:1"], "not part of this version"],
    ["https", ["cluster", "status", "--endpoint", "https://a:1"], "does not speak https://"],
    [
      "a path in an endpoint",
      ["cluster", "status", "--endpoint", "http://a:1/b"],
      "nothing behind",
    ],
    [
      "no endpoint at all",
      ["cluster", "status", "--endpoint", "http://"],
      "must be http://host:port",
    ],
    ["a missing operand", ["printers", "get"], "ID is missing: raft3d printers get ID."],
    ["an operand too many", ["printers", "get", "1", "2"], '"2" is one word too many'],
    ["an update without a change", ["printers", "update", "1"], "Nothing to change"],
    ["two sources of a replay", ["events", "replay", "--data", "d", "--endpoint", "a:1"], "Either"],
    ["ports that overlap", ["up", "--port", "9000"], "overlap: they must be at least 3 apart"],
    ["ports past the end", ["up", "--port", "65535"], "leaves no ports for 3 nodes"],
    ["an unknown command", ["sevre"], "Did you mean `raft3d serve`?"],
    ["an unknown command of a family", ["jobs", "lst"], "Did you mean `raft3d jobs list`?"],
    ["a command of a later version", ["cluster", "add"], "not part of this version"],
    ["an option before the command", ["--json", "jobs", "list"], "first word must be a command"],
  ];

  test.each(cases)("%s", (_, argv, expected) => {
    const found = problems(argv);
    expect(found.join("\n")).toContain(expected);
    expect(found).toHaveLength(1);
  });

  test("every mistake in --initial-cluster is named, not only the first", () => {
    const list = "1=a:1,1=b:2,3=a:1,x=c:3,4,5=d:99999";
    const argv = ["serve", "--id", "1", "--data", "d", "--initial-cluster", list];
    const found = problems(argv).join("\n");
    for (const what of ['"x=c:3", whose id', '"4" is not', '"5=d:99999", whose address']) {
      expect(found).toContain(what);
    }
    expect(found).toContain("names the id 1 more than once");
    expect(found).toContain("names the address a:1 more than once");
  });

  test("problems of the flags, the environment and the file come out together, each by its place", () => {
    const env = { RAFT3D_ID: "zero", RAFT3D_INITAL_CLUSTER: MEMBERS, RAFT3D_JOIN: "x" };
    const file = { tick_ms: "fast", segment_mb: 16, data: null, http: "localhost:70000" };
    const found = problems(["serve", "--htpp", "x", "--config", "farm.json"], env, file);
    expect(found).toEqual([
      "There is no option --htpp for `raft3d serve`. Did you mean --http?",
      "There is no variable RAFT3D_INITAL_CLUSTER. Did you mean RAFT3D_INITIAL_CLUSTER?",
      expect.stringMatching(/^RAFT3D_JOIN: joining a running cluster is not part of this version/),
      'There is no setting "segment_mb", in farm.json. Did you mean "segment_mib"?',
      "data in farm.json must be a text, a number, true, false, a list or an object.",
      "RAFT3D_ID zero: must be a node id, 1 to 4294967295.",
      expect.stringMatching(/^--data is missing/),
      "http in farm.json localhost:70000: must have a port from 1 to 65535.",
      expect.stringMatching(/^--initial-cluster is missing/),
      "tick_ms in farm.json fast: must be a whole number from 5 to 5000.",
    ]);
  });

  test("a configuration file that is missing, no JSON or no object is a problem like any other", () => {
    const argv = ["up", "--config", "farm.json"];
    expect(problems(argv)).toEqual([
      "The configuration file farm.json cannot be read: there is no such file.",
    ]);
    expect(problems(argv, {}, "{")[0]).toContain("is not JSON");
    expect(problems(argv, {}, "[]")[0]).toContain("must hold one JSON object");
  });

  test("whatever is typed is understood or refused with reasons, and never throws", () => {
    const words = ["--id", "--http", "--nodes", "--", "-", "--json", "=", "", "serve", "x", "1"];
    const word = fc.oneof(
      fc.constantFrom(...words),
      fc.constantFrom(...COMMAND_NAMES),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
        const resolved = resolveWith(argv.flatMap((one) => one.split(" ")));
        if (resolved.kind === "bad") expect(resolved.problems).not.toHaveLength(0);
      }),
      { seed: 7 },
    );
  });
});

describe("options: what a node is started with", () => {
  function served(...extra: readonly string[]) {
    return serveOptions(run("serve", [...SERVE, ...extra]).options);
  }

  test("the defaults", () => {
    expect(served()).toEqual({
      id: 1,
      data: "/d",
      http: "127.0.0.1:8001",
      advertiseHttp: "127.0.0.1:8001",
      peer: "127.0.0.1:9001",
      members: [
        { id: 1, peer: "127.0.0.1:9001" },
        { id: 2, peer: "127.0.0.1:9002" },
        { id: 3, peer: "127.0.0.1:9003" },
      ],
      clusterToken: "raft3d",
      tickMs: 50,
      snapshotEntries: 20_000,
      trailingEntries: 5000,
      segmentBytes: 16 * 1024 * 1024,
      requestTimeoutMs: 5000,
      leaderWaitMs: 3000,
      logLevel: "info",
    });
  });

  test("a node that listens on every address is reached where its peers reach it", () => {
    const node = served("--peer", ":9001", "--http", "0.0.0.0:80");
    expect(node.peer).toBe(":9001");
    expect(node.advertiseHttp).toBe("127.0.0.1:80");
  });

  test("behind a proxy it says where it is reached", () => {
    const node = served("--peer", "[::1]:7", "--advertise-peer", "127.0.0.1:9001");
    expect(node.peer).toBe("[::1]:7");
    expect(served("--advertise-http", "Farm.Example:80").advertiseHttp).toBe("farm.example:80");
  });
});
