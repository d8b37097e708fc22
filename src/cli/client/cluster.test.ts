import { describe, expect, test } from "vitest";
import { clientFor } from "../session.ts";
import { sendCluster } from "../testing/fake-cluster.ts";
import { deadOrigin, fakeServer, fakeSession } from "../testing/fakes.ts";
import { parseCluster, showStatus } from "./cluster.ts";

function hostPort(origin: string): string {
  return origin.slice("http://".length);
}

describe("cluster status", () => {
  test("takes the lag from the leader and the applied index from each node that answers", async () => {
    const dead = hostPort(await deadOrigin());
    const leader = await fakeServer((_, response) => {
      const members = [
        { id: 1, http: null, lag: 4 },
        { id: 2, http: null, lag: 0 },
        { id: 3, http: null, lag: 90 },
      ];
      sendCluster(response, { nodeId: 2, leaderId: 2, appliedIndex: 104, members });
    });
    const asked = await fakeServer((_, response) => {
      const members = [
        { id: 1, http: hostPort(asked.origin) },
        { id: 2, http: hostPort(leader.origin) },
        { id: 3, http: dead, reachable: false },
      ];
      sendCluster(response, { nodeId: 1, leaderId: 2, appliedIndex: 100, members });
    });
    const session = fakeSession();
    const client = clientFor(session, { endpoint: [asked.origin], timeout: 5 });
    await showStatus(session, client, { json: false });
    const lines = session.terminal.stdout().split("\n");
    expect(lines[0]).toBe(`Cluster c0ffee: leader 2, term 7, as node 1 sees it (${asked.origin})`);
    const cells = lines.slice(2, -1).map((line) => line.trim().split(/ {2,}/));
    const [one, two] = [hostPort(asked.origin), hostPort(leader.origin)];
    expect(cells).toEqual([
      ["ID", "ROLE", "STATE", "APPLIED", "LAG", "HTTP", "PEER", "REACHABLE"],
      ["1", "voter", "follower", "100", "4", one, "127.0.0.1:9001", "yes"],
      ["2", "voter", "leader", "104", "0", two, "127.0.0.1:9002", "yes"],
      ["3", "voter", "down", "-", "90", dead, "127.0.0.1:9003", "no"],
    ]);
  });

  test("says so when there is no leader", async () => {
    const server = await fakeServer((_, response) =>
      sendCluster(response, { nodeId: 1, leaderId: null, appliedIndex: 1, members: [] }),
    );
    const session = fakeSession();
    const client = clientFor(session, { endpoint: [server.origin], timeout: 5 });
    await showStatus(session, client, { json: false });
    expect(session.terminal.stdout()).toContain("no leader, term 7");
    expect(session.terminal.stderr()).toContain("Without a leader nothing can be written.");
  });

  test("with --json prints the node's answer as it is", async () => {
    const server = await fakeServer((_, response) =>
      sendCluster(response, { nodeId: 1, leaderId: 1, appliedIndex: 1, members: [] }),
    );
    const session = fakeSession();
    const client = clientFor(session, { endpoint: [server.origin], timeout: 5 });
    await showStatus(session, client, { json: true });
    expect(JSON.parse(session.terminal.stdout())).toMatchObject({ cluster_id: "c0ffee", term: 7 });
  });

  test("takes no other server for a node", () => {
    for (const value of [null, 1, [], {}, { members: [] }, { members: 1, cluster_id: "a" }]) {
      expect(parseCluster(value)).toBeNull();
    }
  });
});
