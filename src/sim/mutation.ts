// Mutations for fuzzing: valid bytes in, bytes that are nearly valid out. They get further into a decoder
// than noise does, which mostly fails at the first checksum.

import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import type { SimRandom } from "./sim-random.ts";

/** Numbers at the borders of what some reader can hold. */
const EDGES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

const STEPS_MAX = 4;

/** A corpus member, changed in one to four places. */
export function mutated(corpus: readonly Uint8Array[], random: SimRandom): Uint8Array {
  let bytes: Uint8Array = random.pick(corpus);
  for (let n = random.between(1, STEPS_MAX); n > 0; n--) bytes = mutatedOnce(bytes, corpus, random);
  return bytes;
}

function mutatedOnce(
  bytes: Uint8Array,
  corpus: readonly Uint8Array[],
  random: SimRandom,
): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = random.between(1, random.pick([1, 4, 32]));
  switch (random.below(10)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 1:
      return withByte(bytes, at, () => random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]));
    case 2: // a varint, as protobuf writes them
      return spliced(bytes, at, random.pick([0, 1, 2]), varint(random.pick(EDGES)));
    case 3:
      return overwritten(bytes, at, littleEndian(random.pick(EDGES), random.pick([1, 2, 4, 8])));
    case 4:
      return spliced(bytes, at, length, new Uint8Array());
    case 5:
      return spliced(bytes, at, 0, noise(length, random));
    case 6: // a part of it once more
      return spliced(bytes, at, 0, bytes.slice(at, at + length));
    case 7: // the rest of another one
      return spliced(bytes, at, bytes.length - at, rest(random.pick(corpus), random));
    case 8:
      return bytes.slice(0, at);
    default:
      return withByte(bytes, at, (byte) => (byte + random.pick([1, 255])) & 0xff);
  }
}

function withByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const changed = bytes.slice();
  const byte = changed[at];
  if (byte !== undefined) changed[at] = change(byte);
  return changed;
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(bytes.length, at + removed));
  const joined = new Uint8Array(at + added.length + tail.length);
  joined.set(bytes.subarray(0, at));
  joined.set(added, at);
  joined.set(tail, at + added.length);
  return joined;
}

function overwritten(bytes: Uint8Array, at: number, added: Uint8Array): Uint8Array {
  return spliced(bytes, at, added.length, added);
}

function noise(length: number, random: SimRandom): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}

function rest(bytes: Uint8Array, random: SimRandom): Uint8Array {
  return bytes.slice(random.below(bytes.length + 1));
}

export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7n) {
    if (left < 0x80n) return Uint8Array.of(...bytes, Number(left));
    bytes.push(Number(left & 0x7fn) | 0x80);
  }
}

function littleEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** Pieces that add up to `bytes`, cut at any places. */
export function inPieces(bytes: Uint8Array, random: SimRandom): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = random.pick([1, 7, 64, 4096]);
    pieces.push(bytes.slice(at, at + random.between(1, length)));
    at += pieces.at(-1)?.length ?? 0;
  }
  return pieces;
}

/** JSON values in the place of others: what a careless or hostile client writes. */
const ODD_JSON = [
  "null",
  "true",
  "-1",
  "-0",
  "1e400",
  "1.5",
  "9007199254740993",
  '""',
  '"\\u0000"',
  '"\\ud800"',
  "[]",
  "{}",
  '{"__proto__":1}',
  "[[[[[[[[[[]]]]]]]]]]",
  `"${"x".repeat(5000)}"`,
  "NaN",
  "",
];

/** JSON text with a value replaced, a name repeated, or its bytes mutated. */
export function mutatedJson(corpus: readonly string[], random: SimRandom): Uint8Array {
  const text = random.pick(corpus);
  switch (random.below(4)) {
    case 0: {
      const values = [
        ...text.matchAll(/(?<=[:[,])\s*("(?:[^"\\]|\\.)*"|-?\d[^,\]}]*|true|false|null)/g),
      ];
      const value = values.length === 0 ? undefined : random.pick(values);
      if (value === undefined) return encodeUtf8(text);
      const before = text.slice(0, value.index);
      return encodeUtf8(before + random.pick(ODD_JSON) + text.slice(value.index + value[0].length));
    }
    case 1: {
      const pairs = [...text.matchAll(/"[^"]*":[^,{}[\]]*/g)];
      const pair = pairs.length === 0 ? undefined : random.pick(pairs);
      return encodeUtf8(pair === undefined ? text : text.replace("{", `{${pair[0]},`));
    }
    case 2: {
      const depth = random.pick([2, 31, 33, 2000]);
      return encodeUtf8("[".repeat(depth) + text + "]".repeat(depth));
    }
    default:
      return mutated([encodeUtf8(text), ...corpus.map((one) => encodeUtf8(one))], random);
  }
}

export function printable(bytes: Uint8Array): string {
  try {
    return JSON.stringify(decodeUtf8(bytes)).slice(0, 300);
  } catch {
    return Buffer.from(bytes).toString("hex").slice(0, 600);
  }
}
