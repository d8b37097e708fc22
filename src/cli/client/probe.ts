import { NetworkError } from "../../env/network.ts";
import type { HttpAnswer, HttpClient, HttpRequest } from "../../env/node/http-client.ts";

/** The answer of a server that need not be there; null if it is not. */
export async function probe(http: HttpClient, request: HttpRequest): Promise<HttpAnswer | null> {
  try {
    return await http.send(request);
  } catch (error) {
    if (error instanceof NetworkError) return null;
    throw error;
  }
}
