// Mutations of protobuf messages, field by field: what is changed still parses, so that it gets past the
// parser and to whoever believes the fields.

import { ByteWriter } from "../base/bytes.ts";
import { varint } from "./mutation.ts";
import type { SimRandom } from "./sim-random.ts";

interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

/** Wire types of protobuf that raft's messages use. */
const VARINT = 0;
const BYTES = 2;

/** Sender and receiver: a message with others is refused before anything of it is looked at. */
const ADDRESS_FIELDS = [2, 3];

/** One to three fields of it changed, dropped, doubled or added, at any depth. */
export function mutatedFields(message: Uint8Array, random: SimRandom): Uint8Array {
  let bytes = message;
  for (let n = random.between(1, 3); n > 0; n--)
    bytes = mutatedField(bytes, random, ADDRESS_FIELDS);
  return bytes;
}

/** The number in a field of a message; 0 if it has none. The last counts, as for every parser. */
export function numberIn(message: Uint8Array, field: number): bigint {
  const found = readFields(message)?.findLast(({ number }) => number === field);
  return typeof found?.value === "bigint" ? found.value : 0n;
}

function mutatedField(bytes: Uint8Array, random: SimRandom, spared: readonly number[]): Uint8Array {
  const fields = readFields(bytes);
  if (fields === null) return bytes;
  const open = fields.filter(({ number }) => !spared.includes(number));
  if (open.length === 0 || random.chance(0.15)) {
    const added = { number: random.between(1, 16), value: oddNumber(1n, random) };
    return writeFields(spared.includes(added.number) ? fields : [...fields, added]);
  }
  const chosen = random.pick(open);
  const others = fields.filter((field) => field !== chosen);
  if (random.chance(0.1)) return writeFields(others);
  if (random.chance(0.1)) return writeFields([...fields, chosen]);
  const { number, value } = chosen;
  const changed =
    typeof value === "bigint" ? oddNumber(value, random) : mutatedField(value, random, []);
  // In its place: of repeated fields, entries of the log above all, the order counts.
  return writeFields(
    fields.map((field) => (field === chosen ? { number, value: changed } : field)),
  );
}

function oddNumber(value: bigint, random: SimRandom): bigint {
  return BigInt.asUintN(
    64,
    random.pick([
      value + 1n,
      value - 1n,
      BigInt(random.below(24)),
      BigInt(random.below(24)),
      0n,
      1n << 40n,
      1n << 53n,
      (1n << 64n) - 1n,
    ]),
  );
}

/** Null if it is no message, or one with fields of other wire types. */
function readFields(bytes: Uint8Array): readonly Field[] | null {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const key = readVarint(bytes, at);
    if (key === null) return null;
    const number = Number(key.value >> 3n);
    const head = readVarint(bytes, key.end);
    if (head === null || number === 0) return null;
    at = head.end;
    const type = Number(key.value & 7n);
    if (type === VARINT) fields.push({ number, value: head.value });
    else if (type === BYTES && head.value <= BigInt(bytes.length - at)) {
      fields.push({ number, value: bytes.slice(at, at + Number(head.value)) });
      at += Number(head.value);
    } else return null;
  }
  return fields;
}

function readVarint(
  bytes: Uint8Array,
  from: number,
): { readonly value: bigint; readonly end: number } | null {
  let value = 0n;
  for (let at = from; at < Math.min(bytes.length, from + 10); at++) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from));
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), end: at + 1 };
  }
  return null;
}

function writeFields(fields: readonly Field[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { number, value } of fields) {
    const isNumber = typeof value === "bigint";
    writer.raw(varint(BigInt(number * 8 + (isNumber ? VARINT : BYTES))));
    writer.raw(varint(isNumber ? value : BigInt(value.length)));
    if (!isNumber) writer.raw(value);
  }
  return writer.take();
}
