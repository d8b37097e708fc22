import { describe, expect, onTestFinished, test } from "vitest";
import { nodeNetwork } from "../../env/node/network.ts";
import { nodeRandom } from "../../env/node/random.ts";
import { EXIT_CODES } from "../../node/fatal.ts";
import { resolve } from "../options/resolve.ts";
import { describeEnd } from "./exit-meaning.ts";
import { assertAddressesFree, freePorts, planCluster, serveArguments } from "./plan.ts";

const PORTS = { http: [8001, 8002], peer: [9001, 9002] };
const PLAN = planCluster("/data", PORTS, "token", "info");

describe("a local cluster before it is started", () => {
  test("gives every node a command line that `serve` understands, whatever the environment says", () => {
    const environment = { RAFT3D_ID: "7", RAFT3D_HTTP: "a:1", RAFT3D_ADVERTISE_PEER: "b:2" };
    const resolved = PLAN.nodes.map((node) =>
      resolve(serveArguments(PLAN, node), environment, () => ({ ok: false, reason: "" })),
    );
    expect(resolved[1]).toMatchObject({
      kind: "run",
      invocation: {
        command: "serve",
        options: {
          id: 2,
          data: "/data/node-2",
          http: "127.0.0.1:8002",
          advertisePeer: "127.0.0.1:9002",
          initialCluster: [
            { id: 1, peer: "127.0.0.1:9001" },
            { id: 2, peer: "127.0.0.1:9002" },
          ],
          clusterToken: "token",
        },
      },
    });
    expect(resolved[0]?.kind).toBe("run");
  });

  test("names every address that is taken, and not those that are free", async () => {
    const ports = await freePorts(nodeNetwork, nodeRandom, 2);
    const plan = planCluster("/data", ports, "token", "info");
    await assertAddressesFree(nodeNetwork, plan);
    const [first, second] = plan.nodes;
    for (const address of [first!.http, second!.peer]) {
      const listener = await nodeNetwork.listen(address, () => undefined);
      onTestFinished(() => listener.close());
    }
    const failure = String(
      await assertAddressesFree(nodeNetwork, plan).catch((error: unknown) => error),
    );
    expect(failure).toContain(`${first!.http} (HTTP of node-1), ${second!.peer} (peers of node-2)`);
    expect(failure).not.toContain(second!.http);
    expect(failure).not.toContain(first!.peer);
  });

  test("free ports are all different, and lie below those of outgoing connections", async () => {
    const { http, peer } = await freePorts(nodeNetwork, nodeRandom, 9);
    expect(new Set([...http, ...peer]).size).toBe(18);
    expect(Math.max(...http, ...peer)).toBeLessThan(32_768);
  });
});

describe("how a node ended", () => {
  test("every exit code of a node is explained, and so is a signal", () => {
    for (const [reason, code] of Object.entries(EXIT_CODES)) {
      const text = describeEnd({ code, signal: null });
      expect(text).toMatch(new RegExp(`^ended with exit code ${code}: .+ \\(${reason}\\)$`));
    }
    expect(describeEnd({ code: null, signal: "SIGKILL" })).toBe("was ended by SIGKILL");
    expect(describeEnd({ code: 134, signal: null })).toBe("ended with exit code 134");
  });
});
