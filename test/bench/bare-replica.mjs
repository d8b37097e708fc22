// The least that three durable copies cost on Node.js: what comes in over node:http goes to two followers over
// TCP and into a file at each of the three, one synced write for all that has gathered meanwhile, and is
// answered when two of the three are durable. No Raft, no state, no rules, no framework: no leader but this
// one, nothing read back, nothing survives anything. A yardstick for how far Raft3D could get.
//   bare-replica.mjs leader HOST:PORT FILE FOLLOWER FOLLOWER
//   bare-replica.mjs follower HOST:PORT FILE
import { constants, openSync, write, writeSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";

const FILE_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;
const CONSTANT = JSON.stringify({ id: 1, company: "Creality", model: "Ender 3 V2" });

/** A file that is written over and over, so that no write has to find room first. */
class Log {
  #file;
  #at = 0;

  constructor(path) {
    const prepared = openSync(path, "w");
    writeSync(prepared, Buffer.alloc(FILE_BYTES));
    this.#file = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
  }

  append(bytes, done) {
    if (this.#at + bytes.length > FILE_BYTES) this.#at = 0;
    const at = this.#at;
    this.#at += bytes.length;
    write(this.#file, bytes, 0, bytes.length, at, (error) => {
      if (error) throw error;
      done();
    });
  }
}

function listen(server, address) {
  const [host, port] = address.split(":");
  server.listen(Number(port), host);
}

/** Writes each batch and says so with one byte, in the order in which they come. */
function follow(address, path) {
  const log = new Log(path);
  const server = createServer({ noDelay: true }, (socket) => {
    let left = Buffer.alloc(0);
    let isWriting = false;
    const next = () => {
      if (isWriting || left.length < LENGTH_BYTES) return;
      const end = LENGTH_BYTES + left.readUInt32LE(0);
      if (left.length < end) return;
      const batch = left.subarray(0, end);
      left = left.subarray(end);
      isWriting = true;
      log.append(batch, () => {
        isWriting = false;
        socket.write("1");
        next();
      });
    };
    socket.on("data", (chunk) => {
      left = left.length === 0 ? chunk : Buffer.concat([left, chunk]);
      next();
    });
  });
  listen(server, address);
}

function lead(address, path, followers) {
  const log = new Log(path);
  const sockets = followers.map((follower) => {
    const [host, port] = follower.split(":");
    return connect({ host, port: Number(port), noDelay: true });
  });
  /** Numbers of the last batch that each of the three has durable. */
  const durable = [0, 0, 0];
  /** Batches that are not answered yet, oldest first, and the number of the first of them. */
  const open = [];
  let first = 1;
  let waiting = [];
  let isWriting = false;
  let id = 0;

  const commit = () => {
    const majority = durable.toSorted((a, b) => a - b)[1];
    for (; first <= majority; first += 1) {
      for (const { body, response } of open.shift()) answer(response, 201, body);
    }
  };
  const flush = () => {
    if (isWriting || waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    const text = batch.map(({ body }) => body).join("\n");
    const bytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(text));
    bytes.writeUInt32LE(bytes.length - LENGTH_BYTES, 0);
    bytes.write(text, LENGTH_BYTES);
    open.push(batch);
    const number = first + open.length - 1;
    for (const socket of sockets) socket.write(bytes);
    isWriting = true;
    log.append(bytes, () => {
      isWriting = false;
      durable[0] = number;
      commit();
      flush();
    });
  };
  for (const [at, socket] of sockets.entries()) {
    socket.on("data", (acks) => {
      durable[at + 1] += acks.length;
      commit();
    });
  }
  const server = createHttpServer((request, response) => {
    if (request.method === "GET") return answer(response, 200, CONSTANT);
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      id += 1;
      waiting.push({ body: JSON.stringify({ id, ...JSON.parse(body) }), response });
      // What came in with the same turn of the event loop goes with it.
      if (waiting.length === 1) setImmediate(flush);
    });
  });
  listen(server, address);
}

function answer(response, status, text) {
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

const [role, address, path, ...followers] = process.argv.slice(2);
if (role === "leader") lead(address, path, followers);
else follow(address, path);
