// Load at a fixed rate, from a process of its own (generator.ts), and which rates are asked for.

import { fileURLToPath } from "node:url";
import type { Order, Report } from "./generator.ts";
import { output } from "./processes.ts";
import { type Load, nextNumbers } from "./wrk.ts";

const GENERATOR = fileURLToPath(new URL("generator.ts", import.meta.url));
/** Its own code is cold when it starts; the system has been warmed up before. */
const WARM_UP_SECONDS = 2;
/** More would be a queue in front of the server that people do not see, fewer one in the generator. */
const CONNECTIONS_MAX = 256;

/** A rate by itself, or a share of one that is measured first. */
export type AskedRate = { readonly name: string } & (
  | { readonly perSecond: number }
  | { readonly share: number }
);

export function isShare(rate: AskedRate): rate is AskedRate & { readonly share: number } {
  return "share" in rate;
}

/** `25%,50%`, `500,1000`, or `none`. */
export function parseRates(text: string): readonly AskedRate[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(name) ?? [];
    const value = Number(digits);
    if (!(value > 0)) throw new Error(`--rates: ${name} is neither a rate nor a share`);
    return percent === "%" ? { name, share: value / 100 } : { name, perSecond: value };
  });
}

export async function driveAtRate(
  address: string,
  load: Load,
  perSecond: number,
  seconds: number,
): Promise<Report> {
  const order: Order = {
    address,
    load,
    rate: { perSecond, warmUpSeconds: WARM_UP_SECONDS, seconds },
    // At a low rate fewer, or each would idle until the server closes it.
    connections: Math.ceil(Math.min(CONNECTIONS_MAX, perSecond)),
    first: nextNumbers(),
  };
  const args = ["--import", import.meta.resolve("tsx"), GENERATOR, JSON.stringify(order)];
  const text = await output(process.execPath, args);
  const found = /^OPEN (.*)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error(`the generator did not say what it measured:\n${text}`);
  return JSON.parse(found) as Report; // as generator.ts writes it
}
