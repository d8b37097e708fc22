// Requests to a node over HTTP/1.1, over connections that are kept. Every failure below HTTP is a
// NetworkError with the system's code; what the answer says is the caller's business. Nothing is
// tried again here: whether that is safe depends on the request. Redirects are not followed: a node
// sends none.

import * as http from "node:http";
import { HTTP_ANSWER_BYTES_MAX } from "../../base/limits.ts";
import { NetworkError } from "../network.ts";

export interface HttpRequest {
  /** http://host:port */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole exchange; of a stream, for each silence. */
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Ends with the answer; throws a NetworkError where it breaks off. To be read once. */
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): void;
}

export class HttpClient {
  readonly #agent = new http.Agent({ keepAlive: true });

  /** Resolves with the whole answer, whatever its status. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const { origin, timeoutMs } = request;
    const began = performance.now();
    const stream = await this.stream(request);
    // Closing the stream is what ends the wait; that it was closed for this reason must be
    // remembered.
    let isLate = false;
    const stop = (): void => {
      isLate = true;
      stream.close();
    };
    const timer = setTimeout(stop, Math.max(1, timeoutMs - (performance.now() - began)));
    try {
      const { headers, status } = stream;
      return { status, headers, body: await wholeText(stream, origin) };
    } catch (error) {
      throw isLate ? tooLate(origin, timeoutMs) : error;
    } finally {
      clearTimeout(timer);
      stream.close();
    }
  }

  /** Resolves with the head of the answer; the body is read as it comes. */
  stream(request: HttpRequest): Promise<HttpStream> {
    const { body, headers, method, origin, path, timeoutMs } = request;
    const { hostname, port } = new URL(origin);
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const sent = http.request({
        agent: this.#agent,
        hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
        port: port === "" ? 80 : Number(port),
        method,
        path,
        headers: { ...headers, ...length },
      });
      sent.setTimeout(timeoutMs, () => {
        sent.destroy(tooLate(origin, timeoutMs));
      });
      sent.on("error", (error) => reject(asNetworkError(error, origin)));
      sent.on("response", (answer) => {
        resolve({
          status: answer.statusCode ?? 0,
          headers: headerMap(answer.headers),
          chunks: chunksOf(answer, origin),
          close: () => void answer.destroy(),
        });
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function tooLate(origin: string, timeoutMs: number): NetworkError {
  return new NetworkError("ETIMEDOUT", origin, `no answer within ${timeoutMs} ms`);
}

async function wholeText(stream: HttpStream, origin: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of stream.chunks) {
    bytes += chunk.length;
    if (bytes > HTTP_ANSWER_BYTES_MAX) {
      throw new NetworkError("ETOOBIG", origin, "the answer is too long");
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function headerMap(headers: http.IncomingHttpHeaders): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return map;
}

async function* chunksOf(
  answer: http.IncomingMessage,
  origin: string,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array; // no encoding was set
  } catch (error) {
    throw asNetworkError(error, origin);
  }
  // A body that ends before its length does not make Node.js throw in every version.
  if (!answer.complete) throw new NetworkError("ECONNRESET", origin, "the answer broke off");
}

function asNetworkError(error: unknown, origin: string): NetworkError {
  if (error instanceof NetworkError) return error;
  const { code = "EOTHER", message } = error as NodeJS.ErrnoException; // what node:http emits
  return new NetworkError(code, origin, message);
}
