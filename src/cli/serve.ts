// `raft3d serve`: one node, with the real world around it. The only place where production code makes an
// Env; everything below it is told what it may touch.

import type { NodeId } from "../base/brand.ts";
import { toError } from "../base/assert.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Env } from "../env/env.ts";
import { nodeClock } from "../env/node/clock.ts";
import { nodeDisk } from "../env/node/disk.ts";
import { FolderLockedError, lockFolder } from "../env/node/folder-lock.ts";
import { type LogLevel, nodeLogger } from "../env/node/logger.ts";
import { nodeNetwork } from "../env/node/network.ts";
import { readPackageFile } from "../env/node/package-file.ts";
import { killSelf } from "../env/node/process.ts";
import { nodeRandom } from "../env/node/random.ts";
import { keepShapes } from "../env/node/shapes.ts";
import { onStopSignal } from "../env/node/signals.ts";
import { createServer } from "../http/server.ts";
import { FatalError, asFatal } from "../node/fatal.ts";
import { type Member, PrintFarmNode } from "../node/print-farm-node.ts";
import { Core } from "../raft/core.ts";
import { PeerTransport } from "../transport/peer-transport.ts";

export interface ServeOptions {
  readonly id: NodeId;
  readonly data: string;
  /** host:port to listen on, and what to tell others where that differs. */
  readonly http: string;
  readonly advertiseHttp: string;
  readonly peer: string;
  /** The founders, this node among them; `peer` is the address to reach each under. */
  readonly members: readonly Member[];
  readonly clusterToken: string;
  readonly tickMs: number;
  readonly snapshotEntries: number;
  readonly trailingEntries: number;
  readonly segmentBytes: number;
  readonly requestTimeoutMs: number;
  readonly leaderWaitMs: number;
  readonly logLevel: LogLevel;
}

/**
 * The cluster's identity: every founder computes it from what it was started with, so nodes that were
 * given different members or tokens are different clusters and do not mix.
 */
export function clusterIdOf(members: readonly Member[], token: string): string {
  const sorted = members.toSorted((a, b) => a.id - b.id);
  const text = sorted.map(({ id, peer }) => `${id}=${peer}`).join(",");
  return sha256Hex(`raft3d cluster\n${token}\n${text}`, 16);
}

/** Runs until a signal or a failure; resolves with the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const logger = nodeLogger(options.logLevel, { node: options.id });
  const report = (error: FatalError): number => {
    logger.error(error.message, { reason: error.reason, exit: error.exitCode });
    return error.exitCode;
  };
  let lock: { release(): void };
  try {
    lock = lockFolder(options.data);
  } catch (thrown) {
    const error = toError(thrown);
    const locked = error instanceof FolderLockedError;
    return report(locked ? new FatalError("directory-locked", error.message) : asFatal(error));
  }
  try {
    return await run(options, {
      clock: nodeClock,
      random: nodeRandom,
      disk: nodeDisk(options.data),
      network: nodeNetwork,
      logger,
    });
  } catch (thrown) {
    return report(asFatal(toError(thrown)));
  } finally {
    lock.release();
  }
}

async function run(options: ServeOptions, env: Env): Promise<number> {
  const { logger } = env;
  keepShapes();
  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => (end = resolve));
  const node = await PrintFarmNode.open(env, {
    clusterId: clusterIdOf(options.members, options.clusterToken),
    id: options.id,
    members: options.members,
    http: options.advertiseHttp,
    tickMs: options.tickMs,
    times: times(options),
    snapshotEntries: options.snapshotEntries,
    trailingEntries: options.trailingEntries,
    segmentBytes: options.segmentBytes,
    core: async (host) => {
      const bytes = await readPackageFile("dist/core.wasm");
      return Core.instantiate(await WebAssembly.compile(bytes), host);
    },
    connect: (facts, handlers) => peerTransport(options, env, facts, handlers),
    onFatal: (error) => {
      logger.error(error.message, { reason: error.reason, exit: error.exitCode });
      // A thread waits for that disk, and an orderly end would wait for the thread.
      if (error.reason === "disk-stalled") killSelf();
      end(error.exitCode);
    },
  });
  const server = createServer(node, env);
  const address = await server.listen(options.http);
  await node.start();
  logger.info("serving", { http: address, peer: options.peer, cluster: node.clusterId });
  onStopSignal((signal) => {
    logger.info("stopping", { signal });
    void server
      .close()
      .then(() => node.stop())
      .then(
        () => end(0),
        (thrown: unknown) => {
          const error = asFatal(toError(thrown));
          logger.error(error.message, { reason: error.reason, exit: error.exitCode });
          end(error.exitCode);
        },
      );
  });
  const code = await ended;
  logger.info("stopped", { exit: code });
  return code;
}

type Connect = Parameters<typeof PrintFarmNode.open>[1]["connect"];

function peerTransport(
  options: ServeOptions,
  env: Env,
  ...[facts, handlers]: Parameters<Connect>
): ReturnType<Connect> {
  const peers = options.members.filter((member) => member.id !== options.id);
  return new PeerTransport({
    env,
    facts,
    handlers,
    listen: options.peer,
    peers: peers.map(({ id, peer }) => ({ id, address: peer })),
  });
}

function times(options: ServeOptions) {
  const ticks = (ms: number): number => Math.max(1, Math.ceil(ms / options.tickMs));
  return {
    leaderWait: ticks(options.leaderWaitMs),
    settle: ticks(options.requestTimeoutMs),
    repeat: ticks(1000),
    readRetry: ticks(200),
    diskStall: ticks(10_000),
  };
}
